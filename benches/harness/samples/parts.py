"""Parts of a dataset: what a pass reads of one that is too long for it.

Neither time nor memory grows with the length of the dataset.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, overload

from torch.utils.data import IterableDataset, Subset, get_worker_info

MOST_BLOCKS = 16
SHORTEST_BLOCK = 64  # samples: a store that reads whole chunks is read in order only where neighbours are in the part


class Wrapper:
    """A dataset of ours around the user's, which user code must not meet in its place (see `unwrap_in_worker`)."""

    dataset: Any


def unwrap_in_worker() -> None:
    """Make ``get_worker_info().dataset`` the user's own dataset, in this worker, for all code of the user's."""
    worker: Any = get_worker_info()
    dataset = worker.dataset
    while isinstance(dataset, Wrapper):
        dataset = dataset.dataset
    object.__setattr__(worker, "dataset", dataset)  # torch refuses to have it assigned


class Blocks(Sequence[int]):
    """The indices of `samples` of `length` samples, ascending: equal contiguous blocks, spread evenly.

    A block has at least `SHORTEST_BLOCK` samples, and there are at most `MOST_BLOCKS`: neighbours stay together, so
    that a dataset read in order costs in a part what it costs as a whole.

    >>> blocks = Blocks(200, length=1000)
    >>> blocks.starts, [blocks[index] for index in (0, 66, 67, 199)]
    ((0, 333, 666), [0, 66, 333, 731])
    """

    def __init__(self, samples: int, length: int) -> None:
        if not 0 < samples <= length:
            raise ValueError(f"samples must be 1 to {length}, the length of the dataset, got {samples}")
        self.samples = samples
        self.blocks = min(MOST_BLOCKS, max(1, samples // SHORTEST_BLOCK))
        self.block_samples = math.ceil(samples / self.blocks)
        self.stride = max(self.block_samples, length // self.blocks)

    @property
    def starts(self) -> tuple[int, ...]:
        """Return the first index of each block."""
        return tuple(number * self.stride for number in range(self.blocks))

    def __len__(self) -> int:
        return self.samples

    @overload
    def __getitem__(self, position: int) -> int: ...
    @overload
    def __getitem__(self, position: slice) -> list[int]: ...
    def __getitem__(self, position: int | slice) -> int | list[int]:
        if isinstance(position, slice):
            return [self[index] for index in range(*position.indices(self.samples))]
        if not 0 <= position < self.samples:
            raise IndexError(f"position {position} of a part of {self.samples} samples")
        block, offset = divmod(position, self.block_samples)
        return block * self.stride + offset


class Part(Subset[Any], Wrapper):
    """Contiguous blocks of a map-style dataset, in the order of their indices: the sampler alone shuffles."""

    indices: Blocks

    def __init__(self, dataset: Any, samples: int) -> None:
        super().__init__(dataset, Blocks(samples, len(dataset)))

    def __str__(self) -> str:
        part, whole = self.indices, samples_of(self.dataset)
        return f"{len(part)} of {whole} samples: {part.blocks} blocks of {part.block_samples}"


class StreamPart(IterableDataset[Any], Wrapper):
    """The first `samples` of each pass over a stream; of several workers, each reads its share of them."""

    def __init__(self, dataset: Any, samples: int) -> None:
        self.dataset, self.samples = dataset, samples

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        return islice(iter(self.dataset), share(self.samples, number, workers))

    def __str__(self) -> str:
        return f"the first {self.samples} samples of the stream"


def index_in_whole(dataset: Any, index: int) -> int:
    """Return the index in the user's own dataset of sample `index` of what we made of it."""
    while isinstance(dataset, Wrapper):
        if isinstance(dataset, Subset):
            index = dataset.indices[index]
        dataset = dataset.dataset
    return index


def share(samples: int, number: int, workers: int) -> int:
    """Return how many of `samples` the worker `number` of `workers` reads.

    >>> [share(10, number, 4) for number in range(4)]
    [3, 3, 2, 2]
    """
    return samples // workers + (number < samples % workers)


def part_of(dataset: Any, samples: int | None) -> Any:
    """Return `dataset` cut to `samples`; None, or more than it has: all of it. A part is cut from the whole again."""
    if samples is None:
        return dataset
    if isinstance(dataset, StreamPart):
        return StreamPart(dataset.dataset, min(samples, dataset.samples))
    if isinstance(dataset, IterableDataset):
        return StreamPart(dataset, samples)
    if samples >= len(dataset):
        return dataset
    return Part(dataset.dataset if isinstance(dataset, Part) else dataset, samples)


def samples_of(dataset: Any) -> int | None:
    """Return the samples of a pass over `dataset` or a part of it; None where a stream does not say."""
    if isinstance(dataset, StreamPart):
        return dataset.samples
    if isinstance(dataset, Wrapper) and not hasattr(dataset, "__len__"):
        return samples_of(dataset.dataset)
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):
        return None
