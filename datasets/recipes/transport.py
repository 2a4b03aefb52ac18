"""Collate functions that make batches cheaper to send from a worker to the main process; each wraps another one.

A DataLoader sends every tensor of a batch by itself: a file is created in shared memory, its descriptor sent, the file
mapped. Every string and number is pickled by itself. These send fewer things::

    DataLoader(dataset, num_workers=4, collate_fn=Packed(default_collate))

- `Packed` sends one tensor of each dtype;
- `Reused` sends batches through the same shared memory again and again;
- `Arrayed` turns lists of numbers and strings into arrays.

With ``num_workers=0`` nothing is sent, and `Packed` and `Reused` return the batch of the wrapped collate function.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from loaderbench.datasets.collate import default, empty_batch, stack_into, stack_samples
from loaderbench.datasets.pytree import written
from loaderbench.datasets.recipes.compact import CompactSequence
from loaderbench.datasets.recipes.tensor_pickling import with_tensors, without_tensors

Collate = Callable[[Any], Any]
SlotName = tuple[int, int, int]  # the worker's process, the number of its `Reused` in it, the number of the slot

FEW_TENSORS = 2  # of a batch: fewer are not worth packing

_ALIGNMENT = 64  # bytes: tensors begin at multiples of it in shared memory
_STACKING = (default, default_collate, stack_into)  # collate functions that can write into given memory
_NUMBER_TYPES = {bool, int, float}
_instance_numbers = count()  # of the `Reused` of this process
_received: dict[SlotName, Tensor] = {}  # memory of the slots that workers have sent to this process


class Packed:
    """Send the tensors of a batch as one tensor of each dtype; the main process gets views of it, without a copy."""

    def __init__(self, collate_fn: Collate) -> None:
        self.collate_fn = collate_fn

    def __repr__(self) -> str:
        return f"Packed({written(self.collate_fn)})"

    def __call__(self, samples: Any) -> Any:
        """Return the batch, packed for pickling if this is a worker."""
        batch = self.collate_fn(samples)
        return batch if get_worker_info() is None else PackedBatch(batch)


class Reused:
    """Send batches through shared memory that is used again, so that no file is created, mapped and zeroed for each.

    Each worker has `slots` pieces of memory, each as large as its largest batch, and writes to them in turn. **A batch
    is overwritten later**: the training loop must be done with it when it asks for the second batch after it, and must
    copy what it keeps. `slots` must be at least what `fewest_slots` returns.

    `default_collate` and `stack_into` write into the memory directly; the batch of any other `collate_fn` is copied.
    """

    def __init__(self, collate_fn: Collate, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"slots must be >= 1, got {slots}")
        self.collate_fn = collate_fn
        self.slots = slots
        self.owner = (0, 0)  # this worker's process and the number of this object in it
        self.buffers: list[_SharedBuffer] = []
        self.batches = 0  # made by this worker

    def __repr__(self) -> str:
        return f"Reused({written(self.collate_fn)}, slots={self.slots})"

    def __call__(self, samples: Any) -> Any:
        """Return the batch in the worker's next slot."""
        if get_worker_info() is None:
            return self.collate_fn(samples)
        if self.owner[0] != os.getpid():
            self.owner, self.batches = (os.getpid(), next(_instance_numbers)), 0
            self.buffers = [_SharedBuffer() for _ in range(self.slots)]
        slot = self.batches % self.slots
        self.batches += 1
        buffer = self.buffers[slot]
        buffer.clear()
        stacks = self.collate_fn in _STACKING
        batch = stack_samples(samples, buffer.allocate) if stacks else self.collate_fn(samples)
        rest, tensors = without_tensors(batch)
        return _SlotBatch((*self.owner, slot), rest, buffer.store(tensors), buffer.take_if_new())


