"""A document on a terminal: every part is there, and no text moves the cursor, colours or formats anything."""

import io
import sys
from dataclasses import replace

import pytest
from made_up_documents import document_of
from rich.console import Console

from loaderbench.reports.documents.document import Column, Document, Table, walk
from loaderbench.reports.render.terminal import WIDE, console, print_document


def printed(document: Document, width: int = 140) -> str:
    to = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False)
    print_document(document, to)
    return to.file.getvalue()  # type: ignore[attr-defined]


def test_every_part_is_printed_but_figures_terms_and_what_is_folded(whole_document: Document) -> None:
    text = printed(whole_document)
    for words in (
        "machine", "a notice", "images: ", "Loading is the bottleneck", "error: a fault", "A sentence.", "loader 7/s",
        "evidence", "    DataLoader(dataset)", "    dataset,",
        "The call.", "? a doubt", "run: loaderbench run x", "Parts", "a paragraph",
        "? an item", "case 0", "a note", "1/s", "inner", "deep",
    ):  # fmt: skip
        assert words in text
    for words in ("title", "figure", "meaning", "details", "footer"):
        assert words not in text


def test_hostile_texts_do_nothing(hostile_document: Document) -> None:
    text = printed(hostile_document)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[bold]b[/]" in text


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_loses_no_number(width: int) -> None:
    assert "2/s" in printed(document_of(lambda text: f"{text} and more words than fit", rows=3), width)


def test_the_first_rows_are_printed_and_the_others_counted(whole_document: Document) -> None:
    table = next(part for part in walk(whole_document.parts) if isinstance(part, Table))
    text = printed(Document(title="t", parts=(replace(table, most_rows={"terminal": 1}),)))
    assert "case 1" not in text
    assert "and 2 more rows" in text


def test_a_column_of_other_outputs_is_left_out(whole_document: Document) -> None:
    table = next(part for part in walk(whole_document.parts) if isinstance(part, Table))
    columns = (*table.columns[:2], Column(label="throughput", on=frozenset({"html"})))
    text = printed(Document(title="t", parts=(replace(table, columns=columns),)))
    assert "case 1" in text
    assert "1/s" not in text


def test_where_there_is_no_terminal_lines_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert console().width == WIDE
