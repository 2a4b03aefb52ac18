"""Figures as parts of a document."""

from collections.abc import Iterable

import pandas as pd

from loaderbench.reports.documents.document import ON_PAGE, DrawnFigure, Section
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.style import in_our_style, png, svg

POINTS = 72  # of an inch


def drawn(kind: FigureKind, table: pd.DataFrame) -> DrawnFigure | None:
    """Draw a kind of figure; None where `table` does not hold its data."""
    with in_our_style():
        figure = kind.draw(table)
    if figure is None:
        return None
    return DrawnFigure(
        name=kind.name, title=kind.title, how_to_read=kind.how_to_read, section=kind.section,
        svg=svg(figure, kind.name), png=png(figure), width=POINTS * float(figure.get_figwidth()),
    )  # fmt: skip


def all_drawn(kinds: Iterable[FigureKind], table: pd.DataFrame) -> tuple[DrawnFigure, ...]:
    """Draw every kind of figure whose data `table` holds."""
    return tuple(figure for kind in kinds if (figure := drawn(kind, table)) is not None)


def figure_sections(figures: Iterable[DrawnFigure]) -> tuple[Section, ...]:
    """Return the sections of figures, in their order, for a page: Markdown would be too long with them."""
    sections: dict[str, list[DrawnFigure]] = {}
    for figure in figures:
        sections.setdefault(figure.section, []).append(figure)
    return tuple(Section(title=title, parts=tuple(parts), on=ON_PAGE) for title, parts in sections.items())
