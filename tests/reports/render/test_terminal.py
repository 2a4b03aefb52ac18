"""A document on a terminal: every part is there, and no text moves the cursor, colours or formats anything."""

import io
import sys
from dataclasses import replace

import pytest
from made_up_documents import document_of
from rich.console import Console

from loaderbench.reports.documents.document import Callout, Cell, Code, Column, Document, Items, Table, Text, walk
from loaderbench.reports.render.terminal import WIDE, console, print_document


def printed(document: Document, width: int = 140) -> str:
    to = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False)
    print_document(document, to)
    return to.file.getvalue()  # type: ignore[attr-defined]


def plain_text(document: Document, width: int) -> str:
    to = Console(file=io.StringIO(), width=width, highlight=False)
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


ROW = (
    "regressed",
    "epoch[images-workers=2-batch=64]",
    "978 samples/s",
    "−28\u202f% (−29\u202f% to −28\u202f%)",
    "it waits",
)
VERDICTS = Table(
    columns=(
        Column(label="verdict"),
        Column(label="case"),
        Column(label="base", number=True),
        Column(label="change (95 % interval)", number=True),
        Column(label="what it means for whom", wide=True),
    ),
    rows=(tuple(Cell(text=text, note="a note" if text == ROW[0] else "") for text in ROW),),
)


@pytest.mark.parametrize("width", [24, 60, 80, 120])
def test_names_and_numbers_are_whole_and_no_line_is_too_long(width: int) -> None:
    text = plain_text(Document(title="t", parts=(VERDICTS,)), width)
    for words in (*ROW[:3], "a note", *(ROW[3:] if width > 24 else ())):
        assert words in text
    assert all(len(line) <= width for line in text.splitlines() if ROW[1] not in line)


def test_what_does_not_fit_beside_its_row_stands_below_it_with_its_label() -> None:
    lines = plain_text(Document(title="t", parts=(VERDICTS,)), 80).splitlines()
    assert [line.strip() for line in lines] == [
        "verdict    case", "base  change (95\u202f% interval)",
        f"{ROW[0]}  {ROW[1]}", "a note", f"{ROW[2]}  {ROW[3].rjust(22)}", f"what it means for whom: {ROW[4]}",
    ]  # fmt: skip


def test_a_number_is_not_parted_from_its_unit() -> None:
    text = plain_text(Document(title="t", parts=(Text(text="the loop waits for 12\u202f% or 95 %"),)), 21)
    assert text.splitlines() == ["the loop waits for", "12\u202f% or 95\u202f%"]


def test_the_lines_of_an_item_are_indented() -> None:
    text = plain_text(Document(title="t", parts=(Items(items=("one two three",)),)), 10)
    assert text.splitlines() == ["- one two", "  three"]


def test_what_is_to_be_copied_is_not_broken() -> None:
    command = f"loaderbench run --dataset {'x' * 80} --num-workers 2"
    parts = (Code(code=command, language="sh"), Callout(headline="h", command=command))
    assert plain_text(Document(title="t", parts=parts), 40).count(command) == 2


def test_a_call_is_in_one_line_where_it_fits() -> None:
    callout = Callout(headline="h", code=Code(code="DataLoader(\n    dataset,\n    batch_size=32,\n)"))
    document = Document(title="t", parts=(callout,))
    assert "    DataLoader(dataset, batch_size=32)\n" in plain_text(document, 80)
    assert "    DataLoader(\n        dataset,\n" in plain_text(document, 30)


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
