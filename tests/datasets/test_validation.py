"""What check_dataset accepts, and the one line it reports for everything else."""

import pickle
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from loaderbench.datasets.synthetic.known_cost import Duplicated, Raising
from loaderbench.datasets.validation import InvalidDatasetError, check_dataset


class Items:
    """A plain class: `length` samples, each `make(index)`."""

    def __init__(self, make: Callable[[int], Any] = int, length: Any = 10) -> None:
        self.make = make
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.make(index)


class WithItems(Items):
    """A list of samples for a list of indices, as in Hugging Face's datasets."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[index] for index in indices]


class Stream:
    """A plain iterable: `make()` is iterated in each epoch."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        return iter(self.make())


class SizedStream(IterableDataset[int]):
    def __init__(self, samples: int, length: Any) -> None:
        self.samples, self.length = samples, length

    def __len__(self) -> int:
        if isinstance(self.length, Exception):
            raise self.length
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.samples))


class TensorDict(dict[str, torch.Tensor]):
    """A mapping of tensors that is indexed by row, or by many rows at once, as in tensordict."""

    def __len__(self) -> int:
        return len(next(iter(self.values())))

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index) if isinstance(index, str) else self.__getitems__(index)

    def __getitems__(self, indices: Any) -> "TensorDict":
        return TensorDict({key: value[indices] for key, value in self.items()})


def fails(error: BaseException) -> Callable[..., Any]:
    def make(*_: object) -> Any:
        raise error

    return make


@pytest.mark.parametrize(
    ("dataset", "sample"),
    [
        ([1, 2, 3], "int"),
        (Items(str), "str"),
        (WithItems(lambda index: {"input_ids": [index], "label": index}), "{input_ids: [int], label: int}"),
        (TensorDataset(torch.zeros(5, 2), torch.zeros(5)), "(float32 (2,), float32 ())"),
        (Subset([5, 6, 7], [0, 2]), "int"),
        (ConcatDataset([[1], [2]]), "int"),
        (torch.zeros(5, 2), "float32 (2,)"),
        (np.zeros((5, 2)), "float64 array (2,)"),
        (Items(lambda _: None), "NoneType"),
        (Items(lambda _: Image.new("RGB", (4, 3))), "RGB image 4x3"),
        (Items(lambda index: {"a": {"b": [index, "c"]}}), "{a: {b: [int, str]}}"),
        (TensorDict(x=torch.zeros(5, 2)), "{x: float32 (2,)}"),
        (Stream(lambda: range(5)), "int"),
        (Stream(lambda: iter(int, 1)), "int"),
        (Items(length=10**12), "int"),
        (Items(length=1), "int"),
    ],
    ids=[
        "a list",
        "a plain class",
        "getitems as Hugging Face's",
        "TensorDataset",
        "Subset",
        "ConcatDataset",
        "a tensor",
        "an array",
        "None",
        "pictures",
        "nested dicts",
        "a TensorDict",
        "an iterable without len",
        "an endless iterable",
        "a huge dataset",
        "a single sample",
    ],
)
def test_anything_that_returns_samples_is_accepted(dataset: object, sample: str) -> None:
    assert check_dataset(dataset).sample == sample


class Augmented:
    """A wrapper whose ``__getitem__`` changes samples, and whose inner dataset's ``__getitems__`` shows through."""

    def __init__(self, change: Callable[[int], Any]) -> None:
        self.inner, self.change = WithItems(), change

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return self.change(self.inner[index])


BYPASSED = (
    "Augmented.__getitems__([0, 1]) returned other samples than __getitem__ does: int for {kind}. A DataLoader prefers "
    "it: override it too, or keep __getattr__ from showing that of an inner dataset"
)

