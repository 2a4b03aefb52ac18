"""Check that an object works as a Dataset of a DataLoader, before it is measured.

`check_dataset` returns the properties of a dataset, or raises an error of one line that names the dataset, what is
wrong and what to change.
"""

import io
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from time import perf_counter
from typing import Any, Literal

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from loaderbench.datasets.pytree import count_leaves, describe, fingerprint, tree_leaves

Kind = Literal["map", "iterable"]
_LARGEST_COPY = 64 << 20  # bytes: of a larger pickle the size is measured, but no copy is made
_FEWEST_SAMPLES = 2  # of a map-style dataset, however slow they are
_LONGEST_MESSAGE = 200  # characters of another error's message that are quoted


class InvalidDatasetError(ValueError):
    """The dataset cannot be loaded as it is; the message says what is wrong and what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetProperties:
    """What a few samples show of a dataset."""

    name: str  #: its class
    kind: Kind  #: map-style (read by index) or iterable-style (read by ``iter()``)
    length: int | None  #: samples; None for an iterable-style dataset without a length
    has_getitems: bool  #: whether the DataLoader will call ``__getitems__``
    deterministic: bool  #: whether samples were equal when read again; False also where they cannot be compared
    pickled_bytes: int | None  #: bytes of ``pickle.dumps``; a DataLoader sends tensors through shared memory instead
    pickle_error: str | None  #: why a spawned worker cannot receive it; a forked worker needs no pickle
    sample: str  #: structure, dtypes and shapes of the first sample
    tensors_per_sample: float  #: mean of the samples read
    bytes_per_sample: float  #: mean of the samples read


def check_dataset(dataset: Any, *, samples: int = 8, within_s: float = 1.0) -> DatasetProperties:
    """Return the properties of `dataset`; raise InvalidDatasetError if it cannot be loaded.

    `dataset` may be anything with ``__getitem__`` and ``__len__``, or with ``__iter__``. At most `samples` samples are
    read, each twice: the first, the last and, within `within_s` seconds, others between them; or the first ones of an
    iterable-style dataset, whose first pass is read to its end if it ends within `within_s` seconds. With
    ``__getitems__``, they are read as a batch too, which must hold the same. Before that it is pickled, and the copy
    must return a sample. Samples that change between reads and a dataset that cannot be pickled are properties, not
    errors. Reading may advance the global random number generators.
    """
    if samples < 1:
        raise ValueError(f"samples must be >= 1, got {samples}")
    kind = _kind(dataset)
    length = _map_length(dataset) if kind == "map" else _stream_length(dataset)
    pickled_bytes, pickle_error = _pickled(dataset, kind)  # as it is before it is read: a file may be opened then
    if kind == "map":
        first, again = _map_samples(dataset, length or 0, samples, within_s)
    else:
        first, again = _stream_samples(dataset, length, samples, within_s)
    counts = [count_leaves(sample) for sample in first]
    return DatasetProperties(
        name=_name(dataset),
        kind=kind,
        length=length,
        has_getitems=kind == "map" and _has_getitems(dataset),
        deterministic=_are_equal(first, again),
        pickled_bytes=pickled_bytes,
        pickle_error=pickle_error,
        sample=describe(first[0]),
        tensors_per_sample=fmean(count.tensors for count in counts),
        bytes_per_sample=fmean(count.bytes for count in counts),
    )


def _kind(dataset: Any) -> Kind:
    if isinstance(dataset, type):
        raise InvalidDatasetError(f"{dataset.__name__} is a class, not a dataset: call it and pass what it returns")
    name = _name(dataset)
    if isinstance(dataset, DataLoader):
        raise InvalidDatasetError(f"it is a {name}, not a dataset: give it as --from-loader, or name its .dataset")
    methods = {method for method in ("__getitem__", "__len__", "__iter__") if hasattr(type(dataset), method)}
    if isinstance(dataset, IterableDataset):
        return "iterable"
    if {"__getitem__", "__len__"} <= methods:
        return "map"
    if "__iter__" in methods:
        return "iterable"
    if "__getitem__" in methods:
        raise InvalidDatasetError(f"{name} has __getitem__ but no __len__: add __len__, the number of samples")
    raise InvalidDatasetError(f"{name} must have __getitem__ and __len__, or __iter__; it has neither")


def _map_length(dataset: Any) -> int:
    try:
        length = len(dataset)
    except (Exception, SystemExit) as error:
        raise _length_error(dataset, error) from error
    if length == 0:
        raise InvalidDatasetError(f"{_name(dataset)} is empty: len() is 0; check where its data is read from")
    return length


def _stream_length(dataset: Any) -> int | None:
    """Return ``len(dataset)``; None if the dataset has no length, or does not know it."""
    if not hasattr(type(dataset), "__len__"):
        return None
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):
        return None
    except (Exception, SystemExit) as error:
        raise _length_error(dataset, error) from error


def _length_error(dataset: Any, error: BaseException) -> InvalidDatasetError:
    return InvalidDatasetError(
        f"len({_name(dataset)}) raised {_one_line(error)}; __len__ must return the number of samples"
    )


def _map_samples(dataset: Any, length: int, samples: int, within_s: float) -> tuple[list[Any], list[Any]]:
    """Read samples at indices spread from the first to the last, twice: these two, and others within `within_s` s."""
    count = min(samples, length)
    indices = sorted({number * (length - 1) // max(1, count - 1) for number in range(count)})
    by_index: dict[int, Any] = {}
    ends = perf_counter() + within_s
    for index in sorted(indices, key=lambda index: 0 < index < length - 1):  # the first and the last before others
        if len(by_index) >= _FEWEST_SAMPLES and perf_counter() > ends:
            break
        by_index[index] = _item(dataset, index, length)
    indices = sorted(by_index)
    first, again = [by_index[index] for index in indices], [_item(dataset, index, length) for index in indices]
    if _has_getitems(dataset):
        _check_getitems(dataset, indices, first, again)
    return first, again


def _item(dataset: Any, index: int, length: int) -> Any:
    with _reraised(f"{_name(dataset)}[{index}]", f"len() is {length}, so {_index_rule(dataset, length)}"):
        return dataset[index]


def _index_rule(dataset: Any, length: int) -> str:
    if isinstance(dataset, Mapping):
        keys = ", ".join(repr(key) for key in islice(dataset, 5))
        return f"{keys} must be 0 to {length - 1}: if each is a dataset, pass one of them"
    return f"every index from 0 to {length - 1} must give a sample"


def _check_getitems(dataset: Any, indices: list[int], first: list[Any], again: list[Any]) -> None:
    call = f"{_name(dataset)}.__getitems__({indices})"
    with _reraised(call, "it must return a sample for each index"):
        samples = dataset.__getitems__(indices)
        returned = len(samples)
    if returned != len(indices):
        raise InvalidDatasetError(f"{call} returned {returned} samples; it must return one for each index")
    if not isinstance(samples, (list, tuple, Tensor, np.ndarray)):
        return  # a batch of its own kind, which only its collate_fn understands
    if not (_hold_the_same(first, samples) if _hold_the_same(first, again) else _are_alike(first, samples)):
        raise InvalidDatasetError(
            f"{call} returned other samples than __getitem__ does: {describe(samples[0])} for {describe(first[0])}. "
            "A DataLoader prefers it: override it too, or keep __getattr__ from showing that of an inner dataset"
        )


def _hold_the_same(first: Sequence[Any], others: Any) -> bool:
    """Return whether samples have equal leaves, whatever containers these are in."""

    def content(samples: Iterable[Any]) -> list[list[bytes]]:
        return [[fingerprint(_plain(leaf)) for leaf in tree_leaves(sample)] for sample in samples]

    try:
        return content(first) == content(others)
    except Exception:  # noqa: BLE001  hashing an object of the user's may raise anything
        return False


def _plain(leaf: Any) -> Any:
    return leaf.item() if isinstance(leaf, np.generic) else leaf


def _are_alike(first: Sequence[Any], others: Any) -> bool:
    """Return whether any sample of `others` has the structure and dtypes of one of `first`, whatever its shapes."""

    def kinds(samples: Iterable[Any]) -> set[str]:
        return {re.sub(r"\((\d+,? ?)*\)|\d+x\d+", "", describe(sample)) for sample in samples}

    return bool(kinds(first) & kinds(others))


def _has_getitems(dataset: Any) -> bool:
    return callable(getattr(dataset, "__getitems__", None))  # the DataLoader's own condition


def _stream_samples(dataset: Any, length: int | None, samples: int, within_s: float) -> tuple[list[Any], list[Any]]:
    """Read the first samples of two passes, after the end of the first pass if that comes within `within_s` seconds."""
    name = _name(dataset)
    with _reraised(f"iterating {name}", "__iter__ must return an iterator over samples"):
        iterator = iter(dataset)
        first = list(islice(iterator, samples))
        read = len(first) + _count(iterator, within_s)
    if not first:
        raise InvalidDatasetError(f"{name} is empty: iterating it gave no sample; check where its data is read from")
    if length is not None and len(first) != min(length, samples):
        count = f"at least {len(first)}" if len(first) == samples else f"{len(first)}"
        raise InvalidDatasetError(f"len({name}) is {length}, but iterating gave {count} samples; correct __len__")
    with _reraised(f"iterating {name} again", "every epoch calls iter() anew"):
        second_iterator = iter(dataset)
        again = [] if second_iterator is iterator else list(islice(second_iterator, samples))
    if len(again) < len(first):
        raise InvalidDatasetError(
            f"{name} does not begin anew: iter() gave {read} samples the first time, {len(again)} the second; "
            "its __iter__ must start from the first sample for every epoch"
        )
    return first, again


def _count(iterator: Iterator[Any], within_s: float) -> int:
    """Return how many samples are left, or how many of them are read within `within_s` seconds."""
    ends, read = perf_counter() + within_s, 0
    for _ in iterator:
        read += 1
        if perf_counter() > ends:
            break
    return read


def _are_equal(first: Sequence[Any], again: Sequence[Any]) -> bool:
    try:
        return [fingerprint(sample) for sample in first] == [fingerprint(sample) for sample in again]
    except Exception:  # noqa: BLE001  hashing an object of the user's may raise anything
        return False


class _ByteCounter(io.RawIOBase):
    """A file that counts the bytes written to it, and keeps the first `_LARGEST_COPY`."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.content = io.BytesIO()

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self.size_bytes += count
        if self.size_bytes <= _LARGEST_COPY:
            self.content.write(data)
        return count


