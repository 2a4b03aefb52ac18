"""What a batch is when a worker sends it: the storages that go to shared memory, and whether it arrives."""

import io
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch

from loaderbench.benches.harness.failures.failure_line import reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Storages:
    """How many storages a batch's tensors have, and their bytes."""

    count: int
    bytes: int
    object_bytes: int = field(default=0, compare=False)
    """Of all else in the batch, pickled."""


class _StorageCounter(ForkingPickler):
    """The pickler of a worker, which counts storages instead of sharing them.

    So what is counted is what crosses: the indices and values of sparse tensors, the buffers of nested ones, and
    tensors inside objects of any class.
    """

    def __init__(self) -> None:
        self.file = io.BytesIO()
        super().__init__(self.file)
        self.sizes: dict[int, int] = {}

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, torch.UntypedStorage):
            return NotImplemented
        self.sizes[obj.data_ptr()] = obj.nbytes()
        return bytes, ()


def tensor_storages(batch: Any) -> Storages:
    """Return the storages that go to shared memory with a batch: a view is sent with all that it is a view of.

    Raises what pickling the batch raises.
    """
    counter = _StorageCounter()
    counter.dump(batch)
    return Storages(
        count=len(counter.sizes), bytes=sum(counter.sizes.values()), object_bytes=counter.file.getbuffer().nbytes
    )


def pickling_fault(batch: Any) -> str | None:
    """Return why a worker cannot send a batch, in one line; None where it can."""
    try:
        tensor_storages(batch)
    except Exception as error:  # noqa: BLE001 - pickling an object of the user's may raise anything
        return f"it cannot be pickled: {reason(error)}"
    return None


def unpickling_fault(batch: Any) -> str | None:
    """Return why a batch that was sent cannot be received; None where it can. It goes through shared memory."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(batch))
    except Exception as error:  # noqa: BLE001 - as above
        return f"it cannot be unpickled: {reason(error)}"
    return None
