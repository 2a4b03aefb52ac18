"""Ways of drawing samples, by their names on the command line."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, SequentialSampler, WeightedRandomSampler


class BlockBatchSampler:
    """A ``batch_sampler``: the dataset in contiguous blocks of one batch, the blocks in shuffled order.

    Reads as sequentially as a disk likes and still varies the order of batches from epoch to epoch.
    """

    def __init__(self, length: int, batch_size: int, generator: torch.Generator | None = None) -> None:
        self.length = length
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return math.ceil(self.length / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for block in torch.randperm(len(self), generator=self.generator).tolist():
            yield list(range(block * self.batch_size, min((block + 1) * self.batch_size, self.length)))


def sampling_arguments(name: str, dataset: Any, batch_size: int, seed: int) -> dict[str, Any]:
    """Return the arguments of a LoaderConfig that draw samples in the way called `name`."""
    if name == "weighted":
        weights: Any = torch.ones(len(dataset), dtype=torch.double)
        generator = torch.Generator().manual_seed(seed)
        return {"sampler": WeightedRandomSampler(weights, len(dataset), generator=generator)}
    if name == "blocks":
        return {
            "batch_size": None,
            "batch_sampler": BlockBatchSampler(len(dataset), batch_size, torch.Generator().manual_seed(seed)),
        }
    if name == "batch_sampler":
        return {
            "batch_size": None,
            "batch_sampler": BatchSampler(SequentialSampler(dataset), batch_size, drop_last=False),
        }
    return {"sequential": {}, "shuffle": {"shuffle": True}, "drop_last": {"drop_last": True}}[name]
