"""Batches made in another way: asked for at once, taken apart and put together again, with arrays for objects."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

from loaderbench.datasets.pytree import children, fingerprint, tree_map, tree_tensors
from loaderbench.datasets.recipes.transport import to_arrays


def whole_batches(dataset: Any, *, shuffle: bool, size: int, drop_last: bool) -> Any:
    """A sampler of whole batches, for batch_size=None."""
    order: Any = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
    return BatchSampler(order, size, drop_last)


def answers_for_many(dataset: Any, collate_fn: Callable[[Any], Any]) -> bool:
    """Whether ``dataset[[i, j, k]]`` is the batch of these samples."""
    picked = sorted({0, len(dataset) // 2, len(dataset) - 1})
    try:
        return bool(_content(dataset[picked]) == _content(collate_fn([dataset[index] for index in picked])))
    except Exception:  # noqa: BLE001 - a stranger's dataset may refuse a list in any way
        return False


def _content(batch: Any) -> Any:
    """A batch's content, arrays being tensors and tuples lists, as torch makes them of a batch anyway."""
    parts = children(batch)
    if parts is None:
        return fingerprint(torch.as_tensor(batch))
    return {str(key): _content(part) for key, part in parts}


def fault_of(batch: Any) -> str:
    """Why a batch cannot be taken apart and put together again; nothing where it can."""
    try:
        tree_map(lambda leaf: leaf, batch)
    except Exception as error:  # noqa: BLE001 - a stranger's container may refuse in any way
        return f"a batch cannot be put together again: {type(error).__name__}: {' '.join(str(error).split())[:100]}"
    return ""


class ArraysAgain:
    """A collate function whose batches are handed over with the arrays of the first one in the place of their objects.

    What it costs to hand over objects is then gone, and nothing else: batches are made as before, their tensors sent.
    """

    def __init__(self, collate_fn: Callable[[Any], Any]) -> None:
        self.collate_fn = collate_fn
        self.first: Any = None
        self.has_tensors = False  # to look for them costs as much as to pickle what they are among

    def __call__(self, samples: Any) -> Any:
        """The first batch's arrays, and this one's tensors."""
        batch = self.collate_fn(samples)
        if self.first is None:
            self.has_tensors = bool(tree_tensors(batch))
            self.first = tree_map(lambda leaf: None if isinstance(leaf, Tensor) else leaf, to_arrays(batch))
        return (self.first, tree_tensors(batch)) if self.has_tensors else self.first
