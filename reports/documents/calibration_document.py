"""The document of a calibration, for ``loaderbench calibrate``: how often the gate errs on this machine."""

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np

from loaderbench.reports.documents.document import ON_PAPER, Code, Column, Document, Section, Table, Text
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.documents.tables import row
from loaderbench.reports.gate.calibration.gate_calibration import GateCalibration
from loaderbench.reports.gate.calibration.replayed_gates import THROUGHPUT, GateRun, Outcome, Pool, Rate, signs, spreads
from loaderbench.reports.gate.estimate import CHANGES, FEWEST
from loaderbench.reports.gate.paired_effects import is_control
from loaderbench.reports.text import shell
from loaderbench.reports.units import MISSING, count, duration, interval, percent, quantity
from loaderbench.reports.vocabulary import label_of

Rows = Sequence[Sequence[str]]

WRAPPED = 24  # characters: longer cells may take several lines


def calibration_document(calibration: GateCalibration) -> Document:
    """Return what a calibration comes to; what was not measured has no table."""
    machine = machine_words(calibration.about.machine)
    return Document(
        title="How often the gate errs here",
        about=(f"{machine} · {calibration.about.started[:10]}",),
        notices=tuple(_notices(calibration)),
        parts=(
            Code(code=shell(calibration.about.command), language="sh", on=ON_PAPER),
            *_identical(calibration),
            *_regressions(calibration),
            *_needed(calibration),
            *_intervals(calibration),
            *_faults(calibration),
            *_blocks(calibration),
        ),
    )


def _notices(calibration: GateCalibration) -> Iterator[str]:
    if not calibration.replayed:
        yield (
            f"Too few blocks to replay a gate: that takes {FEWEST} of one comparison. "
            "Go on with --again and a --budget, or give a longer one."
        )


def _section(title: str, note: str, labels: Sequence[str], rows: Rows) -> Iterator[Section]:
    if rows:
        longest = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
        are_numbers = [all(" " not in text for text in texts) for texts in zip(*rows, strict=True)]  # with their units
        table = Table(
            columns=tuple(
                Column(label=label, wide=length > WRAPPED, number=place > 0 and has_numbers)
                for place, (label, length, has_numbers) in enumerate(zip(labels, longest, are_numbers, strict=True))
            ),
            rows=tuple(row(*texts) for texts in rows),
            name=title.lower().replace(" ", "-"),
        )
        yield Section(title=title, parts=(Text(text=note, tone="muted"), table))


def rate_words(counted: Rate) -> str:
    """Return a count, the number it is of, the share, and its interval."""
    if not counted.of:
        return MISSING
    low, high = counted.interval
    return f"{counted.count} of {counted.of} ({percent(counted.share)}; {percent(low)} to {percent(high)})"


def _outcomes(calibration: GateCalibration, *, identical: bool) -> Iterator[tuple[Outcome, tuple[str, ...]]]:
    """Yield outcomes, each with its first cells: a replayed gate is never longer than the blocks there are."""
    recorded = {pool.name: len(pool.blocks) for pool in calibration.pools}
    every = [(f"replayed on {count(recorded[outcome.name], 'block')}", outcome) for outcome in calibration.replayed]
    for how, outcome in (*every, *(("whole", outcome) for outcome in calibration.whole)):
        if identical is not bool(outcome.expected):
            plan = duration(outcome.budget_s), percent(outcome.margin)
            yield outcome, (outcome.name, f"{outcome.gates} {how}", *plan, rate_words(outcome.hits))


def _identical(calibration: GateCalibration) -> Iterator[Section]:
    return _section(
        "Identical code",
        "A replayed gate decides on blocks drawn from the recorded ones. As gates share blocks, the intervals in "
        "parentheses are narrower than they should be. A whole gate is measured from start to end. A case counts if "
        "any of its metrics is called changed, a gate if any is called regressed; a figure is one metric of one case.",
        ("code", "gates", "budget", "margin", "cases changed", "figures unchanged", "gates regressed"),
        [
            (*cells, *(f"{rate.count} of {rate.of}" for rate in (outcome.unchanged, outcome.red)))
            for outcome, cells in _outcomes(calibration, identical=True)
        ],
    )


