"""The files of a calibration, and what is shown of it: the same tables as Markdown and on a terminal."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.documents.gate_wording import duration
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.gate.calibration import Calibration
from loaderbench.reports.gate.estimate import is_control
from loaderbench.reports.gate.replay import THROUGHPUT, Gate, Outcome, Rate, signs, spreads
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.render.gate_exports import finite
from loaderbench.reports.render.markdown import table
from loaderbench.reports.text import markdown, plain, shell
from loaderbench.reports.units import MISSING, count, percent

DOCUMENT = "calibration.json"
PAGE = "calibration.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A table, what it is about, and what must be known to read it."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def outputs(found: Calibration) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    yield DOCUMENT, json.dumps(finite(found.document()), indent=1).encode()
    yield PAGE, page(found).encode()


def page(found: Calibration) -> str:
    """Render a calibration as Markdown."""
    lines = ["# How often the gate errs here", "", markdown(machine(found)), "", *_command(found)]
    for shown in tables(found):
        lines += [f"## {shown.title}", "", shown.note, ""]
        lines += [*table(shown.head, ([markdown(cell) for cell in row] for row in shown.rows)), ""]
    return "\n".join(lines)


def _command(found: Calibration) -> Iterator[str]:
    yield from ("```", shell([str(word) for word in found.about.get("command", ())]), "```", "")


def machine(found: Calibration) -> str:
    """Name the machine, and the day."""
    return f"{machine_words(machine_facts(dict(found.about['machine'])))} · {str(found.about['started'])[:10]}"


def terminal(found: Calibration) -> RenderableType:
    """Show the tables on a terminal."""
    parts: list[RenderableType] = [Text(plain(machine(found)), style="dim")]
    for shown in tables(found):
        made = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for number, name in enumerate(shown.head):
            made.add_column(name, justify="right" if number else "left", overflow="fold")
        for row in shown.rows:
            made.add_row(*(Text(plain(cell)) for cell in row))
        parts += ["", Text(shown.title, style="bold"), Text(shown.note, style="dim"), made]
    return Group(*parts)


def tables(found: Calibration) -> Iterator[Shown]:
    """Yield the tables that there is something to show in."""
    for shown in (
        _identical(found),
        _planted(found),
        _needed(found),
        _intervals(found),
        _faults(found),
        _blocks(found),
    ):
        if shown.rows:
            yield shown


def rate(found: Rate) -> str:
    """So many of so many, and between what the share may lie."""
    if not found.of:
        return MISSING
    low, high = found.interval
    return f"{found.count} of {found.of} ({percent(found.share)}; {percent(low)} to {percent(high)})"


def _kinds(found: Calibration) -> Iterator[tuple[str, Outcome]]:
    """Yield outcomes, and how their gates came about: a played one is never longer than the blocks there are."""
    recorded = {pool.name: len(pool.blocks) for pool in found.pools}
    yield from ((f"played of {recorded[each.name]} blocks", each) for each in found.resampled)
    yield from (("whole", each) for each in found.whole)


def _identical(found: Calibration) -> Shown:
    return Shown(
        title="Identical code",
        note="Played: with recorded blocks, drawn anew for each gate, so that gates share blocks and the intervals are "
        "narrower than the truth. Whole: measured from start to end. A case counts where any of its metrics is called "
        "changed.",
        head=("code", "gates", "budget", "margin", "cases called changed", "gates with a regression"),
        rows=[
            (each.name, f"{each.gates} {kind}", *_plan(each), rate(each.found), rate(each.red))
            for kind, each in _kinds(found)
            if not each.word
        ],
    )


def _planted(found: Calibration) -> Shown:
    return Shown(
        title="Planted changes",
        note="Found: cases whose throughput was called regressed (or improved, where head is faster).",
        head=("plant", "gates", "budget", "margin", "cases found", "least found case", "time, median"),
        rows=[
            (
                each.name,
                f"{each.gates} {kind}",
                *_plan(each),
                rate(each.found),
                _least(each),
                duration(each.spent_s),
            )
            for kind, each in _kinds(found)
            if each.word
        ],
    )


def _plan(found: Outcome) -> tuple[str, str]:
    return duration(found.budget_s), percent(found.margin)


def _least(found: Outcome) -> str:
    case = min(found.by_case, key=lambda name: found.by_case[name].share)
    return f"{case}: {percent(found.by_case[case].share)}"


def _needed(found: Calibration) -> Shown:
    return Shown(
        title="Time needed",
        note="Least budget in which 95 % of all cases are found that became slower by so much: identical code, each "
        "effect on throughput shifted.",
        head=("change", "budget"),
        rows=[(percent(change), duration(taken)) for change, taken in found.needed_s.items()],
    )


def _intervals(found: Calibration) -> Shown:
    return Shown(
        title="Intervals",
        note="How many 95 % intervals of blocks drawn with replacement hold the mean of all recorded ones of identical "
        "code.",
        head=("metric", *(count(blocks, "block") for blocks in found.coverage)),
        rows=[
            (metric, *(rate(held[metric]) if metric in held else MISSING for held in found.coverage.values()))
            for metric in next(iter(found.coverage.values()), {})
        ],
    )


def _faults(found: Calibration) -> Shown:
    return Shown(
        title="Faults that users have met",
        note="A whole gate on each.",
        head=("fault", "called", "time"),
        rows=[(gate.name, _called(gate), duration(gate.spent_s)) for gate in found.faults],
    )


def _called(gate: Gate) -> str:
    changed = [f"{metric} {word}" for (_, metric), word in gate.words.items() if word in ("regressed", "improved")]
    return ", ".join(sorted(set(changed))) or "nothing"


def _blocks(found: Calibration) -> Shown:
    rows = []
    for pool in found.pools:
        held = spreads(pool)
        held = held[(held["metric"] == THROUGHPUT) & ~held["case"].map(is_control)]
        size = {name: values[0] for name, values in found.sizes.get(pool.name, {}).items()}
        above = signs(pool)
        rows.append(
            (
                pool.name,
                str(len(pool.blocks)),
                duration(median(block["seconds"] for block in pool.blocks)),
                ", ".join(f"{name} {value:.3f}×" for name, value in size.items()) or MISSING,
                f"{percent(held['mean'].min())} to {percent(held['mean'].max())}",
                f"{percent(held['sd'].min())}, {percent(held['sd'].median())}, {percent(held['sd'].max())}",
                f"{above.count} of {above.of}",
            )
        )
    return Shown(
        title="Blocks",
        note="By themselves: how many times longer a plant takes with no loader around it. Effect: mean log ratio of "
        "throughput, least and greatest of the cases. Spread: standard deviation of a block, least, median, greatest "
        "of the cases.",
        head=("code", "blocks", "a block takes", "by themselves", "effect", "spread", "effects above 0"),
        rows=rows,
    )
