"""The seconds of the loops over one loader: waiting for it, and everything else. Nothing here reads a clock."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loaderbench.reports.records.slow_samples import SlowestSamples, SlowSample
from loaderbench.reports.watch.watch_record import MadeBatch, WatchedEpoch, WatchedLoader

Floats = NDArray[np.float64]

# What the loop may wait for while a batch is at some stage; of a batch whose stages are not known it is "wait".
STAGES = ("begin", "fetch", "collate", "transport")


FEW_STEPS = 0.01  # of all steps: the longest, that are not typical


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopTimes:
    """Seconds of each step, one entry a batch, over all passes in their order; and of what comes once a pass."""

    waits: Floats
    """For the batch; the first of a pass includes the iterator's own start."""
    idle: Floats
    """Seconds of it for which the device had nothing to do; NaN where that is not known, as without a device."""
    others: Floats
    """Everything else until the next batch was requested: the step. NaN for a batch after which the loop ended."""
    is_first: NDArray[np.bool_]
    """Whether the batch is the first of its pass."""
    received: Floats
    """When it was received."""
    end_waits: Floats
    """One a pass that was read to its end: until its end was known; workers that do not persist are joined here."""
    gaps: Floats
    """From the last batch of a pass to the first of the next."""

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Return which steps have both parts."""
        return np.isfinite(self.others)

    @property
    def wait_s(self) -> float:
        """Return the seconds of waiting."""
        return float(self.waits.sum() + self.end_waits.sum())

    @property
    def lost(self) -> Floats:
        """Return the seconds of each wait that cost time: those for which the device was idle, else all of them."""
        return np.where(np.isfinite(self.idle), self.idle, self.waits)

    @property
    def lost_s(self) -> float:
        """Return the seconds of waiting that cost time, the ends of passes included."""
        return float(self.lost.sum() + self.end_waits.sum())

    @property
    def device_idle_s(self) -> float | None:
        """Return the seconds for which the device was idle for lack of data; None where no wait says so."""
        return self.lost_s if np.isfinite(self.idle).any() else None

    @property
    def first_s(self) -> Floats:
        """Return the waits for the first batch of each pass."""
        return self.waits[self.is_first]

    @property
    def seconds(self) -> float:
        """Return the seconds of all loops."""
        return self.wait_s + float(np.nansum(self.others))

    @property
    def share(self) -> float:
        """Return the share of the loops that is lost to waiting; 0 of none."""
        return self.lost_s / self.seconds if self.seconds else 0.0


def loop_times(loader: WatchedLoader) -> LoopTimes:
    """Return the times of a loader's loops; passes without a batch count by their end alone."""
    parts = [_of_epoch(epoch) for epoch in loader.epochs]
    if begins_anew_each_step(loader):
        for (_, others), epoch, after in zip(parts, loader.epochs, loader.epochs[1:], strict=False):
            others[0] = max(0.0, after.began_s - epoch.received_s[0])
    read = [epoch for epoch in loader.epochs if epoch.received_s]
    empty = np.zeros(0)
    return LoopTimes(
        waits=np.concatenate([empty, *(waits for waits, _ in parts)]),
        idle=np.concatenate(
            [empty, *(_idle(epoch, waits) for epoch, (waits, _) in zip(loader.epochs, parts, strict=True))]
        ),
        others=np.concatenate([empty, *(others for _, others in parts)]),
        is_first=np.concatenate([np.zeros(0, bool), *(np.arange(len(waits)) == 0 for waits, _ in parts)]),
        received=np.concatenate([empty, *(np.array(epoch.received_s) for epoch in loader.epochs)]),
        end_waits=np.array([epoch.ended_s[1] - epoch.ended_s[0] for epoch in loader.epochs if epoch.ended_s]),
        gaps=np.array([after.received_s[0] - before.received_s[-1] for before, after in pairwise(read)]),
    )


def begins_anew_each_step(loader: WatchedLoader) -> bool:
    """Return whether every pass was left after its first batch: ``next(iter(loader))`` in each step of one loop.

    What lies between two passes is then the rest of a step.
    """
    return len(loader.epochs) > 1 and all(
        len(epoch.received_s) == 1 and epoch.ended_s is None for epoch in loader.epochs
    )


def joint_share(loaders: Sequence[WatchedLoader]) -> float:
    """Return the share of all loops together that is lost to waiting; 0 of none.

    Loops that are on at the same time, as of ``zip`` or of a validation within an epoch, are counted once.
    """
    lost_s = sum(loop_times(loader).lost_s for loader in loaders)
    spans = sorted(span for loader in loaders for span in _spans(loader))
    seconds, until = 0.0, -math.inf
    for began, ended in spans:
        seconds += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return min(1.0, lost_s / seconds) if seconds else 0.0