def fewest_slots(prefetch_factor: int, num_workers: int, *, is_stream: bool) -> int:
    """Return how many slots a loader takes: more for an iterable-style dataset, whose workers may end apart.

    >>> fewest_slots(2, 4, is_stream=False), fewest_slots(2, 4, is_stream=True)
    (4, 7)
    """
    return prefetch_factor + (num_workers + 1 if is_stream else 2)


class Arrayed:
    """Turn a batch's lists into arrays, which are pickled at once (see `to_arrays`).

    This changes the type of the batch that the training loop gets. Arrays, not tensors: a small array is part of the
    batch's pickle, while a tensor costs a file of its own.
    """

    def __init__(self, collate_fn: Collate) -> None:
        self.collate_fn = collate_fn

    def __repr__(self) -> str:
        return f"Arrayed({written(self.collate_fn)})"

    def __call__(self, samples: Any) -> Any:
        """Return the batch with arrays for lists."""
        return to_arrays(self.collate_fn(samples))


class CompactStrings(CompactSequence):
    """A read-only list of strings in one array of their UTF-8 bytes."""

    def __init__(self, strings: Sequence[str]) -> None:
        joined = "".join(strings)
        encoded = joined.encode()
        is_ascii = len(encoded) == len(joined)
        sizes = map(len, strings if is_ascii else [string.encode() for string in strings])
        ends = np.fromiter(sizes, np.int64, len(strings)).cumsum()
        super().__init__(ends, np.frombuffer(encoded, np.uint8))

    def decode(self, encoded: bytes) -> str:
        """Return the string."""
        return encoded.decode()


def to_arrays(batch: Any) -> Any:
    """Return `batch` with arrays for its lists and tuples of numbers or strings; everything else stays as it is.

    A list of strings becomes `CompactStrings`; a list of mappings with the same keys, a mapping of such arrays; a list
    of lists of numbers, a pair of arrays: their values end to end, and their lengths.

    >>> to_arrays({"ids": [3, 5], "names": ("a", "bc")})["names"][1]
    'bc'
    """
    if isinstance(batch, Mapping):
        return {key: to_arrays(child) for key, child in batch.items()}
    return _list_to_arrays(batch) if isinstance(batch, (list, tuple)) and batch else batch


def _list_to_arrays(items: Sequence[Any]) -> Any:
    types = set(map(type, items))
    if types == {str}:
        return CompactStrings(items)
    if types <= _NUMBER_TYPES:
        return np.array(items)
    if all(issubclass(kind, Mapping) for kind in types) and len({tuple(item) for item in items}) == 1:
        return {key: to_arrays([item[key] for item in items]) for key in items[0]}
    if types <= {list, tuple} and set().union(*(map(type, item) for item in items)) <= _NUMBER_TYPES:
        return np.array(list(chain.from_iterable(items))), np.array([len(item) for item in items])
    return [to_arrays(item) for item in items]


def release_slots() -> None:
    """Free the shared memory that `Reused` has sent to this process; call it when the loaders are gone."""
    _received.clear()


@dataclass(frozen=True, slots=True)
class _TensorSlice:
    """Where the content of a tensor lies: the first element (or byte) of it, its dtype and shape."""

    dtype: torch.dtype
    start: int
    shape: torch.Size


