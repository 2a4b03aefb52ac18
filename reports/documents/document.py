"""The `Document`: what a command has to say, before it is rendered for a terminal, as Markdown or as HTML.

A document is made by a pure function of results and holds no escaping: texts are as they are, and each renderer writes
them safely for its own output. Every part may be limited to some outputs by `on`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Output = Literal["terminal", "markdown", "html"]
Tone = Literal["plain", "good", "bad", "warn", "muted"]
Outputs = frozenset[Output]

EVERYWHERE: Outputs = frozenset({"terminal", "markdown", "html"})
ON_TERMINAL: Outputs = frozenset({"terminal"})
ON_PAPER: Outputs = frozenset({"markdown", "html"})
ON_PAGE: Outputs = frozenset({"html"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = "plain"
    strong: bool = False
    on: Outputs = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Items:
    """A list of short texts."""

    items: tuple[str, ...]
    tone: Tone = "plain"
    on: Outputs = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """Lines to copy: a call or a command; `note` stands below it."""

    code: str
    language: Literal["python", "sh"] = "python"
    note: str = ""
    on: Outputs = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A horizontal bar; `share` of the whole length, 0 to 1. `kind` chooses its colour in the style sheet."""

    label: str
    value: str
    share: float
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A cell of a table: its text, the number that it is sorted by, and a smaller line below it."""

    text: str
    number: float | None = None
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a table; `meaning` is one sentence for a reader who has never met it."""

    label: str
    number: bool = False
    wide: bool = False  # sentences, which wrap; other texts stay on one line
    choice: bool = False  # of a searchable table: its values are offered in a list to choose from
    meaning: str = ""
    on: Outputs = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells, one for each column. `kinds` names each row's kind for the style sheet (as long as `rows`)."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kinds: tuple[str, ...] = ()
    most_rows: Mapping[Output, int] = field(default_factory=dict)  # how many rows are shown; a line counts the others
    searchable: bool = False  # in HTML: sorted by a click on a heading, filtered by words and by column, in pages
    sort: str = ""  # of a searchable table: the label of the column that it is sorted by at first, largest first
    name: str = "table"  # in HTML: its id
    on: Outputs = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnFigure:
    """A figure as SVG text and PNG bytes; `width` in points. Files go to ``figures/<name>.svg`` and ``.png``."""

    name: str
    title: str
    how_to_read: str  # how to read it, in a sentence or two
    svg: str
    png: bytes
    width: float
    section: str = "Figures"  # of a report, under which it stands
    on: Outputs = ON_PAPER


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Terms and what they mean."""

    terms: tuple[tuple[str, str], ...]
    on: Outputs = ON_PAPER


@dataclass(frozen=True, kw_only=True, slots=True)
class Callout:
    """A result that must not be overlooked: a headline, the sentence that says why, bars, and what to copy."""

    headline: str
    subject: str = ""
    tone: Tone = "plain"
    sentence: str = ""
    faults: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    evidence: str = ""
    code: Code | None = None
    doubts: tuple[str, ...] = ()
    command: str = ""  # what to run next
    details: "tuple[Section, ...]" = ()
    on: Outputs = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Parts under a title; a `folded` one is opened by its reader (on a terminal it is left out)."""

    title: str
    parts: "tuple[Part, ...]"
    name: str = ""  # its anchor; made of the title where it is empty
    folded: bool = False
    on: Outputs = EVERYWHERE


Part = Text | Items | Code | Table | DrawnFigure | Terms | Callout | Section


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """All that a command has to say."""

    title: str  # of the page and of the Markdown file
    about: tuple[str, ...] = ()  # the machine, the run: quiet lines at the top
    notices: tuple[str, ...] = ()  # what is incomplete, or could not be read
    parts: tuple[Part, ...] = ()
    footer: tuple[str, ...] = ()
    marker: str = ""  # in Markdown: a comment that no reader sees, by which a job finds the text it wrote before
    data: Mapping[str, Any] = field(default_factory=dict)  # in HTML: JSON by the id of its script element

    @property
    def figures(self) -> "tuple[DrawnFigure, ...]":
        """Return every figure, in reading order, whichever outputs show it."""
        return tuple(part for part in walk(self.parts) if isinstance(part, DrawnFigure))


def walk(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts, each followed by those inside it."""
    for part in parts:
        yield part
        if isinstance(part, Section):
            yield from walk(part.parts)
        elif isinstance(part, Callout):
            yield from walk(part.details)