BROKEN = [
    (Augmented(lambda number: number + 1), BYPASSED.format(kind="int")),
    (Augmented(lambda number: number + random.random()), BYPASSED.format(kind="float")),
    (
        DataLoader(TensorDataset(torch.zeros(5))),
        "it is a DataLoader, not a dataset: give it as --from-loader, or name its .dataset",
    ),
    (
        Items(fails(SystemExit())),
        "Items[0] ended the program (SystemExit: None); len() is 10, so every index from 0 to 9 must give a sample",
    ),
    (42, "int must have __getitem__ and __len__, or __iter__; it has neither"),
    (Items, "Items is a class, not a dataset: call it and pass what it returns"),
    (
        type("Unsized", (Dataset,), {"__getitem__": lambda _, index: index})(),
        "Unsized has __getitem__ but no __len__: add __len__, the number of samples",
    ),
    (
        type("Unread", (Dataset,), {"__len__": lambda _: 3})(),
        (
            "Unread[0] raised NotImplementedError: Subclasses of Dataset should implement __getitem__.; "
            "len() is 3, so every index from 0 to 2 must give a sample"
        ),
    ),
    (Items(length=0), "Items is empty: len() is 0; check where its data is read from"),
    (
        Items(length=-1),
        "len(Items) raised ValueError: __len__() should return >= 0; __len__ must return the number of samples",
    ),
    (
        Items(length=2.5),
        (
            "len(Items) raised TypeError: 'float' object cannot be interpreted as an integer; "
            "__len__ must return the number of samples"
        ),
    ),
    (
        Items(fails(KeyError("label"))),
        "Items[0] raised KeyError: 'label'; len() is 10, so every index from 0 to 9 must give a sample",
    ),
    (
        Items(fails(StopIteration())),
        "Items[0] raised StopIteration; len() is 10, so every index from 0 to 9 must give a sample",
    ),
    (
        Items([1, 2, 3].__getitem__, length=4),
        (
            "Items[3] raised IndexError: list index out of range; "
            "len() is 4, so every index from 0 to 3 must give a sample"
        ),
    ),
    (
        {"train": [1], "test": [2]},
        (
            "dict[0] raised KeyError: 0; len() is 2, so 'train', 'test' must be 0 to 1: "
            "if each is a dataset, pass one of them"
        ),
    ),
    (
        pd.DataFrame({"x": [1, 2]}),
        "DataFrame[0] raised KeyError: 0; len() is 2, so every index from 0 to 1 must give a sample",
    ),
    (
        type("Unlisted", (Items,), {"__getitems__": lambda _, indices: len(indices)})(length=2),
        (
            "Unlisted.__getitems__([0, 1]) raised TypeError: object of type 'int' has no len(); "
            "it must return a sample for each index"
        ),
    ),
    (
        type("Miscounted", (Items,), {"__getitems__": lambda _, indices: indices[1:]})(length=2),
        "Miscounted.__getitems__([0, 1]) returned 1 samples; it must return one for each index",
    ),
    (Stream(list), "Stream is empty: iterating it gave no sample; check where its data is read from"),
    (
        Stream(lambda: 5),
        (
            "iterating Stream raised TypeError: 'int' object is not iterable; "
            "__iter__ must return an iterator over samples"
        ),
    ),
    (
        Stream(fails(OSError("no\nsuch disk"))),
        "iterating Stream raised OSError: no such disk; __iter__ must return an iterator over samples",
    ),
    (
        iter(range(20)),
        (
            "range_iterator does not begin anew: iter() gave 20 samples the first time, 0 the second; "
            "its __iter__ must start from the first sample for every epoch"
        ),
    ),
    (
        Stream(iter(range(11)).__iter__),
        (
            "Stream does not begin anew: iter() gave 11 samples the first time, 0 the second; "
            "its __iter__ must start from the first sample for every epoch"
        ),
    ),
    (SizedStream(3, length=5), "len(SizedStream) is 5, but iterating gave 3 samples; correct __len__"),
    (SizedStream(9, length=5), "len(SizedStream) is 5, but iterating gave at least 8 samples; correct __len__"),
    (
        Items(fails(ValueError("x" * 1000))),
        f"Items[0] raised ValueError: {'x' * 200}...; len() is 10, so every index from 0 to 9 must give a sample",
    ),
]


@pytest.mark.parametrize(("dataset", "line"), BROKEN, ids=[line for _, line in BROKEN])
def test_a_broken_dataset_gets_one_clear_line(dataset: object, line: str) -> None:
    with pytest.raises(InvalidDatasetError) as raised:
        check_dataset(dataset)
    assert str(raised.value) == line


def test_what_the_dataset_raised_is_kept_as_the_cause() -> None:
    with pytest.raises(InvalidDatasetError) as raised:
        check_dataset(Raising(5, fault_index=0))
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_stream_that_goes_on_where_it_stopped_is_refused_although_its_first_looks_are_as_long() -> None:
    class Counted:
        def __init__(self) -> None:
            self.place = 0

        def __iter__(self) -> Iterator[int]:
            while self.place < 1000:
                yield self.place
                self.place += 1

    with pytest.raises(InvalidDatasetError, match="^Counted does not begin anew: iter.. gave 1000 samples .*, 0 the"):
        check_dataset(Counted(), within_s=60.0)


