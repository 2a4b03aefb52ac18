"""An explanation on a terminal: the ranking, then what memory does."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.documents import explain
from loaderbench.reports.documents.document import Items
from loaderbench.reports.documents.document import Table as Rows
from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.text import plain


def shown(found: Ranking) -> RenderableType:
    """The headline, the ranking and memory."""
    parts: list[RenderableType] = []
    for part in explain.explain_section(found).parts:
        if isinstance(part, Rows):
            parts.append(_table(part))
        elif isinstance(part, Items):
            parts += [Text(plain(item)) for item in part.items]
        else:
            parts.append(Text(plain(getattr(part, "text", ""))))
    return Group(*parts)


def _table(part: Rows) -> Table:
    shown = [number for number, column in enumerate(part.columns) if "terminal" in column.on]
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for number in shown:
        table.add_column(part.columns[number].label, overflow="fold")
    for row in part.rows:
        cells = [row[number] for number in shown]
        table.add_row(*(Text(plain(cell.text) + (f"\n{plain(cell.note)}" if cell.note else "")) for cell in cells))
    return table
