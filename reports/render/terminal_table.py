"""A table on a terminal: as a grid where it fits, else each row in several lines; numbers and names stay whole."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text as Line

from loaderbench.reports.documents.document import Cell, Column, Tone
from loaderbench.reports.text import bound, plain
from loaderbench.reports.units import MISSING

STYLES: Mapping[Tone, str] = {"plain": "", "good": "green", "bad": "red", "warn": "yellow", "muted": "dim"}
GAP = 2  # spaces between columns
INDENT = 4  # of the lines of a row below its first
NARROWEST = 26  # characters of a column of sentences: below, a row takes several lines

Row = Sequence[Cell]


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph:
    """A line of text, broken between words where the terminal is narrower; `mark` stands before it, as of an item.

    A number stays with its unit, which rich would part at the space that is not to be broken.
    """

    line: Line
    mark: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines, those below the first as far to the right as the text after the mark."""
        for number, line in enumerate(_lines(self.line, options.max_width - cell_len(self.mark))):
            mark = self.mark if number == 0 else " " * cell_len(self.mark)
            line.style = ""  # that of the whole, its mark too
            yield Line(mark, style=self.line.style, no_wrap=True, overflow="ignore").append_text(line)


def _lines(text: Line, width: int) -> Iterator[Line]:
    """Break a text at spaces into lines of `width`; a longer word has a line of its own."""
    breaks, column = [], 0
    for word in re.finditer(r"[^ ]+ *", text.plain):
        if column and column + cell_len(word[0].rstrip(" ")) > width:
            breaks.append(word.start())
            column = 0
        column += cell_len(word[0])
    for line in text.divide(breaks):
        line.rstrip()
        yield line


@dataclass(frozen=True, kw_only=True, slots=True)
class TerminalTable:
    """Columns and rows, each of a cell for each column."""

    columns: Sequence[Column]
    rows: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a grid if all columns fit; else of each row its names, its numbers below, and then its sentences."""
        every = list(range(len(self.columns)))
        if (widths := self._widths(every, options.max_width)) is not None:
            yield self._grid(every, widths, self.rows, has_head=True)
            return
        names, rest = self._leading(), options.max_width - INDENT
        numbers = [place for place in every[len(names) :] if not self.columns[place].wide]
        sentences = [place for place in every[len(names) :] if self.columns[place].wide]
        name_widths, number_widths = self._widths(names, options.max_width), self._widths(numbers, rest)
        yield from self._part(names, name_widths, (), 0)
        yield from self._part(numbers, number_widths, (), INDENT)
        for row in self.rows:
            yield from self._part(names, name_widths, row, 0)
            yield from self._part(numbers, number_widths, row, INDENT)
            for place in sentences:
                yield from _labelled(plain(self.columns[place].label), row[place])

    def _leading(self) -> list[int]:
        """Return the places of the columns before the first number: they name the row."""
        first = next((place for place, column in enumerate(self.columns) if column.number), len(self.columns))
        return list(range(max(1, first)))

    def _widths(self, places: Sequence[int], most: int) -> list[int] | None:
        """Return the widths of columns that fit into `most` characters together, None where they do not."""
        spans = [_span(self.columns[place], [row[place] for row in self.rows]) for place in places]
        least, widths = [least for least, _ in spans], [most_needed for _, most_needed in spans]
        room = most - GAP * (len(places) - 1)
        if sum(least) > room:
            return None
        while sum(widths) > room:  # the widest column that may be narrower yields
            yields = max(
                (place for place in range(len(places)) if widths[place] > least[place]), key=widths.__getitem__
            )
            widths[yields] -= 1
        return widths

    def _grid(self, places: Sequence[int], widths: Sequence[int], rows: Sequence[Row], *, has_head: bool) -> Grid:
        grid = Grid(box=None, show_header=has_head, header_style="bold", padding=(0, GAP, 0, 0), pad_edge=False)
        for place, width in zip(places, widths, strict=True):
            column = self.columns[place]
            grid.add_column(
                _wrapped(Line(bound(plain(column.label))), width),
                justify="right" if column.number else "left",
                width=width,
                overflow="fold",
            )
        for row in rows:
            grid.add_row(*(_wrapped(_content(row[place]), width) for place, width in zip(places, widths, strict=True)))
        return grid

    def _part(self, places: Sequence[int], widths: Sequence[int] | None, row: Row, indent: int) -> RenderResult:
        """Yield some columns of a row, or their labels where there is no row; in columns where these fit."""
        labels = [plain(self.columns[place].label) for place in places]
        if row and not any(row[place].text or row[place].note for place in places):
            return
        if widths is not None:
            grid = self._grid(places, widths, [row] if row else [], has_head=not row)
            yield Padding(grid, (0, 0, 0, indent), expand=False)
        elif row and indent:
            for label, place in zip(labels, places, strict=True):
                yield from _labelled(label, row[place])
        elif row:
            yield Paragraph(line=Line("  ").join(_content(row[place]) for place in places))
        elif not indent:
            yield Paragraph(line=Line("  ".join(labels), style="bold"))


def _labelled(label: str, cell: Cell) -> Iterator[Paragraph]:
    """Yield a cell below its row's name, after its column's label, its note below."""
    if cell.text and cell.text != MISSING:
        words = Line(f"{label}: " if label else "").append(plain(cell.text), style=STYLES[cell.tone])
        yield Paragraph(line=words, mark=" " * INDENT)
    if cell.note:
        yield Paragraph(line=Line(plain(cell.note, None), style="dim"), mark=" " * INDENT)


def _span(column: Column, cells: Sequence[Cell]) -> tuple[int, int]:
    """Return the least width of a column, and that by which nothing of it is wrapped: numbers and names never are."""
    texts, label = [plain(cell.text) for cell in cells], bound(plain(column.label))
    longest = max(map(cell_len, texts), default=0)
    notes = max((cell_len(plain(cell.note, None)) for cell in cells), default=0)
    words = [cell_len(word) for text in (label, *(texts if column.wide else ())) for word in text.split(" ")]
    least = min(longest, NARROWEST) if column.wide else longest
    return max(least, *words, min(notes, NARROWEST)), max(longest, notes, cell_len(label))


def _content(cell: Cell) -> Line:
    line = Line(plain(cell.text), style=STYLES[cell.tone])
    if cell.note:
        line.append(f"\n{plain(cell.note, None)}", style="dim")
    return line


def _wrapped(text: Line, width: int) -> Line:
    return Line("\n").join(chain.from_iterable(_lines(line, width) for line in text.split("\n", allow_blank=True)))
