"""A document with every part in it, and one whose every text would do harm if it were not escaped."""

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure as Drawing

from loaderbench.reports.documents.document import (
    Bar,
    Callout,
    Cell,
    Code,
    Column,
    Document,
    DrawnFigure,
    Items,
    Section,
    Table,
    Terms,
    Text,
)
from loaderbench.reports.figures.style import in_our_style, png, svg

HOSTILE = (
    "</script><img src=x onerror=\"document.title='owned'\"> [bold]b[/] {{7*7}} a|b `x` [click](http://evil) **bold** "
    "@team\n# head\x1b[2J _em_ $x$ --> \u202e"
)


def figure_of(name: str) -> DrawnFigure:
    with in_our_style():
        drawing = Drawing(figsize=(2, 1))
        drawing.add_subplot().plot([1, 2])
    return DrawnFigure(
        name="line", title=name, how_to_read=name, svg=svg(drawing, "line"), png=png(drawing), width=144.0
    )


def document_of(text: Callable[[str], str], rows: int = 3) -> Document:
    """Every part, its texts made by `text` of what they say."""
    columns = (
        Column(label=text("case"), wide=True),
        Column(label=text("bench"), choice=True),
        Column(label=text("throughput"), number=True, meaning=text("Samples over time.")),
    )
    cells = tuple(
        (
            Cell(text=text(f"case {row}"), note=text("a note") if row == 0 else ""),
            Cell(text=text("epoch" if row % 2 else "training")),
            Cell(text=f"{row}/s", number=float(row), tone="good") if row else Cell(text=""),
        )
        for row in range(rows)
    )
    table = Table(columns=columns, rows=cells, kinds=("failed", *["measured"] * (rows - 1)), name="plain-table")
    searchable = Table(columns=columns, rows=cells, searchable=True, sort=columns[2].label, name="cases")
    code = Code(code=f"DataLoader(\n    {text('dataset')},\n)", note=text("The call."))
    callout = Callout(
        subject=text("images"), headline=text("Loading is the bottleneck"), tone="bad", sentence=text("A sentence."),
        faults=(text("a fault"),), bars=(Bar(label=text("loader"), value=text("7/s"), share=0.5, kind="loader"),),
        evidence=text("evidence"), code=code, doubts=(text("a doubt"),), command=f"loaderbench run {text('x')}",
        details=(Section(title=text("details"), folded=True, parts=(table,)),),
    )  # fmt: skip
    section = Section(
        title=text("Parts"),
        parts=(
            Text(text=text("a paragraph"), strong=True),
            Items(items=(text("an item"),), tone="warn"),
            code,
            table,
            figure_of(text("figure")),
            Terms(terms=((text("term"), text("meaning")),)),
            Section(title=text("inner"), parts=(Text(text=text("deep"), tone="muted"),)),
        ),
    )
    return Document(
        title=text("title"), about=(text("machine"),), notices=(text("a notice"),), footer=(text("footer"),),
        parts=(callout, section, Section(title=text("All cases"), name="all-cases", parts=(searchable,))),
        data={"extra": {"x": text("data")}},
    )  # fmt: skip


@pytest.fixture(scope="session")
def whole_document() -> Document:
    """A document with every part, of harmless texts."""
    return document_of(lambda text: text)


@pytest.fixture(scope="session")
def hostile_document() -> Document:
    """The same, each text followed by one that would run, link, colour or end something."""
    return document_of(lambda text: f"{text} {HOSTILE}")
