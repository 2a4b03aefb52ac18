"""The slowest samples of a dataset, and their shares of the time that all of them take."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from torch.utils.data import IterableDataset

from loaderbench.benches.harness.samples.parts import index_in_whole
from loaderbench.benches.harness.tracing.timestamps import samples_at
from loaderbench.reports.records.slow_samples import SlowestSamples, SlowSample


def slow_samples(dataset: Any) -> tuple[SlowSample, ...]:
    """Return the slowest samples of a pass over `dataset`, read in this process one by one.

    Their indices are those in the user's own dataset; of a stream, places. Nothing is kept of the other samples.
    """
    if isinstance(dataset, IterableDataset):
        return timed(enumerate(dataset))
    return timed((index_in_whole(dataset, index), samples_at(dataset, [index])) for index in range(len(dataset)))


def timed(samples: Iterable[tuple[int, Any]], clock: Callable[[], float] = perf_counter) -> tuple[SlowSample, ...]:
    """Return the samples that were waited for the longest, with their shares of all waits.

    >>> readings = iter([0.0, 1.0, 1.0, 4.0, 4.0, 5.0, 5.0, 5.0])
    >>> [(sample.index, sample.share) for sample in timed(enumerate("abc"), readings.__next__)]
    [(1, 0.6), (0, 0.2), (2, 0.2)]
    """
    slowest, total_s, iterator = SlowestSamples(), 0.0, iter(samples)
    while True:
        began = clock()
        try:
            index, _ = next(iterator)
        except StopIteration:
            return slowest.samples(total_s)
        seconds = clock() - began
        total_s += seconds
        slowest.add(index, seconds)
