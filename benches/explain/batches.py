"""Other ways to make a batch: indexed in one call, or with its objects replaced by constant arrays."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

from loaderbench.benches.harness.failures.wording import reason
from loaderbench.datasets.pytree import children, fingerprint, tree_map, tree_tensors
from loaderbench.datasets.recipes.transport import to_arrays


def whole_batches(dataset: Any, *, shuffle: bool, size: int, drop_last: bool) -> BatchSampler:
    """Return a sampler of whole batches, for ``batch_size=None``."""
    order: Any = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
    return BatchSampler(order, size, drop_last)


def indexes_batches(dataset: Any, collate_fn: Callable[[Any], Any]) -> bool:
    """Return whether ``dataset[[i, j, k]]`` is the batch of these samples."""
    indices = sorted({0, len(dataset) // 2, len(dataset) - 1})
    try:
        return bool(_content(dataset[indices]) == _content(collate_fn([dataset[index] for index in indices])))
    except Exception:  # noqa: BLE001 - a user's dataset may refuse a list in any way
        return False


def _content(batch: Any) -> Any:
    """Return a batch's content: arrays are tensors and tuples lists, as torch makes them of a batch anyway."""
    pairs = children(batch)
    if pairs is None:
        return fingerprint(torch.as_tensor(batch))
    return {str(key): _content(child) for key, child in pairs}


def refusal_to_rebuild(batch: Any) -> str:
    """Return why a batch's containers cannot be built anew from their leaves; "" where they can."""
    try:
        tree_map(lambda leaf: leaf, batch)
    except Exception as error:  # noqa: BLE001 - a user's container may refuse in any way
        return reason(error)
    return ""


class ConstantObjects:
    """A collate function that sends the arrays of the first batch in place of the Python objects of every batch.

    So the cost of sending objects is gone, and nothing else: batches are made as before, and their tensors are sent.
    """

    def __init__(self, collate_fn: Callable[[Any], Any]) -> None:
        self.collate_fn = collate_fn
        self.constant: Any = None
        self.has_tensors = False  # searching a batch for tensors costs as much as pickling the objects around them

    def __call__(self, samples: Any) -> Any:
        """Return the first batch's arrays, and this one's tensors."""
        batch = self.collate_fn(samples)
        if self.constant is None:
            self.has_tensors = bool(tree_tensors(batch))
            self.constant = tree_map(lambda leaf: None if isinstance(leaf, Tensor) else leaf, to_arrays(batch))
        return (self.constant, tree_tensors(batch)) if self.has_tensors else self.constant
