"""Ways of drawing samples, by their names on the command line."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, SequentialSampler, WeightedRandomSampler

from loaderbench.benches.harness.errors import RefusedError

# Ways of drawing that decide what a batch is, and so need a batch size.
OF_BATCHES = ("blocks", "batches")


class BlockBatchSampler:
    """A ``batch_sampler``: the dataset in contiguous blocks of one batch, the blocks in shuffled order.

    Reads as sequentially as a disk likes and still varies the order of batches from epoch to epoch.
    """

    def __init__(
        self, length: int, batch_size: int, generator: torch.Generator | None = None, *, drop_last: bool = False
    ) -> None:
        self.length = length // batch_size * batch_size if drop_last else length
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return math.ceil(self.length / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for block in torch.randperm(len(self), generator=self.generator).tolist():
            yield list(range(block * self.batch_size, min((block + 1) * self.batch_size, self.length)))


class FirstDrawn:
    """The first draws of a sampler or ``batch_sampler``: as many as it takes to have `samples` indices."""

    def __init__(self, sampler: Iterable[Any], samples: int) -> None:
        self.sampler, self.samples = sampler, samples

    def __iter__(self) -> Iterator[Any]:
        drawn = 0
        for index in self.sampler:
            if drawn >= self.samples:
                return
            drawn += indices_in(index)
            yield index


def sampler_of(given: Any, dataset: Any) -> Iterable[Any]:
    """Return a sampler or ``batch_sampler``, or what it returns where it is a function of the dataset.

    Raises RefusedError where it draws only once.
    """
    sampler: Iterable[Any] = given(dataset) if callable(given) else given
    if isinstance(sampler, Iterator):
        kind = type(sampler).__name__
        raise RefusedError(
            f"the sampler is a {kind}, which ends after one epoch: give a list, or an object whose __iter__ begins anew"
        )
    return sampler


def indices_in(drawn: Any) -> int:
    """Return how many indices a sampler drew at once: those of a batch, or one.

    >>> indices_in([3, 1, 4]), indices_in(7)
    (3, 1)
    """
    return len(drawn) if isinstance(drawn, (list, tuple)) else 1


def sampling_arguments(
    name: str | None, dataset: Any, batch_size: int | None, seed: int, *, drop_last: bool = False
) -> dict[str, Any]:
    """Return the arguments of a LoaderConfig that draw samples in the way called `name`; none where a sampler does."""
    generator = torch.Generator().manual_seed(seed)
    if name == "weighted":
        weights: Any = torch.ones(len(dataset), dtype=torch.double)
        return {"sampler": WeightedRandomSampler(weights, len(dataset), generator=generator)}
    if name in OF_BATCHES and batch_size is not None:
        sampler = (
            BlockBatchSampler(len(dataset), batch_size, generator, drop_last=drop_last)
            if name == "blocks"
            else BatchSampler(SequentialSampler(dataset), batch_size, drop_last)
        )
        return {"batch_size": None, "drop_last": False, "batch_sampler": sampler}
    return {"shuffle": True} if name == "shuffle" else {}
