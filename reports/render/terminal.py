"""A `Document` on a terminal. Texts from files are written as texts, never as markup, with no control characters."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table as Grid
from rich.text import Text as Line

from loaderbench.reports.documents.document import (
    Callout,
    Code,
    Document,
    Items,
    Part,
    Section,
    Table,
    Terms,
    Text,
)
from loaderbench.reports.render.terminal_table import STYLES, Paragraph, TerminalTable
from loaderbench.reports.text import bound, plain, printable
from loaderbench.reports.units import count

WIDE = 140  # columns where the output is no terminal: a log wraps by itself


def console() -> Console:
    """Return the console on which results are shown: as wide as the terminal, `WIDE` where there is none."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)


def print_document(document: Document, to: Console | None = None) -> None:
    """Print what a document shows on a terminal: no title and no footer, as its reader has just typed the command."""
    to = to or console()
    for line in document.about:
        to.print(_line(line, "dim"), crop=False)
    for notice in document.notices:
        to.print(_line(notice, "yellow"), crop=False)
    is_first = not document.about and not document.notices
    for part in _shown(document.parts):
        if not is_first and isinstance(part, Table | Section | Callout):
            to.print()
        is_first = False
        for renderable in _rendered(part):
            to.print(renderable, crop=False)


def _shown(parts: Iterable[Part]) -> Iterator[Part]:
    return (part for part in parts if "terminal" in part.on and not (isinstance(part, Section) and part.folded))


def _line(text: str, style: str = "", mark: str = "") -> Paragraph:
    return Paragraph(line=Line(bound(plain(text, None)), style=style), mark=mark)


def _rendered(part: Part) -> Iterator[RenderableType]:
    match part:
        case Text():
            yield _line(part.text, f"{'bold ' if part.strong else ''}{STYLES[part.tone]}".strip())
        case Items():
            mark = "? " if part.tone == "warn" else "- "
            yield from (_line(item, STYLES[part.tone], mark) for item in part.items)
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
    yield _ToCopy(code=code.code)
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
    yield Paragraph(line=Line.assemble(*subject, (plain(callout.headline, None), style)))
    yield from (_line(f"error: {fault}", "red") for fault in callout.faults)
    if callout.sentence:
        yield _line(callout.sentence)
    if callout.bars:
        yield _line(" · ".join(f"{bar.label} {bar.value}" for bar in callout.bars))
    if callout.evidence:
        yield _line(callout.evidence, "dim")
    if callout.code and "terminal" in callout.code.on:
        yield _ToCopy(code=callout.code.code, is_joined=True)
    yield from (_line(doubt, "yellow", "? ") for doubt in callout.doubts)
    if callout.command:
        yield _ToCopy(code=callout.command, before="  run: ", style="")
    for section in _shown(callout.details):
        yield from _rendered(section)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ToCopy:
    """Lines of code, none of which is broken, however long: a broken command cannot be pasted."""

    code: str
    before: str = "    "
    style: str = "cyan"
    is_joined: bool = False  # in one line, where the terminal has room for it

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = printable(self.code).splitlines()
        one = " ".join(map(str.strip, lines)).replace("( ", "(").replace(", )", ")")
        if self.is_joined and cell_len(self.before + one) <= options.max_width:
            lines = [one]
        for line in lines:
            yield Line(self.before + line, style=self.style, no_wrap=True, overflow="ignore")


def _table(table: Table) -> Iterator[RenderableType]:
    if not table.rows:
        return
    places = [place for place, column in enumerate(table.columns) if "terminal" in column.on]
    most = table.most_rows.get("terminal", len(table.rows))
    rows = [[row[place] for place in places] for row in table.rows[:most]]
    yield TerminalTable(columns=[table.columns[place] for place in places], rows=rows)
    if len(table.rows) > most:
        yield _line(f"and {count(len(table.rows) - most, 'more row')}", "dim")
