"""The history as files for others: every round as CSV, Parquet or JSON, and the trends as Apache Otava reads them."""

import io
from collections.abc import Callable, Mapping

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import csv, parquet

ABOUT_RUN = ["time", "run", "commit", "machine"]


def rounds_csv(rounds: pd.DataFrame) -> bytes:
    """Write `history_queries.rounds` as CSV; missing is empty."""
    buffer = io.BytesIO()
    csv.write_csv(pa.Table.from_pandas(rounds, preserve_index=False), buffer)
    return buffer.getvalue()


def rounds_parquet(rounds: pd.DataFrame) -> bytes:
    """Write `history_queries.rounds` as Parquet."""
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pandas(rounds, preserve_index=False), buffer)
    return buffer.getvalue()


def rounds_json(rounds: pd.DataFrame) -> bytes:
    """Write `history_queries.rounds` as a JSON list of objects; missing is null."""
    return rounds.to_json(orient="records", double_precision=15).encode() + b"\n"


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": rounds_csv,
    "parquet": rounds_parquet,
    "json": rounds_json,
}


def otava(points: pd.DataFrame) -> bytes:
    """Write points (`trends.POINT`) of one machine as CSV for Otava: a row a run, a column a case and metric: medians.

    Its configuration: `time_column: time`, `attributes: [run, commit, machine]`, and the other columns as `metrics`. A
    median that a run lacks is empty.
    """
    table = points.assign(column=points["case"] + ":" + points["metric"]).rename(columns={"started": "time"})
    columns = list(dict.fromkeys(table["column"]))
    wide = table.pivot_table(index=ABOUT_RUN, columns="column", values="median", aggfunc="first", sort=False)
    wide = wide.reindex(columns=columns).sort_index(level=["time", "run"])
    return str(wide.reset_index().to_csv(index=False, lineterminator="\n")).encode()
