"""A `Document` as one HTML file that needs nothing else: style, script, figures and data are inside."""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from loaderbench.reports.documents.document import Cell, Column, Document, DrawnFigure, Part, Section, Table
from loaderbench.reports.figures.style import inline, palette
from loaderbench.reports.text import bound, plain, printable
from loaderbench.reports.units import count

LONG_WORD = 20  # characters: a column of a table should not be as wide as longer ones
ROWS_A_PAGE = 50  # of a searchable table
POINTS_TO_PIXELS = 1.4  # of a figure: its smallest letters are then as large as the page's smallest


def page(document: Document) -> str:
    """Return the document as a page: HTML is escaped, only our own script may run, nothing is fetched."""
    script = _ours("page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            document=document,
            sections=_anchored(document.parts),
            style=Markup(palette() + _ours("page.css")),  # noqa: S704 - ours
            script=Markup(script),  # noqa: S704 - ours
            script_hash=_hash(script),
            version=version("loaderbench"),
        )
    )


@cache
def _environment() -> Environment:
    """Return the templates' environment: HTML is escaped, an undefined name is an error."""
    loader = PackageLoader("loaderbench.reports.render")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "kind": lambda part: type(part).__name__,
        "line": lambda text: bound(plain(text, None)),
        "cell": lambda text: bound(plain(text)),
        "code": _code,
        "breakable": _breakable,
        "shown": _shown,
        "columns": _columns,
        "rows": _rows,
        "left_out": _left_out,
        "search_data": _search_data,
        "json": _json,
        "svg": _svg,
        "pixels": _pixels,
        "class": _class,
    }
    return environment


def _ours(name: str) -> str:
    return (files("loaderbench.reports.render") / "templates" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return what the page's policy calls its own script: no other one runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _shown(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if "html" in part.on]


def _anchored(parts: Iterable[Part]) -> list[tuple[str, Part]]:
    """Return the parts of a page, each section with an anchor of its own, other parts with none."""
    anchored: list[tuple[str, Part]] = []
    for part in _shown(parts):
        anchor = ""
        if isinstance(part, Section):
            anchor = first = re.sub(r"[^a-z0-9]+", "-", (part.name or part.title).lower()).strip("-") or "section"
            taken, number = {name for name, _ in anchored}, 1
            while anchor in taken:
                number += 1
                anchor = f"{first}-{number}"
        anchored.append((anchor, part))
    return anchored


def _columns(table: Table) -> list[Column]:
    return [column for column in table.columns if "html" in column.on]


def _rows(table: Table) -> list[tuple[str, Sequence[tuple[Column, Cell]]]]:
    """Return the kind of each row and its cells, each with its column."""
    kinds = table.kinds or ("",) * len(table.rows)
    columns = set(_columns(table))
    most = table.most_rows.get("html")
    return [
        (kind, [(column, cell) for column, cell in zip(table.columns, row, strict=True) if column in columns])
        for kind, row in zip(kinds[:most], table.rows[:most], strict=True)
    ]


def _left_out(table: Table) -> str:
    number = len(table.rows) - table.most_rows.get("html", len(table.rows))
    return f"{count(number, 'more row')} left out." if number > 0 else ""


def _search_data(table: Table) -> Markup:
    """Return what the script draws a searchable table from; a cell is null, a text, or a number and its text."""
    rows = _rows(table)
    data = {
        "columns": [
            {
                "label": plain(column.label),
                "number": column.number,
                "wide": column.wide,
                "choice": column.choice,
                "meaning": plain(column.meaning),
            }
            for column in _columns(table)
        ],
        "rows": [[_search_cell(cell) for _, cell in row] for _, row in rows],
        "kinds": [_class(kind) for kind, _ in rows],
        "sort": plain(table.sort),
        "page": ROWS_A_PAGE,
    }
    return _json(data, ensure_ascii=False)  # its texts print


def _search_cell(cell: Cell) -> str | tuple[float | None, str] | None:
    text = " · ".join(plain(words) for words in (cell.text, cell.note) if words)
    if cell.number is not None:
        return (float(cell.number) if math.isfinite(cell.number) else None, text)  # a number may be numpy's
    return text or None


def _code(text: str) -> Markup:
    """Return code in which no option is broken at its hyphens: a browser would end a line with ``--``."""
    option = Markup('<span class="option">{}</span>')
    return Markup().join(option.format(word) if "-" in word else word for word in re.split(r"(\s+)", printable(text)))


def _breakable(text: str) -> Markup:
    """Return a text whose long words, paths of modules and variables, may be broken where their parts end.

    >>> _breakable("num_workers=2, of loaderbench.recipes.transport")
    Markup('num_workers=2, of loaderbench.<wbr>recipes.<wbr>transport')
    """
    words = (re.split(r"(?<=[._=/])(?=\w)", word) if len(word) > LONG_WORD else [word] for word in text.split(" "))
    return Markup(" ").join(Markup("<wbr>").join(parts) for parts in words)


def _class(kind: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", kind.lower())


def _json(data: Any, *, ensure_ascii: bool = True) -> Markup:
    """Return data as JSON that cannot end its script element."""
    return htmlsafe_json_dumps(data, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))


def _svg(figure: DrawnFigure) -> Markup:
    """Return a figure's SVG, named by its title for those who do not see it."""
    named = Markup('<svg role="img" aria-label="{}"').format(plain(figure.title))
    return Markup(inline(figure.svg).replace("<svg", named, 1))  # noqa: S704 - matplotlib has escaped every text in it


def _pixels(figure: DrawnFigure) -> int:
    return round(POINTS_TO_PIXELS * figure.width)
