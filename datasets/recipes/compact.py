"""Lists kept in arrays: reading an element touches no other, so that forked workers go on sharing their pages.

To read a Python object is to write its reference count, and so a forked worker soon has a copy of every page that holds
one (pytorch#13246).
"""

import pickle
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Subset

LEAST = 1000  # elements that are worth it


class CompactSequence(Sequence[Any]):
    """Elements whose bytes lie end to end in one array; `read` makes an element of its own."""

    ends: NDArray[np.int64]
    held: NDArray[np.uint8]

    def read(self, content: bytes) -> Any:
        """The element that has these bytes."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        place = range(len(self))[number]
        begins = int(self.ends[place - 1]) if place else 0
        return self.read(self.held[begins : int(self.ends[place])].tobytes())


class CompactList(CompactSequence):
    """Elements pickled into one array, each unpickled when it is read: the way of detectron2's datasets.

    >>> CompactList([{"file": "a.jpg"}, {"file": "b.jpg"}])[1]
    {'file': 'b.jpg'}
    """

    def __init__(self, elements: Iterable[Any]) -> None:
        pickled = [pickle.dumps(element, pickle.HIGHEST_PROTOCOL) for element in elements]
        self.ends = np.cumsum([len(each) for each in pickled], dtype=np.int64)
        self.held = np.frombuffer(b"".join(pickled), dtype=np.uint8)

    def read(self, content: bytes) -> Any:
        """Unpickle it."""
        return pickle.loads(content)  # noqa: S301 - pickled above


def compact_lists(dataset: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a copy of `dataset` whose long lists and tuples are `CompactList`, and their attributes' names."""
    if isinstance(dataset, Subset):
        made: Any = copy(dataset)
        made.dataset, names = compact_lists(dataset.dataset)
        made.indices = np.asarray(dataset.indices)
        return made, names
    held = {name: value for name, value in getattr(dataset, "__dict__", {}).items() if _is_long(value)}
    if not held:
        return dataset, ()
    made = copy(dataset)
    for name, value in held.items():
        made.__dict__[name] = CompactList(value)
    return made, tuple(held)


def _is_long(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) >= LEAST