def _spans(loader: WatchedLoader) -> list[tuple[float, float]]:
    """Return when each pass began and ended, the start of its iterator included."""
    spans = [
        (epoch.requested_s[0] - epoch.started_s + epoch.began_s, (epoch.ended_s or epoch.received_s)[-1])
        for epoch in loader.epochs
        if epoch.received_s
    ]
    return [(spans[0][0], spans[-1][1])] if begins_anew_each_step(loader) else spans


def typical_step_s(times: LoopTimes) -> float:
    """Return the mean seconds of a step, without the longest `FEW_STEPS` of them; 0 where none is known.

    A mean, as every fourth step may be long (gradients that are accumulated); without the longest, as the first one may
    compile a model, and another write a checkpoint.
    """
    steps = np.sort(times.others[times.is_whole])
    return float(steps[: len(steps) - math.ceil(FEW_STEPS * len(steps)) or 1].mean()) if len(steps) else 0.0


def _of_epoch(epoch: WatchedEpoch) -> tuple[Floats, Floats]:
    """Return the seconds waited for each batch of a pass, and all others until the next was requested."""
    requested, received = np.array(epoch.requested_s), np.array(epoch.received_s)
    if not len(requested):
        return requested, received
    waits = received - requested
    waits[0] += epoch.started_s - epoch.began_s
    until = np.append(requested[1:], epoch.ended_s[0] if epoch.ended_s else np.nan)
    others = until - received
    for step, seconds in epoch.own_work:
        if 0 <= step < len(others):
            others[step] -= seconds
    return waits.clip(min=0), others.clip(min=0)


def _idle(epoch: WatchedEpoch, waits: Floats) -> Floats:
    """Return for each wait of a pass for how long the device was idle; the start of the iterator counts as idle."""
    idle = np.full(len(waits), np.nan)
    known = np.array(epoch.idle_s[: len(waits)], np.float64)  # null becomes NaN
    idle[: len(known)] = known
    if len(idle):
        idle[0] += epoch.started_s - epoch.began_s
    capped: Floats = np.minimum(idle, waits)
    return capped


def stage_waits(loader: WatchedLoader) -> dict[str, float]:
    """Return the seconds waited by the stage that the batch was in meanwhile: of `STAGES`, and "start" and "unknown".

    "start" is what an iterator took to be made, with its workers. A batch whose own times are not known (of a loader
    that does not deliver in order, or without torch's fetchers) counts as "unknown".
    """
    waited = dict.fromkeys((*STAGES, "start", "unknown"), 0.0)
    in_order = loader.facts.get("in_order", True)
    made = {(batch.epoch, batch.task): batch for batch in loader.made} if in_order else {}
    for number, epoch in enumerate(loader.epochs):
        if epoch.received_s:
            waited["start"] += epoch.started_s - epoch.began_s
        for task, (requested, received) in enumerate(zip(epoch.requested_s, epoch.received_s, strict=True)):
            batch = made.get((number, task))
            if batch is None:
                waited["unknown"] += received - requested
                continue
            edges = [requested, *(min(max(time, requested), received) for time in _times(batch)), received]
            for stage, seconds in zip(STAGES, np.diff(edges).clip(min=0), strict=True):
                waited[stage] += float(seconds)
    return waited


def _times(batch: MadeBatch) -> Sequence[float]:
    return batch.fetching_s, batch.fetched_s, batch.collated_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """What making batches took, summed over all processes that made them."""

    batches: int
    samples: int
    """Of those batches whose number of samples is known."""
    fetch_s: float
    collate_s: float
    off_cpu_s: float
    """Of both: waiting for a file, a network, another thread, or a CPU."""


def making(loader: WatchedLoader) -> Making | None:
    """Return what the batches of a loader took to make; None where that is not known."""
    if not loader.made:
        return None
    return Making(
        batches=len(loader.made),
        samples=sum(max(0, batch.samples) for batch in loader.made),
        fetch_s=sum(batch.fetched_s - batch.fetching_s for batch in loader.made),
        collate_s=sum(batch.collated_s - batch.fetched_s for batch in loader.made),
        off_cpu_s=sum(max(0.0, batch.collated_s - batch.fetching_s - batch.cpu_s) for batch in loader.made),
    )


def slow_samples(loader: WatchedLoader) -> tuple[SlowSample, ...]:
    """Return the samples that took longest, of those that took longest in their batch."""
    slowest = SlowestSamples()
    for batch in loader.made:
        if batch.costliest >= 0:
            slowest.add(batch.costliest, batch.costliest_s)
    return slowest.samples()
