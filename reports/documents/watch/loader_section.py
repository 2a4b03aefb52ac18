"""What a watch says of one loader: what its loops waited for, and the next command."""

import math
from collections.abc import Iterator

import numpy as np

from loaderbench.reports.documents.document import Code, Items, Section, Text
from loaderbench.reports.units import percent, quantity
from loaderbench.reports.watch.loops import LoopTimes, begins_anew_each_step, making, slow_samples, stage_waits
from loaderbench.reports.watch.next_command import next_command, what_to_fill_in
from loaderbench.reports.watch.verdict import LoopVerdict, burst

LONG_STEP = 0.2  # of a loop: a single step from which on the share of waiting is as much about it as about all others
FEWEST_STEPS = 20  # of a loop of which a single step is said to be long
BURST = 0.7  # of the way from waits that are all alike to all waiting for one batch in as many as there are workers
STAGE_WORDS = {
    "start": "the start of the iterator", "begin": "a batch not begun yet", "fetch": "fetching",
    "collate": "collating", "transport": "sending", "unknown": "stages not known",
}  # fmt: skip
WITHOUT_WORKERS = {"begin": "the DataLoader before it", "transport": "the DataLoader after it"}


def loader_section(verdict: LoopVerdict) -> Section:
    """Return what is said of a loader that was read."""
    commands = "\n".join(filter(None, (next_command(verdict), next_command(verdict, "tune"))))
    to_do = what_to_fill_in(verdict)
    return Section(
        title=f"{verdict.loader.name}: {verdict.loader.dataset or verdict.loader.kind}",
        parts=(
            Items(items=(*_waiting(verdict), *_passes(verdict), *_stages(verdict))),
            *([Text(text=f"Before these commands can run: {to_do}.", tone="warn")] if commands and to_do else []),
            *([Code(code=commands, language="sh", note=starts_note(verdict))] if commands else []),
        ),
    )


def _waiting(verdict: LoopVerdict) -> Iterator[str]:
    """Yield what the waiting consists of, the largest part first."""
    times, parts = verdict.times, sorted(verdict.parts.items(), key=lambda part: -part[1])
    words = {
        "starts": "starts and ends of passes",
        "slow batches": "the 5 % of batches that were waited for the longest",
        "throughput": "all other batches" if verdict.parts.get("slow batches") else "batches",
    }
    listed = ", ".join(f"{quantity(seconds, 's')} for {words[name]}" for name, seconds in parts if seconds)
    if times.device_idle_s is not None:
        idle = f"{quantity(times.device_idle_s, 's')} ({percent(times.share)} of the loop)"
        host = f"{quantity(times.wait_s, 's')} ({percent(times.wait_s / times.seconds)})"
        yield f"GPU idle for lack of data: {idle}; host waited: {host}"
    yield f"waited {quantity(times.lost_s, 's')} of {quantity(times.seconds, 's')} of loop: {listed or 'nothing'}"
    yield from _one_long_step(times)
    workers = int(verdict.loader.facts.get("num_workers") or 0)
    in_bursts = burst(times, workers)
    if (
        in_bursts is not None
        and (in_bursts - 1 / workers) >= BURST * (1 - 1 / workers)
        and verdict.outcome == "bottleneck"
    ):
        yield f"batches come in bursts: {percent(in_bursts)} of the waiting is for one batch in {workers}"


def _one_long_step(times: LoopTimes) -> Iterator[str]:
    """Yield what a step that takes a large part of the loop hides, such as the first one where a model is compiled."""
    if times.is_whole.sum() < FEWEST_STEPS or np.nanmax(times.others) < LONG_STEP * times.seconds:
        return
    step = int(np.nanargmax(times.others))
    step_s = float(times.others[step])
    rest = (times.lost_s - float(times.lost[step])) / (times.seconds - step_s - float(times.waits[step]) or math.inf)
    yield (
        f"step {step} alone took {quantity(step_s, 's')}, {percent(step_s / times.seconds)} of the loop: without it "
        f"the loop waits {percent(rest)} of its time"
    )


def _passes(verdict: LoopVerdict) -> Iterator[str]:
    times = verdict.times
    if begins_anew_each_step(verdict.loader):
        yield (
            "every pass was left after its first batch, as by next(iter(loader)) in each step: keep the iterator, and "
            "begin a pass where the one before has ended"
        )
        return
    text = f"waited for the first batch of the first pass {quantity(float(times.first_s[0]), 's')}"
    if len(times.first_s) > 1:
        text += f", of a later pass {quantity(float(np.median(times.first_s[1:])), 's')}"
    if len(times.end_waits):
        text += f"; for the end of a pass {quantity(float(np.median(times.end_waits)), 's')}"
    if len(times.gaps):
        gap = quantity(float(np.median(times.gaps)), "s")
        text += f"; from the last batch of a pass to the first of the next, all that lies between them, {gap}"
    yield text


def _stages(verdict: LoopVerdict) -> Iterator[str]:
    loader = verdict.loader
    made = making(loader)
    if made is None:
        return
    place = "in the workers" if loader.facts.get("num_workers") else "in the main process"
    busy_s = made.fetch_s + made.collate_s
    off = made.off_cpu_s / busy_s if busy_s else 0.0
    fetch, collate = (quantity(seconds / made.batches, "s") for seconds in (made.fetch_s, made.collate_s))
    yield (
        f"a batch took {fetch} to fetch and {collate} to collate {place}, {percent(off)} of it off the CPU "
        "(waiting for a file, a network or a free CPU)"
    )
    waits = {name: seconds for name, seconds in stage_waits(loader).items() if seconds > 0.005 * verdict.times.wait_s}
    shares = sorted(waits.items(), key=lambda entry: -entry[1])
    if verdict.times.wait_s and shares:
        total = sum(waits.values())
        words = STAGE_WORDS if loader.facts.get("num_workers") else {**STAGE_WORDS, **WITHOUT_WORKERS}
        listed = ", ".join(f"{words[name]} {percent(seconds / total)}" for name, seconds in shares)
        yield f"while it was waited for: {listed}"
    samples = slow_samples(loader)
    if samples:
        listed = ", ".join(f"{sample.index} ({quantity(sample.seconds, 's')})" for sample in samples)
        yield f"slowest samples, by index: {listed}"


def starts_note(verdict: LoopVerdict) -> str:
    """Return what to do about starts, if most of the waiting is for them."""
    facts, times = verdict.loader.facts, verdict.times
    if verdict.reason != "starts" or not facts.get("num_workers"):
        return ""
    if times.lost[0] > times.lost_s / 2:
        return (
            "most of the waiting is for the first start, which a longer run has once as well: watch more of its steps"
        )
    if facts.get("persistent_workers"):
        return ""
    if verdict.loader.loaders > 1:
        return (
            "most of the waiting is for starts: each pass has a new loader, with new workers; make one, with "
            "persistent_workers=True"
        )
    return "most of the waiting is for starts: persistent_workers=True keeps workers from one pass to the next"
