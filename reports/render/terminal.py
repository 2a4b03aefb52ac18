"""A `Document` on a terminal. Texts from files are written as texts, never as markup, with no control characters."""

import sys
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text as Line

from loaderbench.reports.documents.document import (
    Callout,
    Cell,
    Code,
    Column,
    Document,
    Items,
    Part,
    Section,
    Table,
    Terms,
    Text,
    Tone,
)
from loaderbench.reports.text import plain, printable
from loaderbench.reports.units import count

WIDE = 140  # columns where the output is no terminal: a log wraps by itself
STYLES: Mapping[Tone, str] = {"plain": "", "good": "green", "bad": "red", "warn": "yellow", "muted": "dim"}


def console() -> Console:
    """Return the console on which results are shown: as wide as the terminal, `WIDE` where there is none."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)


def print_document(document: Document, to: Console | None = None) -> None:
    """Print what a document shows on a terminal: no title and no footer, as its reader has just typed the command."""
    to = to or console()
    for line in document.about:
        to.print(_line(line, "dim"))
    for notice in document.notices:
        to.print(_line(notice, "yellow"))
    is_first = not document.about and not document.notices
    for part in _shown(document.parts):
        if not is_first and isinstance(part, Table | Section | Callout):
            to.print()
        is_first = False
        for renderable in _rendered(part):
            to.print(renderable)


def _shown(parts: Iterable[Part]) -> Iterator[Part]:
    return (part for part in parts if "terminal" in part.on and not (isinstance(part, Section) and part.folded))


def _line(text: str, style: str = "") -> Line:
    return Line(plain(text, None), style=style)


def _rendered(part: Part) -> Iterator[RenderableType]:
    match part:
        case Text():
            yield _line(part.text, f"{'bold ' if part.strong else ''}{STYLES[part.tone]}".strip())
        case Items():
            yield from (
                _line(f"{'? ' if part.tone == 'warn' else '- '}{item}", STYLES[part.tone]) for item in part.items
            )
        case Code():
            yield from _code(part)
        case Table():
            yield from _table(part)
        case Terms():
            yield _terms(part)
        case Callout():
            yield from _callout(part)
        case Section():
            yield from _section(part)


def _section(section: Section) -> Iterator[RenderableType]:
    yield _line(section.title, "bold")
    for number, part in enumerate(_shown(section.parts)):
        if number and isinstance(part, Table | Section | Callout):
            yield ""
        yield from _rendered(part)


def _code(code: Code) -> Iterator[RenderableType]:
    yield Line("\n".join(f"    {line}" for line in printable(code.code).splitlines()), style="cyan")
    if code.note:
        yield _line(code.note, "dim")


def _terms(terms: Terms) -> RenderableType:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for term, meaning in terms.terms:
        grid.add_row(_line(term, "bold"), _line(meaning))
    return grid


def _callout(callout: Callout) -> Iterator[RenderableType]:
    style = f"bold {STYLES[callout.tone]}".strip()
    subject = [(f"{plain(callout.subject, None)}: ", "bold")] if callout.subject else []
    yield Line.assemble(*subject, (plain(callout.headline, None), style))
    yield from (_line(f"error: {fault}", "red") for fault in callout.faults)
    if callout.sentence:
        yield _line(callout.sentence)
    if callout.bars:
        yield _line(" · ".join(f"{bar.label} {bar.value}" for bar in callout.bars))
    if callout.evidence:
        yield _line(callout.evidence, "dim")
    if callout.code and "terminal" in callout.code.on:
        yield Line(f"    {_in_one_line(callout.code.code)}", style="cyan")
    yield from (_line(f"? {doubt}", "yellow") for doubt in callout.doubts)
    if callout.command:
        yield Line(f"  run: {printable(callout.command)}")
    for section in _shown(callout.details):
        yield from _rendered(section)


def _in_one_line(call: str) -> str:
    """Return a call that has a line for each argument in one line, which a terminal has room for."""
    return " ".join(line.strip() for line in printable(call).splitlines()).replace("( ", "(").replace(", )", ")")


def _table(table: Table) -> Iterator[RenderableType]:
    if not table.rows:
        return
    columns = [column for column in table.columns if "terminal" in column.on]
    grid = Grid(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(
            Line(plain(column.label)),
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
        )
    most = table.most_rows.get("terminal", len(table.rows))
    for row in table.rows[:most]:
        grid.add_row(*(_cell(cell) for column, cell in _pairs(table, row) if column in columns))
    yield grid
    if len(table.rows) > most:
        yield _line(f"and {count(len(table.rows) - most, 'more row')}", "dim")


def _pairs(table: Table, row: tuple[Cell, ...]) -> Iterator[tuple[Column, Cell]]:
    return zip(table.columns, row, strict=True)


def _cell(cell: Cell) -> Line:
    line = Line(plain(cell.text), style=STYLES[cell.tone])
    if cell.note:
        line.append(f"\n{plain(cell.note, None)}", style="dim")
    return line