def _pickled(dataset: Any, kind: Kind) -> tuple[int | None, str | None]:
    """Return the bytes of `dataset` pickled, or None, and why it or its copy fails, or None."""
    counter = _ByteCounter()
    try:
        pickle.Pickler(counter, pickle.HIGHEST_PROTOCOL).dump(dataset)
    except (Exception, SystemExit) as error:  # noqa: BLE001  pickling an object of the user's may raise anything
        return None, _one_line(error)
    if counter.size_bytes > _LARGEST_COPY:
        return counter.size_bytes, None
    try:
        copy = pickle.loads(counter.content.getvalue())  # noqa: S301  pickled a few lines above
        _ = copy[0] if kind == "map" else next(iter(copy))
    except (Exception, SystemExit) as error:  # noqa: BLE001  as above
        return counter.size_bytes, f"its copy raised {_one_line(error)}"
    return counter.size_bytes, None


@contextmanager
def _reraised(call: str, remedy: str) -> Iterator[None]:
    """Turn whatever `call` raises into InvalidDatasetError."""
    try:
        yield
    except SystemExit as error:
        raise InvalidDatasetError(f"{call} ended the program (SystemExit: {error.code}); {remedy}") from error
    except Exception as error:
        raise InvalidDatasetError(f"{call} raised {_one_line(error)}; {remedy}") from error


def _one_line(error: BaseException) -> str:
    message = " ".join(str(error).split())
    short = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _name(dataset: Any) -> str:
    return type(dataset).__name__
