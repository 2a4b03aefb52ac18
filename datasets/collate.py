"""Collate functions: a list of samples becomes a batch. All of them can be pickled.

`pad` and `pack` take *ragged* fields: one-dimensional tensors or arrays, or lists or tuples of numbers, even if all in
a batch happen to have the same length. They add the lengths (or offsets) as the field ``Length`` (``Offset``) or, if
there are several ragged fields, ``Source_Length`` and so on. All other fields are collated by `default_collate`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import default_collate, get_worker_info


class Stacked(Sequence[tuple[Tensor, ...]]):
    """The samples of a batch whose fields are stacked already, as one advanced index returns them.

    ``__getitems__`` can return it in place of a list of samples: collate functions see a sequence of samples, and
    `default` takes the stacked fields as they are.

    >>> samples = Stacked(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, 1]))
    >>> samples[1]
    (tensor([3, 4]), tensor(1))
    """

    def __init__(self, *fields: Tensor) -> None:
        self.fields = fields

    def __len__(self) -> int:
        return len(self.fields[0])

    def __getitem__(self, index: Any) -> Any:
        return self._samples[index]

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return iter(self._samples)

    @cached_property
    def _samples(self) -> list[tuple[Tensor, ...]]:
        return list(zip(*(field.unbind() for field in self.fields), strict=True))


def default(samples: list[Any] | Stacked) -> Any:
    """Return what torch's `default_collate` does; of `Stacked` samples, the list of their fields.

    >>> default([(torch.tensor([1, 2]), 0), (torch.tensor([3, 4]), 1)])
    [tensor([[1, 2],
            [3, 4]]), tensor([0, 1])]
    """
    return list(samples.fields) if isinstance(samples, Stacked) else default_collate(samples)


def pad(samples: Sequence[Any]) -> Any:
    """Pad ragged fields (L,) with 0 to one tensor (B, longest L), and add their lengths (B,).

    >>> pad([{"Text": torch.tensor([5, 6]), "Class": 0}, {"Text": torch.tensor([7]), "Class": 1}])
    {'Text': tensor([[5, 6],
            [7, 0]]), 'Class': tensor([0, 1]), 'Length': tensor([2, 1])}
    """
    return _ragged(samples, _padded, "Length")


def pack(samples: Sequence[Any]) -> Any:
    """Concatenate ragged fields (L,) to one tensor (sum of L,), and add the offsets (B,) at which they begin.

    These are the two arguments of ``EmbeddingBag``.

    >>> pack([{"Text": torch.tensor([5, 6]), "Class": 0}, {"Text": torch.tensor([7]), "Class": 1}])
    {'Text': tensor([5, 6, 7]), 'Class': tensor([0, 1]), 'Offset': tensor([0, 2])}
    """
    return _ragged(samples, _packed, "Offset")


def stack_into(samples: Sequence[Any]) -> Any:
    """Stack fields of fixed shape into a batch that is allocated beforehand: in a worker, in shared memory.

    The batch is that of `default_collate`: mappings stay mappings, lists and tuples become lists. But arrays are copied
    once, into the batch, without becoming a tensor each.

    >>> stack_into([{"x": np.array([1, 2])}, {"x": np.array([3, 4])}])
    {'x': tensor([[1, 2],
            [3, 4]])}
    """
    return stack_samples(samples, empty_batch)


def stack_samples(samples: Sequence[Any], allocate: Callable[[tuple[int, ...], torch.dtype], Tensor]) -> Any:
    """Do as `stack_into`, with each field written to what ``allocate(shape, dtype)`` returns."""
    if isinstance(samples, Stacked):
        return default(samples)
    first = samples[0]
    if isinstance(first, Mapping):
        return {key: stack_samples([sample[key] for sample in samples], allocate) for key in first}
    if isinstance(first, (list, tuple)):
        fields = [stack_samples(field, allocate) for field in zip(*samples, strict=True)]
        return type(first)(*fields) if hasattr(first, "_fields") else fields
    if isinstance(first, Tensor):
        return torch.stack(list(samples), out=allocate((len(samples), *first.shape), first.dtype))
    if isinstance(first, np.ndarray):
        batch = allocate((len(samples), *first.shape), torch.as_tensor(first).dtype)
        np.stack(samples, out=batch.numpy())
        return batch
    return default_collate(list(samples))


COLLATE_FNS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"default": default, "pad": pad, "pack": pack, "stack_into": stack_into}
)

_Combine = Callable[[list[Tensor]], tuple[Tensor, Tensor]]


def _ragged(samples: Sequence[Any], combine: _Combine, added: str) -> Any:
    first = samples[0]
    if isinstance(first, Mapping):
        return _combined({key: [sample[key] for sample in samples] for key in first}, combine, added)
    if isinstance(first, tuple):
        fields = {str(number): list(field) for number, field in enumerate(zip(*samples, strict=True))}
        return tuple(_combined(fields, combine, added).values())
    raise TypeError(f"samples must be mappings or tuples to be padded or packed, got {type(first).__name__}")


def _combined(fields: dict[str, list[Any]], combine: _Combine, added: str) -> dict[str, Any]:
    ragged = {key: combine(_rows(field)) for key, field in fields.items() if _is_row(field[0])}
    batch = {key: ragged[key][0] if key in ragged else default_collate(field) for key, field in fields.items()}
    names = [added] if len(ragged) == 1 else [f"{key}_{added}" for key in ragged]
    return batch | {name: extra for name, (_, extra) in zip(names, ragged.values(), strict=True)}


def _is_row(value: Any) -> bool:
    if isinstance(value, (Tensor, np.ndarray)):
        return value.ndim == 1
    return isinstance(value, (list, tuple)) and all(isinstance(item, (int, float)) for item in value)


def _rows(field: list[Any]) -> list[Tensor]:
    rows = [torch.as_tensor(row) for row in field]
    dtype = next((row.dtype for row in rows if len(row)), rows[0].dtype)
    return [row.to(dtype) for row in rows]  # torch.as_tensor([]) is float32


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    return pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


def _packed(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    starts = list(accumulate((len(row) for row in rows[:-1]), initial=0))
    return torch.cat(rows), torch.tensor(starts)


def empty_batch(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return an unfilled tensor; in a worker it is in shared memory, from which the main process will read it."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    size_bytes = torch.empty(shape, dtype=dtype, device="meta").nbytes
    if not size_bytes:  # a file cannot be mapped with 0 bytes
        return torch.empty(shape, dtype=dtype)
    storage: Any = torch.UntypedStorage  # its class method is neither public nor typed
    shared = storage._new_shared(size_bytes)  # noqa: SLF001  as default_collate does
    return torch.empty(0, dtype=dtype).set_(shared).view(shape)
