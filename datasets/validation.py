"""The contract a dataset keeps, whoever wrote it; where it is broken, one clear line says so."""

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any, Literal

from torch.utils.data import IterableDataset

from loaderbench.datasets.pytree import count_leaves, describe, fingerprint

Kind = Literal["map", "iterable"]
_COPIED_BYTES = 64 << 20  # a dataset that pickles to more is counted, but no copy of it is made
_LINE = 200  # letters of a stranger's error that are passed on


class InvalidDatasetError(ValueError):
    """A dataset that cannot be loaded as it stands; the message names it, the fault and the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetProperties:
    """What is known of a dataset from a few of its samples."""

    name: str  #: its class
    kind: Kind  #: read by index, or by ``iter()``
    length: int | None  #: samples; None for an iterable that does not tell
    has_getitems: bool  #: whether it offers ``__getitems__``
    deterministic: bool  #: the same content when read again; False also where that cannot be shown
    pickled_bytes: int | None  #: bytes of ``pickle.dumps``; in a DataLoader tensors go by shared memory instead
    pickle_error: str | None  #: why a spawned worker cannot be given it; a forked one needs no pickle
    sample: str  #: the make-up of the first sample, in words
    tensors_per_sample: float  #: the mean of those read
    bytes_per_sample: float  #: the mean of those read


def check_dataset(dataset: Any, *, samples: int = 8) -> DatasetProperties:
    """The facts of `dataset`, or InvalidDatasetError: one line with what is wrong and what to do.

    Anything with ``__getitem__`` and ``__len__``, or with ``__iter__``, may come. At most `samples` samples
    are read, the first and the last among them (of an iterable, the first ones), each of them twice, and a
    batch of them where there is ``__getitems__``. Then a copy made by pickle must yield a sample. Samples
    that differ when read again and a dataset that cannot be pickled are facts, not errors. Reading may
    advance the global random generators.
    """
    if samples < 1:
        raise ValueError(f"samples must be >= 1, got {samples}")
    kind = _kind(dataset)
    length = _length(dataset, kind)
    read_twice = _map_samples if kind == "map" else _stream_samples
    first, again = read_twice(dataset, length, samples)
    pickled_bytes, pickle_error = _pickled(dataset, kind)
    parts = [count_leaves(sample) for sample in first]
    return DatasetProperties(
        name=_name(dataset),
        kind=kind,
        length=length,
        has_getitems=kind == "map" and _has_getitems(dataset),
        deterministic=_same(first, again),
        pickled_bytes=pickled_bytes,
        pickle_error=pickle_error,
        sample=describe(first[0]),
        tensors_per_sample=fmean(part.tensors for part in parts),
        bytes_per_sample=fmean(part.bytes for part in parts),
    )


def _kind(dataset: Any) -> Kind:
    if isinstance(dataset, type):
        raise InvalidDatasetError(f"{dataset.__name__} is a class, not a dataset: call it and pass what it returns")
    has = {method for method in ("__getitem__", "__len__", "__iter__") if hasattr(type(dataset), method)}
    if isinstance(dataset, IterableDataset):
        return "iterable"
    if {"__getitem__", "__len__"} <= has:
        return "map"
    if "__iter__" in has:
        return "iterable"
    if "__getitem__" in has:
        raise InvalidDatasetError(
            f"{_name(dataset)} has __getitem__ but no __len__: add __len__, the number of samples"
        )
    raise InvalidDatasetError(f"{_name(dataset)} must have __getitem__ and __len__, or __iter__; it has neither")


def _length(dataset: Any, kind: Kind) -> int | None:
    """`len(dataset)`; None where an iterable does not know it."""
    if not hasattr(type(dataset), "__len__"):
        return None
    try:
        length = len(dataset)
    except Exception as error:
        if kind == "iterable" and isinstance(error, (TypeError, NotImplementedError)):
            return None
        raise InvalidDatasetError(
            f"len({_name(dataset)}) raised {_told(error)}; __len__ must return the number of samples"
        ) from error
    if length == 0 and kind == "map":
        raise InvalidDatasetError(f"{_name(dataset)} is empty: len() is 0; check where its data is read from")
    return length


def _map_samples(dataset: Any, length: int | None, samples: int) -> tuple[list[Any], list[Any]]:
    """Samples at indices spread from the first to the last, read twice."""
    assert length is not None  # what makes it map-style
    wanted = min(samples, length)
    indices = sorted({number * (length - 1) // max(1, wanted - 1) for number in range(wanted)})
    first, again = ([_item(dataset, index, length) for index in indices] for _ in range(2))
    if _has_getitems(dataset):
        _check_getitems(dataset, indices)
    return first, again


def _item(dataset: Any, index: int, length: int) -> Any:
    with _blamed(f"{_name(dataset)}[{index}]", f"len() is {length}, so {_indices(dataset, length)}"):
        return dataset[index]


def _indices(dataset: Any, length: int) -> str:
    if isinstance(dataset, Mapping):
        keys = ", ".join(repr(key) for key in islice(dataset, 5))
        return f"{keys} must be 0 to {length - 1}: if each is a dataset, pass one of them"
    return f"every index from 0 to {length - 1} must give a sample"


def _check_getitems(dataset: Any, indices: list[int]) -> None:
    call = f"{_name(dataset)}.__getitems__({indices})"
    with _blamed(call, "it must return a sample for each index"):
        returned = len(dataset.__getitems__(indices))
    if returned != len(indices):
        raise InvalidDatasetError(f"{call} returned {returned} samples; it must return one for each index")


def _has_getitems(dataset: Any) -> bool:
    return callable(getattr(dataset, "__getitems__", None))  # as DataLoader asks


def _stream_samples(dataset: Any, length: int | None, samples: int) -> tuple[list[Any], list[Any]]:
    """The first samples of two passes."""
    name = _name(dataset)
    with _blamed(f"iterating {name}", "__iter__ must return an iterator over samples"):
        opened = iter(dataset)
        first = list(islice(opened, samples))
    if not first:
        raise InvalidDatasetError(f"{name} is empty: iterating it gave no sample; check where its data is read from")
    if length is not None and len(first) != min(length, samples):
        more = "at least " if len(first) == samples else ""
        raise InvalidDatasetError(
            f"len({name}) is {length}, but iterating gave {more}{len(first)} samples; correct __len__"
        )
    with _blamed(f"iterating {name} again", "every epoch calls iter() anew"):
        reopened = iter(dataset)
        again = [] if reopened is opened else list(islice(reopened, samples))
    if len(again) < len(first):
        raise InvalidDatasetError(
            f"{name} gave {len(first)} samples when first iterated, {len(again)} the second time; "
            "its __iter__ must begin anew for every epoch"
        )
    return first, again


def _same(first: Sequence[Any], again: Sequence[Any]) -> bool:
    try:
        return [fingerprint(sample) for sample in first] == [fingerprint(sample) for sample in again]
    except Exception:  # noqa: BLE001  a stranger's sample may fail to be hashed in any way
        return False


class _Counted(io.RawIOBase):
    """Counts what is written, and keeps it while it is little."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.kept = io.BytesIO()

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self.size_bytes += count
        if self.size_bytes <= _COPIED_BYTES:
            self.kept.write(data)
        return count


