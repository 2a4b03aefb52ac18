"""The history as files for other programs: every round as CSV, Parquet or JSON."""

import io
from collections.abc import Callable, Mapping

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import csv, parquet


def rounds_csv(rounds: pd.DataFrame) -> bytes:
    """Return `queries.rounds` as CSV; missing is empty."""
    buffer = io.BytesIO()
    csv.write_csv(pa.Table.from_pandas(rounds, preserve_index=False), buffer)
    return buffer.getvalue()


def rounds_parquet(rounds: pd.DataFrame) -> bytes:
    """Return `queries.rounds` as Parquet."""
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pandas(rounds, preserve_index=False), buffer)
    return buffer.getvalue()


def rounds_json(rounds: pd.DataFrame) -> bytes:
    """Return `queries.rounds` as a JSON list of objects; missing is null."""
    return rounds.to_json(orient="records", double_precision=15).encode() + b"\n"


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": rounds_csv,
    "parquet": rounds_parquet,
    "json": rounds_json,
}
