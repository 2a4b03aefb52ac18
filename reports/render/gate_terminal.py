"""A judgement on a terminal: what changed, how sure that is, and a line of progress while it is being found out."""

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.documents import gate_wording as lines
from loaderbench.reports.gate.comparison import WORDS, Judgement, Row
from loaderbench.reports.gate.sequential import Trial
from loaderbench.reports.text import plain
from loaderbench.reports.units import count

COLOURS: Mapping[str, str] = {
    "regressed": "bold red", "failed": "red", "gone": "red", "unproven": "yellow", "inconclusive": "yellow",
    "improved": "green", "new": "cyan", "unchanged": "dim",
}  # fmt: skip
HEADLINES = {0: "bold green", 1: "bold red", 2: "bold red", 3: "bold yellow"}  # by exit code
MOST_UNCHANGED = 12  # in a table: more of them are a number
MOST_NAMED = 2  # suspected cases, in a line of progress
BETWEEN = " · "


def verdicts(held: Judgement) -> RenderableType:
    """The headline, a table of verdicts, what could not be judged, and how far this can be trusted."""
    sides = Text.assemble((plain(held.about.head), "bold"), " against ", (plain(held.about.base), "bold"))
    return Group(
        sides, *_lines([lines.machine(held), lines.effort(held)], "dim"), "", *_table(held),
        Text(held.headline, style=HEADLINES[held.exit_code]), *_after(held),
    )  # fmt: skip


def _after(held: Judgement) -> Iterator[Text]:
    if len(held.counts) > 1:
        yield Text(lines.counted(held))
    yield from _lines((f"error: {fault}" for fault in held.faults), "red")
    yield from _lines((f"? {notice}" for notice in lines.notices(held)), "yellow")
    yield from _lines(filter(None, [lines.noise_floor(held), lines.calibrated(held), lines.conditions(held)]), "dim")


def _lines(texts: Iterator[str] | list[str], style: str) -> Iterator[Text]:
    return (Text(plain(text), style=style) for text in texts)


def _table(held: Judgement) -> Iterator[RenderableType]:
    unchanged = [row for row in held.rows if row.word == "unchanged"]
    left_out = len(unchanged) if len(unchanged) > MOST_UNCHANGED else 0
    shown = [row for row in held.rows if row.word != "unchanged" or not left_out]
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("verdict", no_wrap=True)
    table.add_column("change (95 %)", justify="right", no_wrap=True)
    table.add_column("case, metric", overflow="fold")
    for row in shown:
        table.add_row(*_cells(row))
    if left_out:
        table.add_row("unchanged", "", f"{count(left_out, 'more figure')}", style="dim")
    if held.rows:
        yield from (table, "")


def _cells(row: Row) -> Iterator[Text]:
    """Verdict, change, and what it is of; texts, not markup: a name means what it says."""
    case, metric, verdict, base, head, change, blocks, why = map(plain, lines.cells(row))
    details = [f"{base} → {head}", f"n = {blocks}"] if row.estimate else []
    below = BETWEEN.join(filter(None, [*details, why]))
    yield Text(verdict, style=COLOURS[row.word])
    yield Text(change, style=COLOURS[row.word])
    yield Text.assemble(case, BETWEEN * bool(metric), metric, "\n" * bool(below), (below, "dim"))


def progress(trial: Trial) -> str:
    """Where a trial stands, in one line: blocks, verdicts so far, what is suspected, the time left."""
    settled = Counter(case.word for case in trial.cases.values() if case.settled)
    suspected = [
        plain(f"{name} {case.suspected}?")
        for (name, _), case in trial.cases.items()
        if case.suspected and not case.settled
    ]
    unsettled = sum(not case.settled for case in trial.cases.values())
    parts = [count(len(trial.blocks), "block")]
    parts += [f"{settled[word]} {word}" for word in WORDS if settled[word]]
    parts += [f"{unsettled} open"] if unsettled else []
    parts += [*suspected[:MOST_NAMED]]
    parts += [f"{len(suspected) - MOST_NAMED} more suspected"] if len(suspected) > MOST_NAMED else []
    if not trial.cases:
        parts.append(f"first look after {next(iter(trial.looks), trial.plan.first)}")
    left_s = max(trial.plan.budget_s - trial.spent_s, 0.0)
    return BETWEEN.join([*parts, f"{lines.duration(left_s)} of {lines.duration(trial.plan.budget_s)} left"])
