"""The files of a report, as names and bytes; writing them is the command line's."""

import io
from collections.abc import Iterator

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import csv, parquet

from loaderbench.reports.markdown import summary
from loaderbench.reports.page import page
from loaderbench.reports.report import Report

PAGE = "report.html"


def outputs(report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield each file's path within the report's folder, and its content."""
    table = pa.Table.from_pandas(report.records.frame.convert_dtypes(), preserve_index=False)
    yield "records.csv", _csv(table)
    yield "records.parquet", _parquet(table)
    for picture in report.pictures:
        yield f"figures/{picture.plot.name}.svg", picture.svg.encode()
        yield f"figures/{picture.plot.name}.png", picture.png
    yield "report.md", summary(report).encode()
    yield PAGE, page(report).encode()


def _csv(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    csv.write_csv(table, buffer)  # many times faster than pandas', and missing is empty in both
    return buffer.getvalue()


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()
