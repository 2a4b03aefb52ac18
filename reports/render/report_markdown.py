"""The report as Markdown, short enough for the summary of a CI step."""

from collections.abc import Iterable, Iterator, Sequence

from loaderbench.reports.documents.cases import columns, listed
from loaderbench.reports.documents.document import Items, Table, Text
from loaderbench.reports.documents.explain import explain_section
from loaderbench.reports.documents.provenance import machine_line, notices, provenance_line
from loaderbench.reports.documents.report import Report
from loaderbench.reports.documents.verdict import Verdict, evidence, given
from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.text import code, markdown, plain
from loaderbench.reports.units import count
from loaderbench.reports.vocabulary import sample_rate

SPREAD = (
    "Within-run spread is the 95 % t interval over a case's rounds: what varies within one process, "
    "not a confidence interval of the truth."
)
MOST_ROWS = 60
MOST_CHOICES = 12


def summary(report: Report) -> str:
    """Render the report as Markdown; texts from files are escaped."""
    lines = [
        "# loaderbench",
        "",
        markdown(machine_line(report.run)) + "  ",
        markdown(provenance_line(report.run)),
        "",
        *_notices(report),
        *(line for verdict in report.verdicts for line in _verdict(verdict)),
        *(line for each in report.explained for line in ("## What would make it faster", "", *explained(each))),
        *_cases(report),
        SPREAD,
    ]
    return "\n".join(lines) + "\n"


def _notices(report: Report) -> Iterator[str]:
    found = list(notices(report))
    if found:
        yield "> [!WARNING]"
        yield from (f"> {markdown(notice)}  " for notice in found)
        yield ""


def _verdict(verdict: Verdict) -> Iterator[str]:
    yield from (f"## {markdown(verdict.subject)}: {verdict.headline}", "", f"**{markdown(verdict.sentence)}**", "")
    yield from (f"{markdown(verdict.evidence)}.", "", "```python", verdict.call, "```", "")
    yield from (f"- {markdown(doubt)}" for doubt in verdict.doubts)
    if verdict.command:
        yield from ("", "To settle it, run", "", "```sh", plain(verdict.command), "```")
    yield ""
    if verdict.recommendation.others:
        yield from _choices(verdict)


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


def _choices(verdict: Verdict) -> Iterator[str]:
    unit = sample_rate(verdict.recommendation.dataset)
    rows = (
        (f"`{code(given(choice))}`", f"`{code(choice.setting)}`", markdown(evidence(choice, unit)))
        for choice in verdict.recommendation.choices[:MOST_CHOICES]
    )
    yield from folded(
        "Other batches", table(("batches", "smallest setting that ties with the best", "throughput"), rows)
    )


def _cases(report: Report) -> Iterator[str]:
    """List the failed cases first, then the others, the best of each kind first, as many as a summary can hold."""
    every = listed(report)
    found = columns(report, every.head(MOST_ROWS))
    rows = zip(*([_text(cell) for cell in column.cells] for column in found), strict=True)
    total = len(every)
    title = f"All {count(total, 'case')}" if total <= MOST_ROWS else f"{MOST_ROWS} of {count(total, 'case')}"
    yield from folded(title, table([column.label for column in found], rows))


def _text(cell: str | tuple[float, str] | None) -> str:
    return "" if cell is None else markdown(cell if isinstance(cell, str) else cell[1])


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
