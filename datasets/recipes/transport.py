"""Collate functions around another one, by which its batches cross from a worker to the main process more cheaply.

Every tensor of a batch crosses by itself: a descriptor is sent, a file in shared memory made and mapped. Every string
and every number is pickled by itself. Here many become few. Without workers nothing crosses, and a batch is left as
it is.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from loaderbench.datasets.collate import default, empty_batch, stack_into, stack_samples
from loaderbench.datasets.pytree import tree_leaves, tree_map
from loaderbench.datasets.recipes.compact import CompactSequence

Collate = Callable[[Any], Any]
Name = tuple[int, int, int]  # of a slot: process, ring, number

_ALIGNED = 64  # bytes: where a tensor may begin in shared memory
_STACKING = (default, default_collate, stack_into)  # collate functions that can write where they are told to
_NUMBERS = {bool, int, float}
_rings = count()  # of this process
_slots: dict[Name, Tensor] = {}  # what this process has been sent by others


class Packed:
    """A batch crosses as one tensor of each dtype, and is taken apart where it arrives: in views, without a copy."""

    def __init__(self, collate_fn: Collate) -> None:
        self.collate_fn = collate_fn

    def __call__(self, samples: Any) -> Any:
        """The batch, packed when it is pickled."""
        batch = self.collate_fn(samples)
        return batch if get_worker_info() is None else _Parcel.of(batch)


class Reused:
    """A batch crosses in shared memory that is used again: no file is made, mapped and filled with zeros for it.

    Each worker has `slots` pieces of it, as large as its largest batch. The loop must be done with a batch when it asks
    for the one after the next: `slots` is to be prefetch_factor + 2 (of a stream, whose workers may end one by one,
    prefetch_factor + num_workers + 1), and whoever keeps a batch must copy it. A
    `collate_fn` that stacks (torch's default, `stack_into`) writes there at once, another one's batch is copied.
    """

    def __init__(self, collate_fn: Collate, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"slots must be >= 1, got {slots}")
        self.collate_fn, self.slots = collate_fn, slots
        self.ring = (0, 0)  # the process and the number of its ring
        self.held: list[_Memory] = []
        self.made = 0

    def __call__(self, samples: Any) -> Any:
        """The batch, in the next slot."""
        if get_worker_info() is None:
            return self.collate_fn(samples)
        if self.ring[0] != os.getpid():
            self.ring, self.made = (os.getpid(), next(_rings)), 0
            self.held = [_Memory() for _ in range(self.slots)]
        number = self.made % self.slots
        self.made += 1
        memory = self.held[number]
        memory.begin()
        stacks = self.collate_fn in _STACKING
        batch = stack_samples(samples, memory.allocate) if stacks else self.collate_fn(samples)
        return _Slot((*self.ring, number), memory.place(batch), memory.news())


class Arrayed:
    """A batch's lists of numbers become arrays, its lists of strings one array of their letters each.

    A list of mappings becomes a mapping of such columns; a list of lists of numbers, their values end to end and their
    lengths. Arrays, not tensors: a small one crosses with the batch's pickle, a tensor by a descriptor of its own. The
    loop is given these, as it should be: the type of such a batch is another.
    """

    def __init__(self, collate_fn: Collate) -> None:
        self.collate_fn = collate_fn

    def __call__(self, samples: Any) -> Any:
        """The batch, of arrays."""
        return to_arrays(self.collate_fn(samples))


class CompactStrings(CompactSequence):
    """Strings in one array of their UTF-8: `texts[number]` is decoded when it is asked for."""

    def __init__(self, texts: Sequence[str]) -> None:
        whole = "".join(texts)
        letters = whole.encode()
        sizes = map(len, texts if len(letters) == len(whole) else [text.encode() for text in texts])
        self.ends = np.fromiter(sizes, np.int64, len(texts)).cumsum()
        self.held = np.frombuffer(letters, np.uint8)

    def read(self, content: bytes) -> str:
        """Decode it."""
        return content.decode()


def to_arrays(thing: Any) -> Any:
    """`thing` with its lists of numbers and strings as arrays; what is neither is left as it is.

    >>> to_arrays({"ids": [3, 5], "names": ("a", "bc")})["names"][1]
    'bc'
    """
    if isinstance(thing, Mapping):
        return {key: to_arrays(part) for key, part in thing.items()}
    return _column(thing) if isinstance(thing, (list, tuple)) and thing else thing


def _column(things: Sequence[Any]) -> Any:
    kinds = set(map(type, things))
    if kinds == {str}:
        return CompactStrings(things)
    if kinds <= _NUMBERS:
        return np.array(things)
    if all(issubclass(kind, Mapping) for kind in kinds) and len({tuple(each) for each in things}) == 1:
        return {key: to_arrays([each[key] for each in things]) for key in things[0]}
    if kinds <= {list, tuple} and set().union(*(map(type, each) for each in things)) <= _NUMBERS:
        return np.array(list(chain.from_iterable(things))), np.array([len(each) for each in things])
    return [to_arrays(each) for each in things]


def release_slots() -> None:
    """Let go of what loaders that are gone had sent by `Reused`."""
    _slots.clear()


def _forget_the_dead() -> None:
    """Let go of what workers had sent that are gone: the next epoch's, without persistent_workers, are others."""
    for process in {name[0] for name in _slots}:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            for name in [each for each in _slots if each[0] == process]:
                del _slots[name]


class _Place:
    """Where a tensor of a batch lies in what is sent: its first element (or byte), its shape and dtype."""

    __slots__ = ("begins", "dtype", "shape")

    def __init__(self, dtype: torch.dtype, begins: int, shape: torch.Size) -> None:
        self.dtype, self.begins, self.shape = dtype, begins, shape


def _is_plain(leaf: Any) -> bool:
    """Whether it is a tensor as such, which a view of memory can stand for: a subclass is more than its values."""
    is_dense = type(leaf) is Tensor and leaf.layout is torch.strided
    return is_dense and not leaf.is_nested and not leaf.is_quantized and leaf.device.type == "cpu"


class _Parcel:
    """A batch on its way: what it is pickled to is one tensor of each dtype, and what it becomes is the batch."""

    def __init__(self, skeleton: Any, held: dict[torch.dtype, list[Tensor]]) -> None:
        self.skeleton, self.held = skeleton, held

    @classmethod
    def of(cls, batch: Any) -> "_Parcel":
        """`batch`, taken apart: here, as what fails while it is pickled is lost and not told."""
        held: dict[torch.dtype, list[Tensor]] = {}
        filled: dict[torch.dtype, int] = {}

        def placed(leaf: Any) -> Any:
            if not _is_plain(leaf):
                return leaf
            begins = filled.get(leaf.dtype, 0)
            filled[leaf.dtype] = begins + leaf.numel()
            held.setdefault(leaf.dtype, []).append(leaf.reshape(-1))
            return _Place(leaf.dtype, begins, leaf.shape)

        return cls(tree_map(placed, batch), held)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.skeleton, {dtype: _joined(pieces) for dtype, pieces in self.held.items()})


