"""What an explanation says, in words: the same on a terminal, in Markdown and in the report."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.explain.memory_growth import FLOOR_BYTES, growth
from loaderbench.reports.explain.ranking import Cause, Ranking
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.units import MISSING, count, interval, percent, quantity

COLUMNS = ("cause", "found", "of an epoch (95 %)", "n", "evidence", "what to change")
WAITS: Mapping[str, str] = {  # the loop's seconds, by what they went to
    "wait_begin_s": "not begun",
    "wait_fetch_s": "fetching",
    "wait_collate_s": "collating",
    "wait_hand_over_s": "handing over",
    "wait_pin_s": "pinning",
    "wait_loop_s": "the loop itself",
    "step_s": "the step",
}
LEAST = 0.005  # of a pass, that is worth a word


def cells(cause: Cause) -> tuple[str, ...]:
    """A cause as texts, in the order of `COLUMNS`; they are as they came, and wait to be escaped."""
    if cause.word == "not run":
        return (cause.cause, cause.word, "", "", cause.why, "")
    return (cause.cause, cause.word, gain(cause), str(cause.blocks), cause.evidence, cause.change)


def gain(cause: Cause) -> str:
    """What an epoch saves, and between what that lies.

    >>> gain(Cause(cause="x", word="helps", gain=0.25, low=0.2, high=0.3, blocks=4)).replace(chr(0x202f), " ")
    '−25 % (−20 % to −30 %)'
    """
    if not math.isfinite(cause.low):
        return f"{_saved(cause.gain)} (too few to tell)"
    return f"{_saved(cause.gain)} ({_saved(cause.low)} to {_saved(cause.high)})"


def _saved(share: float) -> str:
    sign = "+" if share < 0 else ""
    return f"{sign}{percent(-share)}"


def about(found: Ranking) -> Iterator[str]:
    """The loader, and the machine."""
    loader = ", ".join(f"{name}={value}" for name, value in found.about["loader"].items())
    yield f"{found.about['dataset']['name']}: DataLoader({loader})"
    yield machine_words(machine_facts(dict(found.about["machine"]), []))


def waiting(found: Ranking) -> str:
    """Where the seconds of a pass go, the most first."""
    shares = {WAITS[name]: float(share) for name, share in found.about["waits"].items() if name in WAITS}
    order = sorted(shares.items(), key=lambda each: -each[1])
    return "a pass goes to: " + ", ".join(f"{name} {percent(share)}" for name, share in order if share >= LEAST)


def epoch(found: Ranking) -> str:
    """What an epoch takes."""
    read, whole = (found.about["dataset"][name] for name in ("samples_read", "samples"))
    if not math.isfinite(found.epoch.seconds):
        return ""
    scaled = "" if read == whole else f", from passes over {count(read, 'sample')}"
    starts = f", {quantity(found.epoch.starting_s, 's')} of it for workers that start and end"
    return (
        f"an epoch of {count(whole, 'sample')} takes {quantity(found.epoch.seconds, 's')}{scaled}"
        f"{starts if found.epoch.starting_s else ''}"
    )


def memory(found: Ranking) -> Iterator[str]:
    """What memory does over the epochs, and what is to be done where it grows."""
    held = found.about["memory"]
    watched = held["watched"]
    yield f"memory: {_growing(watched['pss_bytes'])}"
    if held["pairs"]["listed"]:
        yield _copied(held["pairs"]["listed"], held["pairs"]["backed"], held["lists"])
    if predicted := held["predicted_shm_bytes"]:
        peak = quantity(max(0.0, watched["peak_shm_bytes"][0]), "bytes")
        needed = quantity(predicted, "bytes")
        yield f"shared memory: {peak} at its peak; {needed} for the batches in flight and the one in use"


def _growing(readings: Sequence[float]) -> str:
    judged = growth(readings)
    added, epochs = quantity(judged.added_bytes, "bytes"), count(len(readings) - 1, "epoch")
    between = interval(judged.low_bytes, judged.high_bytes, "bytes")
    return {
        "grows": f"grows by {quantity(judged.slope_bytes, 'bytes')} an epoch ({between})",
        "settles": f"settles, after {added} in the first epochs",
        "flat": f"flat: {added} in {epochs}",
        "unclear": f"unclear: {added} in {epochs}",
    }[judged.word]


def _copied(listed: Sequence[Mapping[str, Any]], backed: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """What forked workers copy of Python objects: what a loader adds less where they are in arrays."""
    spared = [_added(one) - _added(other) for one, other in zip(listed, backed, strict=True)]
    mean, low, high = _between(spared)
    what = f"with {', '.join(names)} kept in arrays (loaderbench.datasets.recipes.compact.CompactList)"
    if low > 4 * FLOOR_BYTES:
        return (
            f"copy-on-write: {what} it adds {quantity(mean, 'bytes')} less ({interval(low, high, 'bytes')}): workers "
            "copy the pages of the objects that they read (pytorch#13246)"
        )
    return f"no copy-on-write to speak of: {what} it adds {quantity(mean, 'bytes')} less ({_wide(low, high)})"


def _added(readings: Mapping[str, Any]) -> float:
    """What a loader holds in the end, less what was held before it was there."""
    return float(readings["pss_bytes"][-1]) - float(readings["before_pss_bytes"][0])


def _between(values: Sequence[float]) -> tuple[float, float, float]:
    mean, number = float(np.mean(values)), len(values)
    if number < 2:  # noqa: PLR2004 - one has no spread
        return mean, -math.inf, math.inf
    width = float(stats.t.ppf(0.975, number - 1)) * float(np.std(values, ddof=1)) / math.sqrt(number)
    return mean, mean - width, mean + width


def _wide(low: float, high: float) -> str:
    return interval(low, high, "bytes") if math.isfinite(low) else MISSING
