"""How many samples a pass can read in a given time; to be called where reading changes nothing (see `in_child`)."""

import math
import sys
from itertools import islice
from time import perf_counter
from typing import Any

from torch.utils.data import IterableDataset

from loaderbench.benches.harness.samples.parts import samples_of

PROBES = 16  # samples of a map-style dataset that are read to estimate the time of one


class UnreadableSampleError(Exception):
    """A sample could not be read; the message says which, and what it raised."""


def affordable_samples(dataset: Any, pass_s: float, least: int, *, fewest: int = 1, longest_s: float = math.inf) -> int:
    """Return how many samples one process reads in about `pass_s` seconds: a power of two, or `least` if that is more.

    Where `least` samples take longer than `longest_s`, it is a multiple of `fewest` that does not, or `fewest`.
    0 stands for a stream that ends by then. Where a stream goes on beyond its ``len()``, it is no more than that.
    Raises UnreadableSampleError.
    """
    if isinstance(dataset, IterableDataset):
        return _of_stream(dataset, pass_s, least, fewest, longest_s)
    indices = range(0, len(dataset), max(1, len(dataset) // PROBES))[:PROBES]
    _read(dataset, indices[-1])  # not timed: it may open files
    read, spent_s, began = 0, 0.0, perf_counter()
    while read < len(indices) and spent_s < pass_s:
        _read(dataset, indices[read])
        read, spent_s = read + 1, perf_counter() - began
    sample_s = max(spent_s, 1e-9) / read
    return max(_within(least, fewest, longest_s / sample_s), power_of_two(pass_s / sample_s))


def _within(least: int, fewest: int, longest: float) -> int:
    """Return `least`, or the multiple of `fewest` that is at most `longest`, but one of it at least."""
    return least if least <= longest else min(least, fewest * max(1, int(longest / fewest)))


def _read(dataset: Any, index: int) -> None:
    try:
        dataset[index]
    except (Exception, SystemExit) as error:
        raise UnreadableSampleError(f"sample {index} raised {_described(error)}") from error


def _of_stream(dataset: Any, pass_s: float, least: int, fewest: int, longest_s: float) -> int:
    length = samples_of(dataset) or sys.maxsize
    read, began = 0, perf_counter()
    try:
        for _ in islice(iter(dataset), length + 1 if length < sys.maxsize else None):
            read += 1
            if perf_counter() - began >= pass_s:
                longest = longest_s * read / (perf_counter() - began)
                return min(max(_within(least, fewest, longest), power_of_two(read)), length)
    except (Exception, SystemExit) as error:
        raise UnreadableSampleError(f"its sample {read} raised {_described(error)}") from error
    return length if read > length else 0


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def power_of_two(number: float) -> int:
    """Return the largest power of two that is at most `number`, and at least 1.

    >>> power_of_two(1000.0), power_of_two(0.3)
    (512, 1)
    """
    return 1 << max(1, int(number)).bit_length() - 1
