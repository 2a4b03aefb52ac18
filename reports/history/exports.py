"""The history as files for other programs: every round (`queries.rounds`) as CSV, Parquet or JSON."""

from collections.abc import Callable, Mapping

import pandas as pd

from loaderbench.reports.records.export import csv_of, parquet_of


def json_of(rounds: pd.DataFrame) -> bytes:
    """Return a frame as a JSON list of objects; missing is null."""
    return rounds.to_json(orient="records", double_precision=15).encode() + b"\n"


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {"csv": csv_of, "parquet": parquet_of, "json": json_of}
