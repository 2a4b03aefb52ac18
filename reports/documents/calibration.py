"""The document of a calibration, for ``loaderbench calibrate``: how often the gate errs on this machine."""

from collections.abc import Iterator, Sequence
from statistics import median

from loaderbench.reports.documents.document import ON_PAPER, Cell, Code, Column, Document, Section, Table, Text
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.gate.calibration import Calibration
from loaderbench.reports.gate.estimate import CHANGES
from loaderbench.reports.gate.paired_effects import is_control
from loaderbench.reports.gate.replay import THROUGHPUT, GateRun, Outcome, Rate, signs, spreads
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.text import shell
from loaderbench.reports.units import MISSING, count, duration, percent

Rows = Sequence[Sequence[str]]


def calibration_document(calibration: Calibration) -> Document:
    """Return what a calibration comes to; what was not measured has no table."""
    machine = machine_words(machine_facts(calibration.about.machine))
    sections = (
        _identical(calibration),
        _regressions(calibration),
        _needed(calibration),
        _intervals(calibration),
        _faults(calibration),
        _blocks(calibration),
    )
    return Document(
        title="How often the gate errs here",
        about=(f"{machine} · {calibration.about.started[:10]}",),
        parts=(
            Code(code=shell(calibration.about.command), language="sh", on=ON_PAPER),
            *(section for section in sections if section is not None),
        ),
    )


def _section(title: str, note: str, columns: Sequence[str], rows: Rows) -> Section | None:
    if not rows:
        return None
    table = Table(
        columns=tuple(Column(label=label, number=number > 0) for number, label in enumerate(columns)),
        rows=tuple(tuple(Cell(text=text) for text in row) for row in rows),
        name=title.lower().replace(" ", "-"),
    )
    return Section(title=title, parts=(Text(text=note, tone="muted"), table))


def rate_words(counted: Rate) -> str:
    """Return a count, the number it is of, the share, and its interval."""
    if not counted.of:
        return MISSING
    low, high = counted.interval
    return f"{counted.count} of {counted.of} ({percent(counted.share)}; {percent(low)} to {percent(high)})"


def _outcomes(calibration: Calibration) -> Iterator[tuple[str, Outcome]]:
    """Yield outcomes, and how their gates came about: a replayed one is never longer than the blocks there are."""
    recorded = {pool.name: len(pool.blocks) for pool in calibration.pools}
    yield from ((f"replayed on {recorded[entry.name]} blocks", entry) for entry in calibration.replayed)
    yield from (("whole", entry) for entry in calibration.whole)


def _identical(calibration: Calibration) -> Section | None:
    return _section(
        "Identical code",
        "Replayed: on recorded blocks, drawn anew for each gate, so that gates share blocks and the intervals are "
        "narrower than the truth. Whole: measured from start to end. A case counts where any of its metrics is called "
        "changed.",
        ("code", "gates", "budget", "margin", "cases called changed", "gates with a regression"),
        [
            (entry.name, f"{entry.gates} {how}", *_plan(entry), rate_words(entry.hits), rate_words(entry.red))
            for how, entry in _outcomes(calibration)
            if not entry.expected
        ],
    )


def _regressions(calibration: Calibration) -> Section | None:
    return _section(
        "Injected regressions",
        "Found: cases whose throughput was called regressed (or improved, where head is faster).",
        ("change", "gates", "budget", "margin", "cases found", "least found case", "time, median"),
        [
            (
                entry.name,
                f"{entry.gates} {how}",
                *_plan(entry),
                rate_words(entry.hits),
                _least(entry),
                duration(entry.spent_s),
            )
            for how, entry in _outcomes(calibration)
            if entry.expected
        ],
    )


def _plan(entry: Outcome) -> tuple[str, str]:
    return duration(entry.budget_s), percent(entry.margin)


def _least(entry: Outcome) -> str:
    case = min(entry.by_case, key=lambda name: entry.by_case[name].share)
    return f"{case}: {percent(entry.by_case[case].share)}"


def _needed(calibration: Calibration) -> Section | None:
    return _section(
        "Time needed",
        "The least budget in which 95 % of all cases are found that became slower by so much: identical code, each "
        "effect on throughput shifted.",
        ("change", "budget"),
        [(percent(change), duration(taken)) for change, taken in calibration.needed_s.items()],
    )


def _intervals(calibration: Calibration) -> Section | None:
    by_blocks = calibration.coverage
    return _section(
        "Intervals",
        "How many 95 % intervals of blocks drawn with replacement hold the mean of all recorded ones of identical "
        "code.",
        ("metric", *(count(blocks, "block") for blocks in by_blocks)),
        [
            (metric, *(rate_words(rates[metric]) if metric in rates else MISSING for rates in by_blocks.values()))
            for metric in next(iter(by_blocks.values()), {})
        ],
    )


def _faults(calibration: Calibration) -> Section | None:
    return _section(
        "Faults that users have met",
        "A whole gate on each.",
        ("fault", "called", "time"),
        [(gate.name, _called(gate), duration(gate.spent_s)) for gate in calibration.faults],
    )


def _called(gate: GateRun) -> str:
    changed = {f"{metric} {verdict}" for (_, metric), verdict in gate.verdicts.items() if verdict in CHANGES}
    return ", ".join(sorted(changed)) or "nothing"


def _blocks(calibration: Calibration) -> Section | None:
    rows = []
    for pool in calibration.pools:
        spread = spreads(pool)
        spread = spread[(spread["metric"] == THROUGHPUT) & ~spread["case"].map(is_control)]
        sizes = {name: middle for name, (middle, *_) in calibration.sizes.get(pool.name, {}).items()}
        above, sd = signs(pool), spread["sd"]
        rows.append(
            (
                pool.name,
                str(len(pool.blocks)),
                duration(median(block.seconds for block in pool.blocks)),
                ", ".join(f"{name} {value:.3f}×" for name, value in sizes.items()) or MISSING,
                f"{percent(spread['mean'].min())} to {percent(spread['mean'].max())}",
                f"{percent(sd.min())}, {percent(sd.median())}, {percent(sd.max())}",
                f"{above.count} of {above.of}",
            )
        )
    return _section(
        "Blocks",
        "By themselves: how many times longer the changed code takes with no loader around it. Effect: mean log ratio "
        "of throughput, least and greatest of the cases. Spread: standard deviation of a block, least, median, "
        "greatest of the cases.",
        ("code", "blocks", "a block takes", "by themselves", "effect", "spread", "effects above 0"),
        rows,
    )
