"""A comparison in sentences: changes, noise floor, effort, conditions; the same on every output."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Sized
from statistics import median
from typing import Any

from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.gate.forecast import Forecast
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.gate.verdicts import VERDICTS
from loaderbench.reports.text import plain
from loaderbench.reports.units import THIN, count, duration, percent, quantity, signed_percent

STEAL = 0.02  # of CPU time: above it, another guest of the machine may have taken part
LARGEST = 700.0  # an effect above has no ratio that a double can hold
MOST_NAMED = 2  # candidate cases, in a line of progress
BETWEEN = " · "
_POINTS = f"{THIN}points"
_WIDEST = math.log(10)  # an effect above is written as a ratio, not as a percentage


def change_of(estimate: Estimate) -> str:
    """Return the change from base to head, and its interval.

    >>> numbers = {"blocks": 6, "effect": 0.1, "error": 0.02, "freedom": 5, "exact_up": 0.5, "exact_down": 0.5}
    >>> estimate = Estimate(case="memory[x]", metric="pss_bytes", base=1.0, head=1.1, **numbers)
    >>> change_of(estimate).replace(THIN, " ")
    '+11 % (+5.0 % to +16 %)'
    """
    low, high = estimate.interval
    if math.isinf(low):
        return f"{_signed(estimate.effect, estimate)} (not known how sure)"
    effect, first, last = (_signed(value, estimate) for value in (estimate.effect, low, high))
    return f"{effect} ({first.removesuffix(_POINTS)} to {last.removesuffix(_POINTS)})"


def _signed(effect: float, estimate: Estimate) -> str:
    """Return an effect as a change in percent, of a share in percentage points; a great one as a ratio."""
    if estimate.rule.scale == "difference":
        return signed_percent(effect).replace(f"{THIN}%", _POINTS)
    if effect > _WIDEST:
        return quantity(math.exp(min(effect, LARGEST)), "ratio")
    return signed_percent(math.expm1(effect))


def detectable(estimate: Estimate) -> str:
    """Return the least change for the worse that would have been found, where that is known."""
    if not math.isfinite(estimate.detectable):
        return ""
    return f"a change of {_signed(estimate.detectable, estimate).removeprefix('+')} would show"


def noise_floor(comparison: Comparison) -> str:
    """Return how small a change these blocks can tell: the median over everything that is compared by a ratio."""
    known = [verdict.estimate for verdict in comparison.verdicts if verdict.estimate is not None]
    ratios = [e.detectable for e in known if e.rule.scale == "ratio" and math.isfinite(e.detectable)]
    if not ratios:
        return "Noise floor: not known, as nothing was compared more than once."
    return (
        f"Noise floor: a change of {percent(math.expm1(median(ratios)))} would be found in 95 of 100 comparisons "
        f"(median of {count(len(ratios), 'figure')})."
    )


def calibrated(comparison: Comparison) -> str:
    """Return how often the gate errs on this kind of machine, and how long it takes; nothing of recorded runs."""
    if not comparison.blocks:
        return ""
    known = comparison.setup.reliability
    if known is None:
        return "How often the gate errs on this machine is not known: loaderbench calibrate measures it."
    called = f"{known.false_cases} of {count(known.of_cases, 'case')} called changed"
    needed = (f"a change of {percent(float(c))} is found in {duration(s)}" for c, s in known.needed_s.items())
    return (
        f"Calibrated on such a machine ({known.measured}, {count(known.blocks, 'block')} of identical code): "
        f"{'; '.join(filter(None, [called, ', '.join(needed)]))}."
    )


def unit_of_inference(comparison: Comparison) -> str:
    """Return what is counted: blocks, or where there are none the recorded runs of a revision."""
    return "block" if comparison.blocks else "run"


def effort(comparison: Comparison) -> str:
    """Return what the comparison took, and how it was conducted."""
    margin = percent(comparison.plan.margin)
    if not comparison.blocks:
        return f"Recorded runs, compared with a margin of {margin}"
    after = ", ".join(map(str, comparison.analyses))
    analyses = f", analysed after {after} blocks" if after else ""
    prepared_s = comparison.setup.prepared_s
    beside = f" (and {duration(prepared_s)} before, to check out and set up)" if prepared_s >= 1 else ""
    return (
        f"{count(len(comparison.blocks), 'block')} of two fresh processes in {duration(comparison.spent_s)} of a budget"
        f" of {duration(comparison.plan.budget_s)}{beside}{analyses}; margin {margin}, seed {comparison.setup.seed}"
    )


def telemetry_of(blocks: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return one reading of what else happened, the greater of both revisions for each block that has it."""
    readings = ([seen[name] for seen in block["telemetry"].values() if name in seen] for block in blocks)
    return [max(known) for known in readings if known]


