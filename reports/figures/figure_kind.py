"""What a kind of figure is: its name, how it is read, and the function that draws it."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class FigureKind:
    """One kind of figure; drawn (`documents.drawing.drawn`) it is a part of a document."""

    name: str
    """Of its files, without the ending."""
    title: str
    draw: Callable[[pd.DataFrame], Figure | None]
    """A pure function of a table, which returns None where its data are absent."""
    how_to_read: str
    """In a sentence or two."""
    section: str = "Figures"
    """Of a report, under which it stands."""
