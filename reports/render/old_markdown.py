"""Markdown, until all use `Document`."""

from collections.abc import Iterable, Iterator, Sequence

from loaderbench.reports.documents.document import Items, Table, Text
from loaderbench.reports.documents.explain import explain_section
from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.text import markdown


def explained(found: Ranking) -> Iterator[str]:
    """Render what ``loaderbench explain`` found, without a title."""
    *about, headline, ranked, memory = explain_section(found).parts
    yield from (f"{markdown(part.text)}  " for part in about if isinstance(part, Text))
    if isinstance(headline, Text) and isinstance(ranked, Table) and isinstance(memory, Items):
        yield from ("", f"**{markdown(headline.text)}**", "")
        shown = [number for number, column in enumerate(ranked.columns) if "markdown" in column.on]
        rows = ([markdown(row[number].text) for number in shown] for row in ranked.rows)
        yield from table([ranked.columns[number].label for number in shown], rows)
        yield from ("", *(f"- {markdown(line)}" for line in memory.items), "")


def folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines under a title that opens them."""
    yield from (f"<details><summary>{title}</summary>", "", *lines, "", "</details>", "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; the cells are escaped already."""
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