@pytest.mark.parametrize("make", [lambda index: (index, "a"), lambda index: np.full((index + 1,), random.random())])
def test_getitems_may_hold_the_same_in_other_containers_or_change_as_samples_do(make: Callable[[int], Any]) -> None:
    class Listed(Items):
        def __getitems__(self, indices: list[int]) -> list[Any]:
            samples = [self[index] for index in indices]
            return [list(sample) if isinstance(sample, tuple) else sample for sample in samples]

    assert check_dataset(Listed(make)).has_getitems


def test_an_interrupt_is_no_fault_of_the_dataset() -> None:
    def interrupts(_: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_dataset(Items(interrupts))


def test_few_samples_of_a_huge_dataset_are_read_each_twice() -> None:
    indices: list[int] = []
    check_dataset(Items(indices.append, length=10**9), samples=3)
    spread = [0, (10**9 - 1) // 2, 10**9 - 1]
    assert sorted(indices) == sorted([*spread, *spread])


def test_of_samples_that_take_long_the_first_and_the_last_are_read_each_twice() -> None:
    indices: list[int] = []
    check_dataset(Items(indices.append, length=10), within_s=-1.0)
    assert indices == [0, 9, 0, 9]


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="samples must be >= 1, got 0"):
        check_dataset([1], samples=0)


@pytest.mark.parametrize(
    ("dataset", "kind", "length"),
    [
        (Items(length=3), "map", 3),
        (Duplicated(5), "iterable", 5),
        (Stream(lambda: range(3)), "iterable", None),
        (SizedStream(3, length=TypeError("unknown")), "iterable", None),
    ],
)
def test_kind_and_length_are_reported(dataset: object, kind: str, length: int | None) -> None:
    properties = check_dataset(dataset)
    assert (properties.kind, properties.length) == (kind, length)


@pytest.mark.parametrize(("dataset", "has_getitems"), [(Items(), False), (WithItems(), True), (Subset([1], [0]), True)])
def test_getitems_is_reported(dataset: object, has_getitems: bool) -> None:
    assert check_dataset(dataset).has_getitems is has_getitems


@pytest.mark.parametrize(
    ("dataset", "deterministic"),
    [
        (Items(lambda index: torch.full((3,), index)), True),
        (Items(lambda _: random.random()), False),
        (Stream(lambda: random.sample(range(100), 100)), False),
        (Items(lambda _: threading.Lock()), False),
    ],
    ids=["equal when read again", "augmented", "a stream that shuffles", "not comparable"],
)
def test_a_dataset_is_deterministic_if_its_samples_are_equal_when_read_again(
    dataset: object, deterministic: bool
) -> None:
    assert check_dataset(dataset).deterministic is deterministic


@pytest.mark.parametrize("size", [5000, 70 << 20], ids=["copied", "too large to copy"])
def test_the_bytes_of_the_pickle_are_counted(size: int) -> None:
    properties = check_dataset([bytes(size)])
    assert properties.pickled_bytes == pytest.approx(size, abs=100)
    assert properties.pickle_error is None


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (Items(lambda index: index), "pickle"),
        (Stream(lambda: range(5)), "pickle"),
        ([threading.Lock()], "TypeError: cannot pickle '_thread.lock' object"),
    ],
    ids=["a lambda as transform", "a lambda as source", "a lock"],
)
def test_a_dataset_that_cannot_be_pickled_is_valid(dataset: object, why: str) -> None:
    properties = check_dataset(dataset)
    assert why in str(properties.pickle_error)
    assert properties.pickled_bytes is None


class Opened(Items):
    """A dataset that opens what no pickle takes when it is first read."""

    def __getitem__(self, index: int) -> object:
        self.lock = threading.Lock()
        return super().__getitem__(index)


def test_a_dataset_is_pickled_as_it_is_before_it_is_read() -> None:
    properties = check_dataset(Opened())
    assert properties.pickle_error is None
    assert properties.pickled_bytes == len(pickle.dumps(Opened(), pickle.HIGHEST_PROTOCOL))


class Incomplete(Items):
    """A dataset whose pickle lacks what it needs to return a sample."""

    def __getstate__(self) -> dict[str, Any]:
        return {"length": self.length}


def test_a_copy_that_returns_no_sample_is_a_pickle_error() -> None:
    error = check_dataset(Incomplete()).pickle_error
    assert error == "its copy raised AttributeError: 'Incomplete' object has no attribute 'make'"


def test_tensors_and_bytes_per_sample_are_means_of_the_samples_read() -> None:
    properties = check_dataset(Items(lambda index: [torch.zeros(index)] * index, length=3))
    assert (properties.tensors_per_sample, properties.bytes_per_sample) == (1.0, pytest.approx((4 + 16) / 3))
