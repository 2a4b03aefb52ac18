"""From a list of samples to a batch. All of these are picklable by name.

What counts as *ragged*, for `pad` and `pack`, is told from a sample and never from the batch at hand: a field
is ragged where it is one-dimensional (a tensor, an array, or a list or tuple of numbers), even if all happen
to be as long. The lengths (or offsets) of a ragged field are added under ``Length`` (``Offset``) where it is
the only one, and under its own name and that word (``Source_Length``) where there are several. Every other
field is torch's `default_collate`'s.
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
    """The samples of a batch whose fields already lie stacked, as one fancy index leaves them.

    To every collate function it is what ``__getitems__`` owes, a list of samples; `default` takes the fields
    whole.

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
    """What torch's `default_collate` makes; a batch that is `Stacked` is taken as it is.

    >>> default([(torch.tensor([1, 2]), 0), (torch.tensor([3, 4]), 1)])
    [tensor([[1, 2],
            [3, 4]]), tensor([0, 1])]
    """
    return list(samples.fields) if isinstance(samples, Stacked) else default_collate(samples)


def pad(samples: Sequence[Any]) -> Any:
    """Ragged fields (L,) as one tensor (B, longest L), filled with 0 after their end, and their lengths (B,).

    >>> pad([{"Text": torch.tensor([5, 6]), "Class": 0}, {"Text": torch.tensor([7]), "Class": 1}])
    {'Text': tensor([[5, 6],
            [7, 0]]), 'Class': tensor([0, 1]), 'Length': tensor([2, 1])}
    """
    return _ragged(samples, _padded, "Length")


def pack(samples: Sequence[Any]) -> Any:
    """Ragged fields (L,) end to end in one tensor (sum of L,), and the offsets (B,) at which each begins.

    These are ``EmbeddingBag``'s two arguments.

    >>> pack([{"Text": torch.tensor([5, 6]), "Class": 0}, {"Text": torch.tensor([7]), "Class": 1}])
    {'Text': tensor([5, 6, 7]), 'Class': tensor([0, 1]), 'Offset': tensor([0, 2])}
    """
    return _ragged(samples, _packed, "Offset")


def stack_into(samples: Sequence[Any]) -> Any:
    """Each field of fixed shape written into one batch allocated beforehand: in a worker, in shared memory.

    Mappings stay mappings, and lists and tuples become lists, as with `default_collate`. Unlike it, arrays
    are copied once, straight into the batch, without becoming a tensor each.

    >>> stack_into([{"x": np.array([1, 2])}, {"x": np.array([3, 4])}])
    {'x': tensor([[1, 2],
            [3, 4]])}
    """
    return stack_samples(samples, empty_batch)


def stack_samples(samples: Sequence[Any], allocate: Callable[[tuple[int, ...], torch.dtype], Tensor]) -> Any:
    """As `stack_into`, each field written to what `allocate` returns for its shape and dtype."""
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
    return [row.to(dtype) for row in rows]  # torch takes an empty list for one of floats


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    return pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


def _packed(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    starts = list(accumulate((len(row) for row in rows[:-1]), initial=0))
    return torch.cat(rows), torch.tensor(starts)


def empty_batch(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An unfilled tensor; in a worker it lies in shared memory, where the main process will read it."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    size_bytes = torch.empty(shape, dtype=dtype, device="meta").nbytes
    if not size_bytes:  # no file is that short
        return torch.empty(shape, dtype=dtype)
    storage: Any = torch.UntypedStorage  # its class method has neither a public name nor types
    shared = storage._new_shared(size_bytes)  # noqa: SLF001  as default_collate does it
    return torch.empty(0, dtype=dtype).set_(shared).view(shape)
