"""One trial of a setting, in a process of its own: passes over a part of the dataset, and what an epoch takes by them.

Of a part of an epoch a pass takes as long as it does, and the rest as long as one sample after the other once batches
flow: from the end of the first batch of each worker to that of a later one. So starting workers counts once an epoch.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from time import perf_counter
from typing import Any

from loaderbench.benches.explain.baseline.baseline import TimeLimited
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.loading.case_loader import cut
from loaderbench.benches.harness.loading.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring import clock
from loaderbench.benches.harness.system import processes
from loaderbench.benches.harness.system.processes import SHARED_MEMORY, NoStrays
from loaderbench.datasets.recipes.transport import release_slots

ENOUGH_S = 0.25  # of timed passes
MOST_PASSES = 3
LEAST_TURNS = 3  # batches of each worker, in a pass


class MisdeliveredError(Exception):
    """A loader delivered other batches than it should."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a pass without workers shows, of a few batches or of all."""

    batches: int
    seconds: float
    is_cut: bool  # there are more batches

    @property
    def batch_s(self) -> float:
        """Return the seconds of a batch."""
        return self.seconds / self.batches


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialTimes:
    """The medians of the timed passes of a trial, and what all its processes took."""

    epoch_s: float
    sample_s: float
    first_batch_s: float
    cpu_s: float  # of an epoch
    pss_bytes: float
    shm_bytes: float
    passes: int


def survey(subject: Subject, config: LoaderConfig, consumer: Consumer, longest_s: float) -> Survey:
    """Read the loader without workers for `longest_s` or to its end; it reads the dataset in this process."""
    config = without_workers(config)
    step = consumer.on_device(config)
    step(next(iter(config.build(subject.dataset))))  # files are opened, the step is warm
    limited = TimeLimited(config.build(subject.dataset), longest_s)
    times = clock.read(limited, step, device=consumer.device)
    batches = times.batches[0]
    return Survey(batches=batches, seconds=times.seconds, is_cut=limited.is_cut)


def trial(
    subject: Subject, config: LoaderConfig, consumer: Consumer, *, batches: int, batch_samples: int, samples: int
) -> TrialTimes:
    """Read passes of `batches` and return what an epoch of `samples` takes by them.

    A pass that is not timed comes first: a batch of each worker. Raises what the loader raises, and MisdeliveredError.
    """
    read = min(samples, batches * batch_samples)
    part, config = cut(subject, config, read)
    step = consumer.on_device(config)
    with NoStrays():
        shm_before = _shared_memory()
        loader = config.build(part.dataset)
        for batch in islice(running := iter(loader), max(1, config.num_workers)):
            step(batch)
        memory = [processes.memory()]
        del running
        times, cpu_s = _timed(loader, step, consumer)
        memory.append(processes.memory())
        del loader
        release_slots()
    if not subject.is_stream:
        _check_delivery(times.batches, math.ceil(read / batch_samples), drops_last=config.drop_last)
    costs = [_costs(marks, times.stepped, config.num_workers, batch_samples, samples - read) for marks in times.passes]
    epoch_s, sample_s, first_batch_s = (median(values) for values in zip(*costs, strict=True))
    passes = len(times.passes)
    return TrialTimes(
        epoch_s=epoch_s,
        sample_s=sample_s,
        first_batch_s=first_batch_s,
        cpu_s=max(cpu_s, 1e-6) / passes * epoch_s / (times.seconds / passes),
        pss_bytes=float(max(one.pss_bytes for one in memory)),
        shm_bytes=float(max(0, *(one.shm_bytes - shm_before for one in memory))),
        passes=passes,
    )


def _shared_memory() -> int:
    return shutil.disk_usage(SHARED_MEMORY).used if SHARED_MEMORY.exists() else 0


def _timed(loader: Any, step: clock.Step, consumer: Consumer) -> tuple[clock.PassTimes, float]:
    """Read passes until there was enough time, and return them with the CPU seconds of all processes."""
    before_s, began = processes.cpu_s(), perf_counter()
    times = clock.read(loader, step, device=consumer.device)
    while perf_counter() - began < ENOUGH_S and len(times.passes) < MOST_PASSES:
        another = clock.read(loader, step, device=consumer.device)
        times.passes += another.passes
        times.seconds += another.seconds
    return times, processes.cpu_s() - before_s


def _costs(
    marks: Sequence[float], is_stepped: bool, num_workers: int, batch_samples: int, rest: int
) -> tuple[float, float, float]:
    """Return the seconds of an epoch that has `rest` samples more, of a sample, and of the first batch of a pass."""
    ends = marks[2::2] if is_stepped else marks[1:]
    sample_s = marginal_s(ends, marks[0], num_workers) / batch_samples
    return marks[-1] - marks[0] + rest * sample_s, sample_s, marks[1] - marks[0]


def marginal_s(ends: Sequence[float], began: float, num_workers: int) -> float:
    """Return the seconds from batch to batch once they flow; `ends` are the times at which batches were done with.

    Workers deliver in bursts of a batch each, so that whole bursts are counted, from the end of the first one.

    >>> marginal_s([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0], 0.0, 2)
    0.5
    """
    burst = max(1, num_workers)
    last = len(ends) // burst * burst
    if last < 2 * burst:
        return (ends[-1] - began) / len(ends)
    return max(ends[last - 1] - ends[burst - 1], 1e-9) / (last - burst)


def _check_delivery(delivered: Sequence[int], expected: int, *, drops_last: bool) -> None:
    wrong = [batches for batches in delivered if not expected - drops_last <= batches <= expected]
    if wrong:
        raise MisdeliveredError(f"it delivered {wrong[0]} batches in place of {expected}")
