"""What a judgement says, in words: the cells of its rows and the lines around them, the same on every output."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.gate.comparison import Judgement, Noise, Row
from loaderbench.reports.gate.estimate import Estimate, Word
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.text import shell
from loaderbench.reports.units import MINUS, MISSING, THIN, count, percent, quantity
from loaderbench.reports.vocabulary import METRICS

COLUMNS = ("case", "metric", "verdict", "base", "head", "change (95 % interval)", "n", "why")
FOLDED: frozenset[Word] = frozenset({"unchanged", "new"})  # a reader need not act on them
_POINTS = f"{THIN}points"
STEAL = 0.02  # of CPU time: above it, a neighbour on the machine may have taken part
_WIDEST = math.log(10)  # an effect above is written as a ratio, not as a percentage
LARGEST = 700.0  # and one above that has no ratio that a double can hold


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks:
    """What else happened on the machine, over blocks: the greater of the two sides' readings in each."""

    load: tuple[float, ...]
    steal_share: tuple[float, ...]
    throttled: tuple[float, ...]


def cells(row: Row) -> tuple[str, ...]:
    """A row as texts, in the order of `COLUMNS`; names and reasons are as they came, and wait to be escaped."""
    found = row.estimate
    if found is None:
        return (row.case, row.label, row.word, "", "", "", "", row.why)
    unit = unit_of(found)
    return (
        row.case, row.label, row.word, quantity(found.base, unit), quantity(found.head, unit), change_of(found),
        str(found.blocks), row.why or (detectable(found) if row.word == "unchanged" else ""),
    )  # fmt: skip


def unit_of(found: Estimate) -> str:
    """The unit that base and head are in."""
    return METRICS[found.metric].unit


def change_of(found: Estimate) -> str:
    """The change from base to head, and between what it lies.

    >>> values = {"effect": 0.1, "low": 0.05, "high": 0.15, "error": 0.02, "freedom": 5, "blocks": 6}
    >>> chances = dict.fromkeys(("p_worse", "p_better", "exact_worse", "exact_better"), 0.5)
    >>> held = Estimate(case="memory[x]", metric="pss_bytes", base=1.0, head=1.1, **values, **chances)
    >>> change_of(held).replace(THIN, " ")
    '+11 % (+5.1 % to +16 %)'
    """
    if math.isinf(found.low) or math.isinf(found.high):
        return f"{_signed(found.effect, found)} (not known how sure)"
    effect, low, high = (_signed(value, found) for value in (found.effect, found.low, found.high))
    return f"{effect} ({low.removesuffix(_POINTS)} to {high.removesuffix(_POINTS)})"


def _signed(effect: float, found: Estimate) -> str:
    """An effect as a change in percent, of a share in percentage points; a great one as a ratio."""
    if found.quantity.scale == "difference":
        return _plus(percent(effect), effect).replace(f"{THIN}%", _POINTS)
    if effect > _WIDEST:
        return quantity(math.exp(min(effect, LARGEST)), "ratio")
    return _plus(percent(math.expm1(effect)), effect)


def _plus(text: str, effect: float) -> str:
    return f"+{text}" if effect > 0 and not text.startswith("<") else text


def detectable(found: Estimate) -> str:
    """The least change for the worse that would have been found, where that is known."""
    return f"a change of {_least(found.detectable, found)} would show" if math.isfinite(found.detectable) else ""


def _least(effect: float, found: Estimate) -> str:
    return _signed(abs(effect), found).removeprefix("+")


def noise_floor(held: Judgement) -> str:
    """How small a change these blocks can tell: the median over everything that is compared by a ratio."""
    known = [row.estimate for row in held.rows if row.estimate is not None]
    ratios = [each for each in known if each.quantity.scale == "ratio" and math.isfinite(each.detectable)]
    if not ratios:
        return "Noise floor: not known, as nothing was compared more than once."
    typical = median(each.detectable for each in ratios)
    return (
        f"Noise floor: a change of {_least(typical, ratios[0])} would be found in 95 of 100 comparisons "
        f"(median of {count(len(ratios), 'figure')})."
    )


def calibrated(held: Judgement) -> str:
    """How often the gate errs on this kind of machine, and how long it takes; nothing of recorded runs."""
    if not held.blocks:
        return ""
    noise = held.about.noise
    if noise is None:
        return "How often the gate errs on this machine is not known: loaderbench calibrate measures it."
    found = [f"{change} is found in {duration(taken)}" for change, taken in _needed(noise)]
    return (
        f"Calibrated on such a machine ({noise.measured}, {count(noise.blocks, 'block')} of identical code): "
        f"{noise.false_cases} of {count(noise.of_cases, 'case')} called changed"
        + f"; {', '.join(found)}" * bool(found)
        + "."
    )


def _needed(noise: Noise) -> Iterator[tuple[str, float]]:
    for change, taken in noise.needed_s.items():
        with suppress(ValueError):  # another version's name of it
            yield percent(float(change)), taken


def machine(held: Judgement) -> str:
    """Name the machine."""
    facts = machine_facts(dict(held.about.machine))
    return machine_words(facts) if facts else "machine unknown"


