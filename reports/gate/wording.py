"""A comparison in words: changes, noise floor, effort, conditions; the same on every output."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from loaderbench.reports.gate.comparison import Comparison, Reliability
from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.gate.verdicts import VERDICTS
from loaderbench.reports.text import plain, shell
from loaderbench.reports.units import THIN, count, duration, percent, quantity
from loaderbench.reports.vocabulary import METRICS

STEAL = 0.02  # of CPU time: above it, another guest of the machine may have taken part
LARGEST = 700.0  # an effect above has no ratio that a double can hold
MOST_NAMED = 2  # suspected cases, in a line of progress
BETWEEN = " · "
_POINTS = f"{THIN}points"
_WIDEST = math.log(10)  # an effect above is written as a ratio, not as a percentage


def unit_of(estimate: Estimate) -> str:
    """Return the unit that base and head are in."""
    return METRICS[estimate.metric].unit


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
        return _plus(percent(effect), effect).replace(f"{THIN}%", _POINTS)
    if effect > _WIDEST:
        return quantity(math.exp(min(effect, LARGEST)), "ratio")
    return _plus(percent(math.expm1(effect)), effect)


def _plus(text: str, effect: float) -> str:
    return f"+{text}" if effect > 0 and not text.startswith("<") else text


def detectable(estimate: Estimate) -> str:
    """Return the least change for the worse that would have been found, where that is known."""
    least = estimate.detectable
    return f"a change of {_least(least, estimate)} would show" if math.isfinite(least) else ""


def _least(effect: float, estimate: Estimate) -> str:
    return _signed(abs(effect), estimate).removeprefix("+")


def noise_floor(comparison: Comparison) -> str:
    """Return how small a change these blocks can tell: the median over everything that is compared by a ratio."""
    known = [verdict.estimate for verdict in comparison.verdicts if verdict.estimate is not None]
    ratios = [e for e in known if e.rule.scale == "ratio" and math.isfinite(e.detectable)]
    if not ratios:
        return "Noise floor: not known, as nothing was compared more than once."
    typical = median(estimate.detectable for estimate in ratios)
    return (
        f"Noise floor: a change of {_least(typical, ratios[0])} would be found in 95 of 100 comparisons "
        f"(median of {count(len(ratios), 'figure')})."
    )


def calibrated(comparison: Comparison) -> str:
    """Return how often the gate errs on this kind of machine, and how long it takes; nothing of recorded runs."""
    if not comparison.blocks:
        return ""
    known = comparison.setup.reliability
    if known is None:
        return "How often the gate errs on this machine is not known: loaderbench calibrate measures it."
    needed = [f"a change of {change} is found in {duration(taken)}" for change, taken in _needed(known)]
    called = f"{known.false_cases} of {count(known.of_cases, 'case')} called changed"
    return (
        f"Calibrated on such a machine ({known.measured}, {count(known.blocks, 'block')} of identical code): "
        f"{'; '.join([called, ', '.join(needed)] if needed else [called])}."
    )


def _needed(known: Reliability) -> Iterator[tuple[str, float]]:
    for change, taken in known.needed_s.items():
        with suppress(ValueError):  # another version's name of it
            yield percent(float(change)), taken


def command_of(comparison: Comparison) -> str:
    """Return the command that repeats the comparison, for a shell; empty where it is not known."""
    words = list(comparison.setup.command)
    return shell(words if words[:1] == ["loaderbench"] else ["loaderbench", *words]) if words else ""


def unit_of_inference(comparison: Comparison) -> str:
    """Return what is counted: blocks, or where there are none the recorded runs of a revision."""
    return "block" if comparison.blocks else "run"


def effort(comparison: Comparison) -> str:
    """Return what the comparison took, and how it was conducted."""
    margin = percent(comparison.plan.margin)
    if not comparison.blocks:
        return f"Recorded runs, compared with a margin of {margin}"
    looks = f", looked at after {_listed(map(str, comparison.looks))}" if comparison.looks else ""
    prepared_s = comparison.setup.prepared_s
    beside = f" (and {duration(prepared_s)} before, to check out and set up)" if prepared_s >= 1 else ""
    return (
        f"{count(len(comparison.blocks), 'block')} of two fresh processes in {duration(comparison.spent_s)} of a budget"
        f" of {duration(comparison.plan.budget_s)}{beside}{looks}; margin {margin}, seed {comparison.setup.seed}"
    )


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


@dataclass(frozen=True, kw_only=True, slots=True)
class Telemetry:
    """What else happened on the machine: of each block the greater of the two revisions' readings."""

    load: tuple[float, ...]
    steal_share: tuple[float, ...]
    throttled: tuple[float, ...]


