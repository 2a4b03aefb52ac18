"""The files of a report, as names and bytes; writing them is the command line's."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import compute, csv, parquet

from loaderbench.reports.documents.report import Report
from loaderbench.reports.figures.catalogue import Picture
from loaderbench.reports.render.markdown import summary
from loaderbench.reports.render.page import page

PAGE = "report.html"

# A cell that begins so is a formula to a spreadsheet: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = r"^[=+\-@\t\r\n]"


def outputs(report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield each file's path within the report's folder, and its content."""
    table = pa.Table.from_pandas(report.records.frame.convert_dtypes(), preserve_index=False)
    yield "records.csv", _csv(table)
    yield "records.parquet", _parquet(table)
    yield from pictured(report.pictures)
    yield "report.md", summary(report).encode()
    yield PAGE, page(report).encode()


def pictured(pictures: Iterable[Picture]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of figures."""
    for picture in pictures:
        yield f"figures/{picture.plot.name}.svg", picture.svg.encode()
        yield f"figures/{picture.plot.name}.png", picture.png


def _csv(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    csv.write_csv(_defused(table), buffer)  # many times faster than pandas', and missing is empty in both
    return buffer.getvalue()


def _defused(table: pa.Table) -> pa.Table:
    """Put an apostrophe before each text, and each column's name, that a spreadsheet would run: they are a user's."""
    columns = [_texts(column) if _is_text(column) else column for column in table.columns]
    return pa.table(columns, names=_texts(pa.array(table.column_names)).to_pylist())


def _is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the texts with those that begin as a formula does made harmless; missing stays missing."""
    return compute.replace_substring_regex(texts, FORMULA, r"'\0")


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()
