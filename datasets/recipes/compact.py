"""Lists and dicts stored in NumPy arrays, so that the memory of forked workers does not grow with every epoch.

A forked worker shares the pages of its parent until one of the two writes to them. Reading a Python object writes its
reference count, so a worker that goes through a long list of strings or dicts ends up with its own copy of the list
(pytorch#13246). The elements of a `CompactList` or a `CompactDict` are bytes in one array: reading one writes nothing::

    self.annotations = CompactList(annotations)  # in the __init__ of a Dataset
"""

import pickle
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Subset

MIN_LENGTH = 1000  # elements from which on `compact` replaces a list or a dict
ITSELF = "the dataset itself"


class CompactSequence(Sequence[Any]):
    """A sequence whose elements are stored end to end as bytes, each decoded when it is read."""

    def __init__(self, ends: NDArray[np.int64], content: NDArray[np.uint8]) -> None:
        """Element `i` is ``content[ends[i - 1] : ends[i]]``."""
        self.ends = ends
        self.content = content

    @abstractmethod
    def decode(self, encoded: bytes) -> Any:
        """Return the element that `encoded` is the bytes of."""

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = range(len(self))[index]
        start = int(self.ends[number - 1]) if number else 0
        return self.decode(self.content[start : int(self.ends[number])].tobytes())


class CompactList(CompactSequence):
    """A read-only list whose elements are pickled into one array, as detectron2's datasets keep their annotations.

    >>> CompactList([{"file": "a.jpg"}, {"file": "b.jpg"}])[1]
    {'file': 'b.jpg'}
    """

    def __init__(self, elements: Iterable[Any]) -> None:
        pickles = [pickle.dumps(element, pickle.HIGHEST_PROTOCOL) for element in elements]
        ends = np.cumsum([len(pickled) for pickled in pickles], dtype=np.int64)
        super().__init__(ends, np.frombuffer(b"".join(pickles), dtype=np.uint8))

    def decode(self, encoded: bytes) -> Any:
        """Unpickle the element."""
        return pickle.loads(encoded)  # noqa: S301  pickled in __init__


class CompactDict(Mapping[Any, Any]):
    """A read-only dict whose items are pickled into one array, and found by a checksum of the pickled key.

    Keys must be equal only if they are pickled alike, as strings and whole numbers are.

    >>> CompactDict({"a": [1, 2], "b": [3]})["b"]
    [3]
    """

    def __init__(self, items: Mapping[Any, Any]) -> None:
        sums = np.fromiter((_checksum(key) for key in items), np.uint32, len(items))
        order = np.argsort(sums, kind="stable")
        pairs = list(items.items())
        self.sums = sums[order]
        self.items_by_sum = CompactList(pairs[place] for place in order)
        self.places = np.argsort(order)  # of the items as they were given

    def __len__(self) -> int:
        return len(self.sums)

    def __iter__(self) -> Iterator[Any]:
        return (self.items_by_sum[place][0] for place in self.places)

    def __getitem__(self, key: Any) -> Any:
        checksum = np.uint32(_checksum(key))
        place = int(np.searchsorted(self.sums, checksum))
        while place < len(self.sums) and self.sums[place] == checksum:
            other, value = self.items_by_sum[place]
            if other == key:
                return value
            place += 1
        raise KeyError(key)


def _checksum(key: Any) -> int:
    return crc32(pickle.dumps(key, pickle.HIGHEST_PROTOCOL))


def collections_of(dataset: Any) -> dict[str, Any]:
    """Return the long lists, tuples and dicts of Python objects on a dataset, by attribute, or under `ITSELF`.

    Of a Subset, those of the dataset in it. Nothing but the dataset's own ``__dict__`` is looked at.
    """
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    if _is_long(dataset):
        return {ITSELF: dataset}
    attributes = getattr(dataset, "__dict__", {})
    return {name: value for name, value in attributes.items() if _is_long(value)}


def compact(dataset: Any) -> Any:
    """Return `dataset` with its `collections_of` in arrays; it is changed itself, unless it is a list or a Subset.

    Raises what pickling an element raises.
    """
    if isinstance(dataset, Subset):
        indices: Any = np.asarray(dataset.indices) if isinstance(dataset.indices, list) else dataset.indices
        return Subset(compact(dataset.dataset), indices)
    for name, value in collections_of(dataset).items():
        if name == ITSELF:
            return compacted(value)
        object.__setattr__(dataset, name, compacted(value))  # a frozen dataclass too
    return dataset


def compacted(collection: Any) -> Any:
    """Return a dict as a CompactDict, any other collection as a CompactList."""
    return CompactDict(collection) if isinstance(collection, dict) else CompactList(collection)


def _is_long(value: Any) -> bool:
    return type(value) in (list, tuple, dict) and len(value) >= MIN_LENGTH