def command(held: Judgement) -> str:
    """The command that repeats the comparison, for a shell; empty where it is not known."""
    words = list(held.about.command)
    return shell(words if words[:1] == ["loaderbench"] else ["loaderbench", *words]) if words else ""


def counted(held: Judgement) -> str:
    """How many figures have each verdict."""
    found = ", ".join(f"{number} {word}" for word, number in held.counts.items())
    return f"{found} of {count(len(held.rows), 'verdict')}" if len(held.counts) > 1 else found or "no verdict"


def unit_of_inference(held: Judgement) -> str:
    """What is counted: blocks, or where there are none the recorded runs of a side."""
    return "block" if held.blocks else "run"


def folded_title(rows: Sequence[Row]) -> str:
    """How many rows of each verdict are folded away."""
    words = Counter(row.word for row in rows)
    return ", ".join(f"{number} {word}" for word, number in words.items())


def effort(held: Judgement) -> str:
    """What the comparison took, and how it was conducted."""
    if not held.blocks:
        return f"Recorded runs, compared with a margin of {percent(held.plan.margin)}"
    looks = f", looked at after {_listed(map(str, held.looks))}" if held.looks else ""
    return (
        f"{count(len(held.blocks), 'block')} of two fresh processes in {duration(held.spent_s)}"
        f" of a budget of {duration(held.plan.budget_s)}{looks}; margin {percent(held.plan.margin)}"
        f", seed {held.about.seed}"
    )


def duration(seconds: float) -> str:
    """Seconds, as a reader waits for them.

    >>> duration(42.4).replace(THIN, " "), duration(600).replace(THIN, " "), duration(4e4).replace(THIN, " ")
    ('42 s', '10 min', '11.1 h')
    """
    if not math.isfinite(seconds):
        return MISSING
    if abs(seconds) < 90:  # noqa: PLR2004 - a minute and a half
        return f"{seconds:.0f}{THIN}s".replace("-", MINUS)
    if abs(seconds) < 90 * 60:
        return f"{seconds / 60:.0f}{THIN}min".replace("-", MINUS)
    return f"{seconds / 3600:.1f}{THIN}h".replace("-", MINUS)


def notices(held: Judgement) -> Iterator[str]:
    """Yield a line for each thing that a reader must know before believing the verdicts."""
    if not held.about.controlled:
        yield "Allocator, threads and placement were not controlled (--as-is): pairs of processes differ by more."
    seen = telemetry(held.blocks)
    total = len(held.blocks)
    if stolen := [share for share in seen.steal_share if share > STEAL]:
        yield (
            f"More than {percent(STEAL)} of CPU time was stolen by other guests in {_part(len(stolen), total)}, "
            f"{percent(max(stolen))} at most."
        )
    if throttled := [periods for periods in seen.throttled if periods > 0]:
        yield f"The CPU quota throttled {_part(len(throttled), total)}, {max(throttled):.0f} periods at most."
    cpus = held.about.machine.get("cpus")
    if isinstance(cpus, int) and (busy := [load for load in seen.load if load > cpus + 1]):
        yield (
            f"The load average was well above {count(cpus, 'CPU')} in {_part(len(busy), total)}, up to "
            f"{max(busy):.1f}: something else ran, it seems."
        )
    yield from _faults(held.blocks)


def conditions(held: Judgement) -> str:
    """Load, steal and throttling over the blocks, in a line."""
    seen = telemetry(held.blocks)
    parts = []
    if seen.load:
        parts.append(f"load average {min(seen.load):.1f} to {max(seen.load):.1f}")
    if seen.steal_share:
        parts.append(f"CPU time stolen {percent(max(seen.steal_share))} at most")
    if seen.throttled:
        parts.append(f"{sum(seen.throttled):.0f} periods throttled" if any(seen.throttled) else "not throttled")
    return " · ".join(parts)


def telemetry(blocks: Sequence[Mapping[str, object]]) -> Blocks:
    """Gather the blocks' telemetry; what a block lacks is left out."""
    return Blocks(
        load=tuple(_greatest(blocks, "load")),
        steal_share=tuple(_greatest(blocks, "steal_share")),
        throttled=tuple(_greatest(blocks, "throttled_periods")),
    )


def _greatest(blocks: Sequence[Mapping[str, object]], name: str) -> Iterator[float]:
    for block in blocks:
        sides = block.get("telemetry")
        found = [side.get(name) for side in sides.values()] if isinstance(sides, dict) else []
        if known := [float(value) for value in found if isinstance(value, int | float) and math.isfinite(value)]:
            yield max(known)


def _part(some: int, total: int) -> str:
    return f"{some} of {count(total, 'block')}"


def _faults(blocks: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """What broke, each fault once."""
    times: dict[str, int] = {}
    for block in blocks:
        found = block.get("faults")
        for side, fault in found.items() if isinstance(found, dict) else ():
            times[f"{side}: {fault}"] = times.get(f"{side}: {fault}", 0) + 1
    yield from (f"In {_part(number, len(blocks))}, {fault}" for fault, number in times.items())


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
