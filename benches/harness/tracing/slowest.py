"""The slowest sample of a dataset, and its share of the time that all of them take."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from torch.utils.data import IterableDataset

from loaderbench.benches.harness.parts import index_in_whole
from loaderbench.benches.harness.tracing.timestamps import samples_at


def slowest_sample(dataset: Any) -> dict[str, float]:
    """Return the index of the slowest sample of a pass over `dataset`, read in this process, and its share of the time.

    The index is that in the user's own dataset; of a stream, the place in it. Nothing is kept of the other samples.
    """
    position, share = slowest(_one_by_one(dataset))
    is_stream = isinstance(dataset, IterableDataset)
    index = position if is_stream else index_in_whole(dataset, position)
    return {"slowest_sample": float(index), "slowest_share": share}


def slowest(samples: Iterable[Any], clock: Callable[[], float] = perf_counter) -> tuple[int, float]:
    """Return the position of the sample that was waited for the longest, and its share of all waits; of none, 0 and 0.

    >>> slowest("abc", iter([0.0, 1.0, 1.0, 4.0, 4.0, 5.0, 5.0, 5.0]).__next__)
    (1, 0.6)
    """
    longest_s = total_s = 0.0
    place, iterator = 0, iter(samples)
    position = 0
    while True:
        began = clock()
        try:
            next(iterator)
        except StopIteration:
            break
        seconds = clock() - began
        total_s += seconds
        if seconds > longest_s:
            place, longest_s = position, seconds
        position += 1
    return place, longest_s / total_s if total_s else 0.0


def _one_by_one(dataset: Any) -> Iterator[Any]:
    if isinstance(dataset, IterableDataset):
        return iter(dataset)
    return (samples_at(dataset, [index]) for index in range(len(dataset)))