def _joined(pieces: list[Tensor]) -> Tensor:
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat(pieces, out=empty_batch((sum(map(len, pieces)),), pieces[0].dtype))


def _opened(skeleton: Any, packed: dict[torch.dtype, Tensor]) -> Any:
    def unpacked(leaf: Any) -> Any:
        if not isinstance(leaf, _Place):
            return leaf
        return packed[leaf.dtype][leaf.begins : leaf.begins + leaf.shape.numel()].view(leaf.shape)

    return tree_map(unpacked, skeleton)


@dataclass(slots=True)
class _Memory:
    """Shared memory of a worker, filled from its beginning for each batch, and larger where one needs it."""

    held: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    filled: int = 0
    is_new: bool = False

    def begin(self) -> None:
        """Nothing in it is needed any more."""
        self.filled = 0

    def allocate(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """An unfilled tensor in it."""
        size = torch.Size(shape).numel() * dtype.itemsize
        if self.filled + size > self.held.nbytes:
            self._grow(_aligned(self.filled + size))
        begins, self.filled = self.filled, _aligned(self.filled + size)
        return self.held[begins : begins + size].view(dtype).view(shape)

    def place(self, batch: Any) -> Any:
        """`batch` with a place in it for each tensor; what lies elsewhere is copied."""
        outside = [leaf for leaf in _tensors(batch) if not self._holds(leaf)]
        if outside and self.filled + sum(_aligned(leaf.nbytes) for leaf in outside) > self.held.nbytes:
            self._grow(sum(_aligned(leaf.nbytes) for leaf in _tensors(batch)))
            self.filled = 0
        return tree_map(self._placed, batch)

    def news(self) -> Tensor | None:
        """The memory itself, where it has not been sent yet."""
        is_new, self.is_new = self.is_new, False
        return self.held if is_new else None

    def _grow(self, size: int) -> None:
        self.held = torch.empty(max(size, 2 * self.held.nbytes), dtype=torch.uint8).share_memory_()
        self.is_new = True

    def _holds(self, leaf: Tensor) -> bool:
        return leaf.is_contiguous() and leaf.untyped_storage().data_ptr() == self.held.untyped_storage().data_ptr()

    def _placed(self, leaf: Any) -> Any:
        if not _is_plain(leaf):
            return leaf
        if not self._holds(leaf):
            leaf = self.allocate(leaf.shape, leaf.dtype).copy_(leaf)
        return _Place(leaf.dtype, leaf.storage_offset() * leaf.dtype.itemsize, leaf.shape)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _tensors(batch: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(batch) if _is_plain(leaf)]


class _Slot:
    """A batch in a slot, on its way: the slot itself is sent once, and then only its name."""

    def __init__(self, name: Name, skeleton: Any, memory: Tensor | None) -> None:
        self.name, self.skeleton, self.memory = name, skeleton, memory

    def __reduce__(self) -> tuple[Any, ...]:
        return _read, (self.name, self.skeleton, self.memory)


def _read(name: Name, skeleton: Any, sent: Tensor | None) -> Any:
    if sent is not None:
        if name not in _slots:
            _forget_the_dead()
        _slots[name] = sent
    memory = _slots[name]

    def found(leaf: Any) -> Any:
        if not isinstance(leaf, _Place):
            return leaf
        size = leaf.shape.numel() * leaf.dtype.itemsize
        return memory[leaf.begins : leaf.begins + size].view(leaf.dtype).view(leaf.shape)

    return tree_map(found, skeleton)