def _regressions(calibration: GateCalibration) -> Iterator[Section]:
    return _section(
        "Injected regressions",
        "A case is found if its throughput is called regressed (or improved, where head is faster). What changed by "
        "less than the margin, in the mean of all blocks, is left out.",
        ("change", "gates", "budget", "margin", "cases found", "case found least often", "time, median"),
        [
            (*cells, _least(outcome), duration(outcome.spent_s))
            for outcome, cells in _outcomes(calibration, identical=False)
        ],
    )


def _least(outcome: Outcome) -> str:
    rates = {case: rate.share for case, rate in outcome.by_case.items() if outcome.is_to_be_found(case)}
    if not rates:
        return MISSING
    case = min(rates, key=lambda name: rates[name])
    changed = f" ({percent(np.expm1(outcome.changes[case]))})" if case in outcome.changes else ""
    return f"{case}{changed}: {percent(rates[case])}"


def _needed(calibration: GateCalibration) -> Iterator[Section]:
    return _section(
        "Time needed",
        "The smallest budget within which 95 % of the cases are found that became slower by this much; computed by "
        "shifting the measured effects of identical code.",
        ("change", "budget"),
        [(percent(change), duration(taken)) for change, taken in calibration.needed_s.items()],
    )


def _intervals(calibration: GateCalibration) -> Iterator[Section]:
    by_blocks = calibration.coverage
    return _section(
        "Intervals",
        "How many of the 95 % intervals contain 0, as they should: of blocks of identical code, drawn with "
        "replacement, with base and head exchanged in half of them.",
        ("metric", *(count(blocks, "block") for blocks in by_blocks)),
        [
            (
                label_of(metric),
                *(rate_words(rates[metric]) if metric in rates else MISSING for rates in by_blocks.values()),
            )
            for metric in next(iter(by_blocks.values()), {})
        ],
    )


def _faults(calibration: GateCalibration) -> Iterator[Section]:
    return _section(
        "Faults that users have met",
        "A whole gate on each.",
        ("fault", "called", "time"),
        [(gate.name, _called(gate), duration(gate.spent_s)) for gate in calibration.faults],
    )


def _called(gate: GateRun) -> str:
    every = (
        f"{label_of(metric)} {verdict}" for of_case in gate.verdicts.values() for metric, verdict in of_case.items()
    )
    return ", ".join(sorted({called for called in every if called.endswith(CHANGES)})) or "nothing"


def _blocks(calibration: GateCalibration) -> Iterator[Section]:
    return _section(
        "Blocks",
        "Slowdown without a loader: how many times longer the changed code takes by itself. Effect: the mean log ratio "
        "of throughput; the smallest and the largest of the cases. Spread: the standard deviation between blocks; the "
        "smallest, the median and the largest of the cases.",
        ("code", "blocks", "time of a block", "slowdown without a loader", "effect", "spread", "effects above 0"),
        [_pool_row(pool, calibration) for pool in calibration.pools],
    )


def _pool_row(pool: Pool, calibration: GateCalibration) -> Sequence[str]:
    spread = spreads(pool)
    spread = spread[(spread["metric"] == THROUGHPUT) & ~spread["case"].map(is_control)]
    sizes = (f"{name} {middle:.3f}×" for name, (middle, *_) in calibration.sizes.get(pool.name, {}).items())
    mean, sd, above = spread["mean"], spread["sd"], signs(pool)
    return (
        pool.name,
        str(len(pool.blocks)),
        duration(median(block.seconds for block in pool.blocks)),
        ", ".join(sizes) or MISSING,
        interval(mean.min(), mean.max(), "share"),
        ", ".join(quantity(value, "share") for value in (sd.min(), sd.median(), sd.max())),
        f"{above.count} of {above.of}",
    )
