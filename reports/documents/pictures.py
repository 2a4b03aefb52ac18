"""Drawn plots as parts of a document."""

from collections.abc import Iterable
from itertools import groupby

from loaderbench.reports.documents.document import ON_PAPER, Figure, Outputs, Section
from loaderbench.reports.figures.catalogue import Picture


def figure_of(picture: Picture, on: Outputs = ON_PAPER) -> Figure:
    """Return a drawn plot as a figure of a document."""
    plot = picture.plot
    return Figure(
        name=plot.name, title=plot.title, reading=plot.reading, svg=picture.svg, png=picture.png, width=picture.width,
        on=on,
    )  # fmt: skip


def figure_sections(pictures: Iterable[Picture], on: Outputs = ON_PAPER) -> tuple[Section, ...]:
    """Return a section for each of the plots' own, in their order."""
    grouped = groupby(pictures, key=lambda picture: picture.plot.section)
    return tuple(
        Section(title=title, parts=tuple(figure_of(picture, on) for picture in of_section), on=on)
        for title, of_section in grouped
    )