class PackedBatch:
    """A batch that is pickled as one tensor of each dtype, and unpickled as the batch."""

    def __init__(self, batch: Any) -> None:
        # The batch is taken apart here and not in __reduce__: an error that is raised while it is pickled is lost.
        self.rest, tensors = without_tensors(batch)
        self.pieces: dict[torch.dtype, list[Tensor]] = {}
        self.lengths: dict[torch.dtype, int] = {}
        self.slices = [self._add(tensor) for tensor in tensors]

    def _add(self, tensor: Tensor) -> _TensorSlice:
        start = self.lengths.get(tensor.dtype, 0)
        self.lengths[tensor.dtype] = start + tensor.numel()
        self.pieces.setdefault(tensor.dtype, []).append(tensor.reshape(-1))
        return _TensorSlice(tensor.dtype, start, tensor.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        packed = {dtype: _concatenated(pieces) for dtype, pieces in self.pieces.items()}
        return _unpack, (self.rest, self.slices, packed)


def _concatenated(pieces: list[Tensor]) -> Tensor:
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat(pieces, out=empty_batch((sum(map(len, pieces)),), pieces[0].dtype))


def _unpack(rest: bytes, slices: Sequence[_TensorSlice], packed: Mapping[torch.dtype, Tensor]) -> Any:
    tensors = [packed[part.dtype][part.start : part.start + part.shape.numel()].view(part.shape) for part in slices]
    return with_tensors(rest, tensors)


class _SharedBuffer:
    """A worker's shared memory for one batch at a time, filled from its beginning; it grows to the largest batch."""

    def __init__(self) -> None:
        self.memory = torch.empty(0, dtype=torch.uint8)
        self.used = 0  # bytes
        self.is_new = False  # not sent yet

    def clear(self) -> None:
        """Begin to fill it anew."""
        self.used = 0

    def allocate(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return an unfilled tensor in the memory."""
        size = torch.Size(shape).numel() * dtype.itemsize
        if self.used + size > self.memory.nbytes:
            self._grow(_aligned(self.used + size))
        start, self.used = self.used, _aligned(self.used + size)
        return self.memory[start : start + size].view(dtype).view(shape)

    def store(self, tensors: Sequence[Tensor]) -> list[_TensorSlice]:
        """Return where each of `tensors` lies in the memory; what lies elsewhere is copied into it."""
        missing = sum(_aligned(tensor.nbytes) for tensor in tensors if not self._contains(tensor))
        if missing and self.used + missing > self.memory.nbytes:
            self._grow(sum(_aligned(tensor.nbytes) for tensor in tensors))
            self.used = 0
        return [self._slice_of(tensor) for tensor in tensors]

    def take_if_new(self) -> Tensor | None:
        """Return the memory if the main process does not have it yet."""
        is_new, self.is_new = self.is_new, False
        return self.memory if is_new else None

    def _grow(self, size: int) -> None:
        self.memory = torch.empty(max(size, 2 * self.memory.nbytes), dtype=torch.uint8).share_memory_()
        self.is_new = True

    def _contains(self, tensor: Tensor) -> bool:
        return (
            tensor.is_contiguous() and tensor.untyped_storage().data_ptr() == self.memory.untyped_storage().data_ptr()
        )

    def _slice_of(self, tensor: Tensor) -> _TensorSlice:
        if not self._contains(tensor):
            tensor = self.allocate(tensor.shape, tensor.dtype).copy_(tensor)
        return _TensorSlice(tensor.dtype, int(tensor.storage_offset()) * tensor.dtype.itemsize, tensor.shape)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


@dataclass(frozen=True, slots=True)
class _SlotBatch:
    """A batch in a slot: its memory is sent the first time, and only the slot's name from then on."""

    name: SlotName
    rest: bytes
    slices: list[_TensorSlice]
    memory: Tensor | None

    def __reduce__(self) -> tuple[Any, ...]:
        return _read_slot, (self.name, self.rest, self.slices, self.memory)


def _read_slot(name: SlotName, rest: bytes, slices: Sequence[_TensorSlice], new_memory: Tensor | None) -> Any:
    if new_memory is not None:
        if name not in _received:
            _release_slots_of_ended_workers()
        _received[name] = new_memory
    memory = _received[name]

    def view(part: _TensorSlice) -> Tensor:
        size = part.shape.numel() * part.dtype.itemsize
        return memory[part.start : part.start + size].view(part.dtype).view(part.shape)

    return with_tensors(rest, [view(part) for part in slices])


def _release_slots_of_ended_workers() -> None:
    """Free the slots of workers that are gone: without persistent_workers, each epoch has others."""
    for process in {name[0] for name in _received}:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            for name in [name for name in _received if name[0] == process]:
                del _received[name]
