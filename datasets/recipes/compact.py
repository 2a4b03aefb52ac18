"""Lists stored in NumPy arrays, so that the memory of forked workers does not grow with every epoch.

A forked worker shares the pages of its parent until one of the two writes to them. Reading a Python object writes its
reference count, so a worker that goes through a long list of strings or dicts ends up with its own copy of the list
(pytorch#13246). The elements of a `CompactList` are bytes in one array: reading one writes nothing::

    self.annotations = CompactList(annotations)  # in the __init__ of a Dataset
"""

import pickle
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Subset

MIN_LENGTH = 1000  # elements from which on `compact_lists` replaces a list


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


def compact_lists(dataset: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a copy of `dataset` with its long lists and tuples as `CompactList`, and the names of these attributes.

    Of a Subset, the attributes are those of the dataset in it. A dataset without a long list is returned as it is.
    """
    if isinstance(dataset, Subset):
        subset: Any = copy(dataset)
        subset.dataset, names = compact_lists(dataset.dataset)
        subset.indices = np.asarray(dataset.indices)
        return subset, names
    lists = {name: value for name, value in getattr(dataset, "__dict__", {}).items() if _is_long_list(value)}
    if not lists:
        return dataset, ()
    clone = copy(dataset)
    clone.__dict__.update({name: CompactList(value) for name, value in lists.items()})
    return clone, tuple(lists)


def _is_long_list(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) >= MIN_LENGTH
