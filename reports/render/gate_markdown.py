"""``gate.md``: a judgement as the summary of a CI step, and as the one comment of a pull request.

The marker, which no reader sees, is how a job finds its own comment and updates it instead of writing another.
"""

from collections.abc import Iterator, Sequence

from loaderbench.reports.documents import gate_wording as lines
from loaderbench.reports.gate.comparison import BROKEN, Judgement, Row
from loaderbench.reports.render.markdown import folded, table
from loaderbench.reports.text import markdown
from loaderbench.reports.units import count

MARKER = "<!-- loaderbench gate -->"
MOST_OPEN = 30_000  # characters of the table that is open; GitHub takes 65 536 of a comment
MOST_FOLDED = 15_000
MOST_NOTICES = 8


def gate_markdown(held: Judgement) -> str:
    """Render a judgement as Markdown; texts that are a user's are escaped."""
    pressing = [row for row in held.rows if row.word not in lines.FOLDED]
    calm = [row for row in held.rows if row.word in lines.FOLDED]
    written = [
        MARKER,
        "",
        *_alert(held),
        f"**{markdown(held.about.head)}** against **{markdown(held.about.base)}**",
        "",
        *_counts(held),
        *_rows(pressing, MOST_OPEN),
        "",
        *(folded(lines.folded_title(calm), [*_rows(calm, MOST_FOLDED)]) if calm else ()),
        *_conditions(held),
        *_command(held),
    ]
    return "\n".join(written) + "\n"


def _alert(held: Judgement) -> Iterator[str]:
    yield f"> [!{_kind(held)}]"
    yield f"> **{markdown(held.headline)}**"
    said = [*held.faults, *lines.notices(held)]
    yield from (f"> - {markdown(line)}" for line in said[:MOST_NOTICES])
    if len(said) > MOST_NOTICES:
        yield f"> - and {len(said) - MOST_NOTICES} more in report.html"
    yield ""


def _kind(held: Judgement) -> str:
    counts = held.counts
    if "regressed" in counts:
        return "CAUTION"
    if held.exit_code == BROKEN or {"inconclusive", "unproven"} & counts.keys():
        return "WARNING"
    return "TIP" if "improved" in counts else "NOTE"


def _counts(held: Judgement) -> Iterator[str]:
    counts = held.counts
    if counts:
        yield from (*table(list(counts), [[str(number) for number in counts.values()]]), "")


def _rows(rows: Sequence[Row], most: int) -> Iterator[str]:
    """Yield a table of as many rows as `most` characters hold, and how many were left out."""
    if not rows:
        return
    head, rule, *body = table(lines.COLUMNS, ([markdown(cell) for cell in lines.cells(row)] for row in rows))
    yield from (head, rule)
    for number, line in enumerate(body):
        most -= len(line)
        if most < 0:
            yield from ("", f"{count(len(body) - number, 'more row')} in report.html.")
            break
        yield line


def _conditions(held: Judgement) -> Iterator[str]:
    found = (
        lines.noise_floor(held), lines.calibrated(held), lines.effort(held), lines.machine(held),
        lines.conditions(held),
    )  # fmt: skip
    shown = [markdown(line) for line in found if line]
    yield from (f"{line}  " for line in shown[:-1])
    yield from (shown[-1], "")


def _command(held: Judgement) -> Iterator[str]:
    if command := lines.command(held):
        yield from ("To repeat it:", "", "```sh", command, "```")
