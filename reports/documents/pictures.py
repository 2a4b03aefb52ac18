"""Drawn plots as parts of a document."""

from collections.abc import Iterable

from loaderbench.reports.documents.document import ON_PAPER, Figure, Outputs, Section
from loaderbench.reports.figures.catalogue import Picture


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
