"""What the tensors of a batch occupy: the storages that go to shared memory when a worker sends them."""

from dataclasses import dataclass
from typing import Any

import torch

from loaderbench.datasets.pytree import tree_tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class Storages:
    """How many storages a batch's tensors have, and their bytes."""

    count: int
    bytes: int


def tensor_storages(batch: Any) -> Storages:
    """Return the storages of a batch's dense tensors: a view is sent with all that it is a view of."""
    storages = [tensor.untyped_storage() for tensor in tree_tensors(batch) if tensor.layout is torch.strided]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return Storages(count=len(sizes), bytes=sum(sizes.values()))
