"""Drawn plots as parts of a document."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from loaderbench.reports.documents.document import ON_PAPER, Figure, Outputs, Section
from loaderbench.reports.figures.catalogue import Picture
from loaderbench.reports.figures.style import png, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

POINTS = 72  # of an inch


def drawn_figure(drawn: "MatplotlibFigure", *, name: str, title: str, how_to_read: str) -> Figure:
    """Return a matplotlib figure as a figure of a document."""
    width = POINTS * float(drawn.get_figwidth())
    return Figure(name=name, title=title, how_to_read=how_to_read, svg=svg(drawn, name), png=png(drawn), width=width)


def figure_of(picture: Picture, on: Outputs = ON_PAPER) -> Figure:
    """Return a drawn plot as a figure of a document."""
    plot = picture.plot
    return Figure(
        name=plot.name, title=plot.title, how_to_read=plot.how_to_read, svg=picture.svg, png=picture.png,
        width=picture.width, on=on,
    )  # fmt: skip


def figure_sections(pictures: Iterable[Picture], on: Outputs = ON_PAPER) -> tuple[Section, ...]:
    """Return a section for each of the plots' own, in their order."""
    sections: dict[str, list[Figure]] = {}
    for picture in pictures:
        sections.setdefault(picture.plot.section, []).append(figure_of(picture, on))
    return tuple(Section(title=title, parts=tuple(figures), on=on) for title, figures in sections.items())