def notices(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each thing that a reader must know before believing the verdicts."""
    if not comparison.setup.fixed_environment:
        yield "Allocator, threads and placement were not fixed (--as-is): pairs of processes differ by more."
    if any(verdict.candidate for verdict in comparison.verdicts) and not comparison.is_interrupted:
        more = "a longer --budget" if comparison.blocks else "more runs"
        yield f"Some cases look changed and were not confirmed: {more} may decide."
    if comparison.forecast and not comparison.forecast.is_enough and "inconclusive" in comparison.counts:
        yield f"To call what did not change unchanged: {outlook(comparison.forecast)}."
    blocks, cpus = comparison.blocks, comparison.setup.machine.get("cpus", math.inf)
    if stolen := [share for share in telemetry_of(blocks, "steal_share") if share > STEAL]:
        yield (
            f"More than {percent(STEAL)} of CPU time was stolen by other guests in {_part(stolen, blocks)}, "
            f"{percent(max(stolen))} at most."
        )
    if throttled := [periods for periods in telemetry_of(blocks, "throttled_periods") if periods > 0]:
        yield f"The CPU quota throttled {_part(throttled, blocks)}, {max(throttled):.0f} periods at most."
    if busy := [load for load in telemetry_of(blocks, "load") if load > cpus + 1]:
        yield (
            f"The load average was well above {count(cpus, 'CPU')} in {_part(busy, blocks)}, up to {max(busy):.1f}: "
            "something else ran."
        )
    broken = [f"{revision}: {fault}" for block in blocks for revision, fault in block["faults"].items()]
    for fault in dict.fromkeys(broken):
        yield f"In {_part([same for same in broken if same == fault], blocks)}, {fault}"


def _part(some: Sized, blocks: Sized) -> str:
    return f"{len(some)} of {count(len(blocks), 'block')}"


def conditions(comparison: Comparison) -> str:
    """Return load, steal and throttling over the blocks, in a line."""
    load, steal, throttled = (
        telemetry_of(comparison.blocks, name) for name in ("load", "steal_share", "throttled_periods")
    )
    parts = []
    if load:
        lowest, highest = f"{min(load):.1f}", f"{max(load):.1f}"
        parts.append(f"load average {lowest}" + (f" to {highest}" if highest != lowest else ""))
    if steal:
        parts.append(f"CPU time stolen {percent(max(steal))} at most")
    if throttled:
        parts.append(f"{sum(throttled):.0f} periods throttled" if any(throttled) else "not throttled")
    return BETWEEN.join(parts)


def outlook(forecast: Forecast) -> str:
    """Return what this machine settles within the budget and, where that is not the margin, what would do.

    >>> outlook(Forecast(margin=0.03, needed_s=500.0, budget_s=120.0, settled=0.053)).replace(THIN, " ")
    '3.0 % needs 8.3 min here, and 2 min settle 5.3 %: give --budget 9m, or --margin 6%'
    """
    margin, settled = percent(forecast.margin), percent(forecast.settled)
    if forecast.is_enough:
        return f"{margin} needs {duration(forecast.needed_s)} here"
    advice = f"give --margin {math.ceil(100 * forecast.settled)}%" if forecast.settled < 1 else "measure fewer cases"
    if not math.isfinite(forecast.needed_s):
        return f"{margin} is beyond reach here, and {duration(forecast.budget_s)} settle {settled}: {advice}"
    longer = f"give --budget {math.ceil(forecast.needed_s / 60)}m, or {advice.removeprefix('give ')}"
    needed = f"{margin} needs {duration(forecast.needed_s)} here"
    return f"{needed}, and {duration(forecast.budget_s)} settle {settled}: {longer}"


def standing(test: SequentialTest) -> str:
    """Return the state of a test: blocks, verdicts so far, candidate changes, undecided cases."""
    settled = Counter(state.verdict for state in test.states.values() if state.is_settled)
    open_states = {key: state for key, state in test.states.items() if not state.is_settled}
    named = (plain(f"{case} {state.candidate}?") for (case, _), state in open_states.items() if state.candidate)
    candidates = list(dict.fromkeys(named))
    more = len(candidates) - MOST_NAMED
    parts = (
        count(test.blocks, "block"),
        *(f"{settled[name]} {name}" for name in VERDICTS if settled[name]),
        f"{len(open_states)} undecided" if open_states else "",
        *candidates[:MOST_NAMED],
        f"{more} more candidates" if more > 0 else "",
        "" if test.states else f"first analysis after {test.plan.first_analysis}",
    )
    return BETWEEN.join(filter(None, parts))
