"""Frames as tables for other programs: CSV, which a spreadsheet may open, Parquet, and JSON."""

import io
from collections.abc import Callable, Mapping

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import compute, csv, parquet

# A spreadsheet takes a cell that begins with one of these for a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = r"^[=+\-@\t\r\n]"


def csv_of(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV; missing is empty, and a text that a spreadsheet would run has an apostrophe before it."""
    buffer = io.BytesIO()
    csv.write_csv(_defused(_table(frame)), buffer)  # many times faster than pandas', and missing is empty in both
    return buffer.getvalue()


def parquet_of(frame: pd.DataFrame) -> bytes:
    """Return a frame as Parquet; missing is null, texts are as they are."""
    buffer = io.BytesIO()
    parquet.write_table(_table(frame), buffer)
    return buffer.getvalue()


def json_of(frame: pd.DataFrame) -> bytes:
    """Return a frame as a JSON list of objects; missing is null."""
    return frame.to_json(orient="records", double_precision=15).encode() + b"\n"


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {"csv": csv_of, "parquet": parquet_of, "json": json_of}


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame.convert_dtypes(), preserve_index=False)


def _defused(table: pa.Table) -> pa.Table:
    """Put an apostrophe before each text, and each column's name, that a spreadsheet would run: they are a user's."""
    columns = [_texts(column) if _is_text(column) else column for column in table.columns]
    return pa.table(columns, names=_texts(pa.array(table.column_names)).to_pylist())


def _is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the texts with those that begin as a formula does made harmless; missing stays missing."""
    return compute.replace_substring_regex(texts, FORMULA, r"'\0")