def _pickled(dataset: Any, kind: Kind) -> tuple[int | None, str | None]:
    """The bytes of `dataset` pickled, or None; and why it cannot be, or None."""
    counted = _Counted()
    try:
        pickle.Pickler(counted, pickle.HIGHEST_PROTOCOL).dump(dataset)
    except Exception as error:  # noqa: BLE001  pickle passes on whatever a stranger's class raises
        return None, _told(error)
    if counted.size_bytes > _COPIED_BYTES:
        return counted.size_bytes, None
    try:
        copy = pickle.loads(counted.kept.getvalue())  # noqa: S301  written a moment ago, above
        _ = copy[0] if kind == "map" else next(iter(copy))
    except Exception as error:  # noqa: BLE001  as above
        return counted.size_bytes, f"its copy raised {_told(error)}"
    return counted.size_bytes, None


@contextmanager
def _blamed(what: str, remedy: str) -> Iterator[None]:
    """Turns whatever `what` raises into InvalidDatasetError."""
    try:
        yield
    except Exception as error:
        raise InvalidDatasetError(f"{what} raised {_told(error)}; {remedy}") from error


def _told(error: Exception) -> str:
    """The error's class and message, in one line."""
    message = " ".join(str(error).split())
    short = message if len(message) <= _LINE else f"{message[:_LINE]}..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _name(dataset: Any) -> str:
    return type(dataset).__name__
