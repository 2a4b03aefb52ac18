"""What the first batch shows, and other ways to make one: indexed in one call, or with arrays for its objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.loading.storages import tensor_storages
from loaderbench.datasets.pytree import LeafCounts, children, count_leaves, fingerprint, tree_map, tree_tensors
from loaderbench.datasets.recipes.transport import to_arrays

FEWEST_TRANSPOSED = 8  # tensors in a list: fewer may be fields of a sample


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchFacts:
    """What is known of a batch without keeping it."""

    leaves: LeafCounts
    storage_bytes: int  # of its tensors: what goes to shared memory
    objects_left: int  # where its lists are arrays: those that are in no list
    not_to_arrays: str = ""  # why its lists cannot become arrays
    transposed: int = 0  # tensors that `default_collate` made of lists of numbers, one for each place in them
    not_rebuilt: str = ""  # why its containers cannot be built anew from their leaves

    @property
    def objects(self) -> int:
        """Return how many leaves are neither tensors nor arrays."""
        return objects_of(self.leaves)


def batch_facts_of(batch: Any) -> BatchFacts:
    """Return what the interventions need to know of a loader's first batch."""
    leaves = count_leaves(batch)
    objects_left, not_to_arrays = objects_of(leaves), ""
    try:
        objects_left = objects_of(count_leaves(to_arrays(batch)))
    except (TypeError, ValueError) as error:
        not_to_arrays = reason(error)
    return BatchFacts(
        leaves=leaves,
        storage_bytes=tensor_storages(batch).bytes,
        objects_left=objects_left,
        not_to_arrays=not_to_arrays,
        transposed=_transposed(batch),
        not_rebuilt=_refusal_to_rebuild(batch),
    )


def objects_of(leaves: LeafCounts) -> int:
    """Return how many leaves are neither tensors nor arrays."""
    return leaves.objects + leaves.strings


def _transposed(batch: Any) -> int:
    """Return how many tensors stand in lists of `FEWEST_TRANSPOSED` or more that have one number of each sample."""
    pairs = children(batch)
    if pairs is None:
        return 0
    inside = [child for _, child in pairs]
    if type(batch) is list and len(inside) >= FEWEST_TRANSPOSED:
        shapes = {tuple(child.shape) if isinstance(child, Tensor) else () for child in inside}
        if len(shapes) == 1 and len(next(iter(shapes))) == 1:
            return len(inside)
    return sum(map(_transposed, inside))


def _refusal_to_rebuild(batch: Any) -> str:
    try:
        tree_map(lambda leaf: leaf, batch)
    except Exception as error:  # noqa: BLE001 - a user's container may refuse in any way
        return reason(error)
    return ""


@dataclass(frozen=True, slots=True)
class WholeBatches:
    """A sampler of whole batches of indices, for ``batch_size=None``, made of the dataset when the loader is built."""

    size: int
    shuffle: bool
    drop_last: bool

    def __call__(self, dataset: Any) -> BatchSampler:
        order: Any = RandomSampler(dataset) if self.shuffle else SequentialSampler(dataset)
        return BatchSampler(order, self.size, self.drop_last)

    def __repr__(self) -> str:
        order = "RandomSampler" if self.shuffle else "SequentialSampler"
        return f"BatchSampler({order}(dataset), {self.size}, drop_last={self.drop_last})"


def indexes_batches(dataset: Any, collate_fn: Callable[[Any], Any]) -> bool:
    """Return whether ``dataset[[i, j, k]]`` is the batch of these samples."""
    try:
        indices = sorted({0, len(dataset) // 2, len(dataset) - 1})
        return bool(_content(dataset[indices]) == _content(collate_fn([dataset[index] for index in indices])))
    except Exception:  # noqa: BLE001 - a user's dataset may refuse a list in any way
        return False


def _content(batch: Any) -> Any:
    """Return a batch's content: arrays are tensors and tuples lists, as torch makes them of a batch anyway."""
    pairs = children(batch)
    if pairs is None:
        return fingerprint(torch.as_tensor(batch))
    return {str(key): _content(child) for key, child in pairs}


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
