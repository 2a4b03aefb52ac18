"""What tables are made of: columns by their labels, rows of texts and numbers."""

from loaderbench.reports.documents.document import Cell, Column, Tone
from loaderbench.reports.units import quantity


def columns(*labels: str) -> tuple[Column, ...]:
    """Return columns of texts."""
    return tuple(Column(label=label) for label in labels)


def numbers(*labels: str) -> tuple[Column, ...]:
    """Return columns of numbers."""
    return tuple(Column(label=label, number=True) for label in labels)


def row(*values: str | int | Cell) -> tuple[Cell, ...]:
    """Return a row: texts as they are, whole numbers to be sorted as such, cells that are made already."""
    return tuple(value if isinstance(value, Cell) else _cell(value) for value in values)


def _cell(value: str | int) -> Cell:
    return Cell(text=value) if isinstance(value, str) else Cell(text=str(value), number=value)


def amount(value: float | None, unit: str, *, tone: Tone = "plain") -> Cell:
    """Return a cell that shows a quantity, and is sorted by its value."""
    return Cell(text=quantity(value, unit), number=value, tone=tone)