def telemetry_of(blocks: Sequence[Mapping[str, object]]) -> Telemetry:
    """Gather the blocks' telemetry; what a block lacks is left out."""
    return Telemetry(
        load=tuple(_greatest(blocks, "load")),
        steal_share=tuple(_greatest(blocks, "steal_share")),
        throttled=tuple(_greatest(blocks, "throttled_periods")),
    )


def _greatest(blocks: Sequence[Mapping[str, object]], name: str) -> Iterator[float]:
    for block in blocks:
        of_revisions = block.get("telemetry")
        readings = [reading.get(name) for reading in of_revisions.values()] if isinstance(of_revisions, dict) else []
        if known := [float(value) for value in readings if isinstance(value, int | float) and math.isfinite(value)]:
            yield max(known)


def notices(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each thing that a reader must know before believing the verdicts."""
    if not comparison.setup.controlled:
        yield "Allocator, threads and placement were not controlled (--as-is): pairs of processes differ by more."
    seen, total = telemetry_of(comparison.blocks), len(comparison.blocks)
    if stolen := [share for share in seen.steal_share if share > STEAL]:
        yield (
            f"More than {percent(STEAL)} of CPU time was stolen by other guests in {_part(len(stolen), total)}, "
            f"{percent(max(stolen))} at most."
        )
    if throttled := [periods for periods in seen.throttled if periods > 0]:
        yield f"The CPU quota throttled {_part(len(throttled), total)}, {max(throttled):.0f} periods at most."
    cpus = comparison.setup.machine.get("cpus")
    if isinstance(cpus, int) and (busy := [load for load in seen.load if load > cpus + 1]):
        yield (
            f"The load average was well above {count(cpus, 'CPU')} in {_part(len(busy), total)}, up to "
            f"{max(busy):.1f}: something else ran."
        )
    yield from _broken(comparison.blocks)


def _part(some: int, total: int) -> str:
    return f"{some} of {count(total, 'block')}"


def _broken(blocks: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield how processes broke, each fault once."""
    times: Counter[str] = Counter()
    for block in blocks:
        faults = block.get("faults")
        if isinstance(faults, dict):
            times.update(f"{revision}: {fault}" for revision, fault in faults.items())
    yield from (f"In {_part(number, len(blocks))}, {fault}" for fault, number in times.items())


def conditions(comparison: Comparison) -> str:
    """Return load, steal and throttling over the blocks, in a line."""
    seen = telemetry_of(comparison.blocks)
    parts = []
    if seen.load:
        parts.append(f"load average {min(seen.load):.1f} to {max(seen.load):.1f}")
    if seen.steal_share:
        parts.append(f"CPU time stolen {percent(max(seen.steal_share))} at most")
    if seen.throttled:
        parts.append(f"{sum(seen.throttled):.0f} periods throttled" if any(seen.throttled) else "not throttled")
    return BETWEEN.join(parts)


def standing(test: SequentialTest) -> str:
    """Return where a test stands: blocks, verdicts so far, what is suspected, what is open."""
    settled = Counter(state.verdict for state in test.states.values() if state.is_settled)
    open_states = {key: state for key, state in test.states.items() if not state.is_settled}
    suspected = [plain(f"{case} {state.suspected}?") for (case, _), state in open_states.items() if state.suspected]
    parts = [count(test.blocks, "block")]
    parts += [f"{settled[name]} {name}" for name in VERDICTS if settled[name]]
    if open_states:
        parts.append(f"{len(open_states)} open")
    parts += suspected[:MOST_NAMED]
    if len(suspected) > MOST_NAMED:
        parts.append(f"{len(suspected) - MOST_NAMED} more suspected")
    if not test.states:
        parts.append(f"first look after {next(iter(test.looks), test.plan.first_look)}")
    return BETWEEN.join(parts)
