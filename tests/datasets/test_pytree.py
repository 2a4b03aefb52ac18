"""A sample as a tree: its leaves, their bytes, fingerprints and descriptions."""

import datetime as dt
import threading
from collections import OrderedDict, UserDict
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.utils.rnn import pack_sequence

from loaderbench.datasets.pytree import (
    LeafCounts,
    count_leaves,
    describe,
    fingerprint,
    rows_of,
    tree_leaves,
    tree_map,
    tree_tensors,
)


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Labelled:
    box: Any
    label: str


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class ByName:
    """A batch of tensors by their names that is no mapping but has the methods of one, as a TensorDict."""

    batch_size = (2,)

    def __init__(self, **tensors: torch.Tensor) -> None:
        self.tensors = tensors

    def keys(self) -> Any:
        return self.tensors.keys()

    def items(self) -> Any:
        return self.tensors.items()

    def update(self, tensors: dict[str, Any]) -> None:
        self.tensors = {**self.tensors, **tensors}


class Colour(Enum):
    RED = 1
    BLUE = 2


@pytest.mark.parametrize(
    ("tree", "counts"),
    [
        (torch.zeros(2, 3), LeafCounts(tensors=1, bytes=24)),
        (np.zeros(3, dtype=np.int16), LeafCounts(arrays=1, bytes=6)),
        ("naïve", LeafCounts(strings=1, bytes=6)),
        (b"123", LeafCounts(strings=1, bytes=3)),
        (7, LeafCounts(objects=1)),
        (None, LeafCounts(objects=1)),
        (Image.new("RGB", (2, 3)), LeafCounts(objects=1, bytes=18)),
        (torch.eye(3).to_sparse(), LeafCounts(tensors=2, bytes=60)),
        (torch.eye(3).to_sparse_csr(), LeafCounts(tensors=3, bytes=68)),
        (torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)]), LeafCounts(tensors=4, bytes=20 + 3 * 16)),
        (UserDict(ids=torch.zeros(2), text="ab"), LeafCounts(tensors=1, strings=1, bytes=10)),
        (OrderedDict(ids=torch.zeros(2)), LeafCounts(tensors=1, bytes=8)),
        (ByName(ids=torch.zeros(2), mask=torch.zeros(2)), LeafCounts(tensors=2, bytes=16)),
        ({"a": [torch.zeros(1), (torch.zeros(1), "b")]}, LeafCounts(tensors=2, strings=1, bytes=9)),
        (Point(torch.zeros(1), 2), LeafCounts(tensors=1, objects=1, bytes=4)),
        (Labelled(np.zeros(1), "cat"), LeafCounts(arrays=1, strings=1, bytes=11)),
        (pack_sequence([torch.tensor([1, 2])]), LeafCounts(tensors=2, objects=2, bytes=32)),
        ([], LeafCounts()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_leaves_are_counted_with_their_bytes(tree: object, counts: LeafCounts) -> None:
    assert count_leaves(tree) == counts


def test_the_leaves_of_a_jagged_tensor_are_counted_with_their_bytes() -> None:
    # Made here, not where tests are collected: for the first of them torch imports its compiler, which takes seconds.
    jagged = torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)], layout=torch.jagged)
    assert count_leaves(jagged) == LeafCounts(tensors=4, bytes=20 + 24)


@pytest.mark.parametrize(
    "batch",
    [UserDict(ids=torch.arange(2)), ByName(ids=torch.arange(2)), pack_sequence([torch.arange(3), torch.arange(2)])],
    ids=lambda value: type(value).__name__,
)
def test_a_batch_of_any_kind_is_mapped_into_one_of_its_kind(batch: Any) -> None:
    mapped = tree_map(lambda leaf: None if leaf is None else leaf.to(torch.float64), batch)
    assert type(mapped) is type(batch)
    assert {tensor.dtype for tensor in tree_tensors(mapped)} == {torch.float64}
    assert {tensor.dtype for tensor in tree_tensors(batch)} == {torch.int64}


def test_a_batch_that_has_a_mapping_s_methods_is_described_as_one() -> None:
    assert describe(ByName(ids=torch.zeros(2))) == "{ids: float32 (2,)}"


TREE = {"a": [torch.zeros(1), ("x", 2)], "b": Point(torch.ones(2), None), "c": Labelled(3, "y"), "d": ()}


def test_leaves_come_from_left_to_right() -> None:
    assert [describe(leaf) for leaf in tree_leaves(TREE)] == [
        "float32 (1,)", "str", "int", "float32 (2,)", "NoneType", "int", "str",
    ]  # fmt: skip
    assert tree_tensors(TREE) == [TREE["a"][0], TREE["b"].x]


def test_mapping_a_tree_keeps_the_types_of_its_containers() -> None:
    mapped = tree_map(lambda leaf: str(type(leaf).__name__), TREE)
    assert mapped == {
        "a": ["Tensor", ("str", "int")], "b": Point("Tensor", "NoneType"), "c": Labelled("int", "str"), "d": (),
    }  # fmt: skip
    assert fingerprint(tree_map(lambda leaf: leaf, TREE)) == fingerprint(TREE)


SAMPLES = [
    None,
    True,
    1,
    1.0,
    "1",
    b"1",
    2,
    "",
    [],
    (),
    {},
    set(),
    [1, 2],
    [2, 1],
    [[1], 2],
    (1, 2),
    {1, 2},
    {"a": 1},
    {"a": 2},
    {"b": 1},
    Point(1, 2),
    Labelled(1, "a"),
    Labelled(1, "b"),
    Plain(1),
    Plain(2),
    Slotted(1),
    Slotted(2),
    Colour.RED,
    Colour.BLUE,
    int,
    len,
    dt.date(2024, 1, 1),
    dt.date(2024, 1, 2),
    PurePosixPath("a"),
    torch.zeros(2),
    torch.zeros(3),
    torch.zeros(1, 2),
    torch.zeros(2, dtype=torch.int32),
    torch.ones(2),
    torch.ones(2, dtype=torch.bfloat16),
    torch.tensor(0.0),
    torch.tensor([1 + 2j]).conj(),
    torch.eye(2).to_sparse(),
    torch.nn.Parameter(torch.zeros(2)),
    np.zeros(2),
    np.zeros(2, dtype=np.float32),
    np.float64(0),
    np.array(["a", None], dtype=object),
    np.array(["a"], dtype="T"),
    np.array(["b"], dtype="T"),
    Image.new("L", (2, 2), 1),
    Image.new("L", (2, 2), 2),
    Image.new("L", (1, 4), 1),
    Image.new("P", (2, 2), 1),
]


def test_different_contents_have_different_fingerprints() -> None:
    assert len({fingerprint(sample) for sample in SAMPLES}) == len(SAMPLES)


def test_fingerprints_are_the_same_in_another_process() -> None:
    sample = {"a": np.arange(3), "b": [{"z", "y", "x"}, "c", None], "d": torch.ones(2)}
    assert (
        fingerprint(sample).hex() == "a25beea5206ae56382de7eee8d2f9083"
    )  # computed in one; hashes of strings differ in each


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (torch.arange(4)[::2], torch.tensor([0, 2])),
        (np.arange(6).reshape(2, 3).T, np.array([[0, 3], [1, 4], [2, 5]])),
        (float("nan"), float("nan")),
        (Plain(["ab", "ab"]), Plain(["ab", "abc"[:2]])),
        (torch.ones(2, requires_grad=True), torch.ones(2)),
    ],
    ids=["dicts in any order", "strided tensors", "transposed arrays", "nan", "equal strings", "gradients"],
)
def test_the_same_content_has_the_same_fingerprint(one: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_what_cannot_be_pickled_has_no_fingerprint() -> None:
    with pytest.raises(TypeError):
        fingerprint(threading.Lock())


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        (torch.zeros(2, 3), "float32 (2, 3)"),
        (np.zeros(3), "float64 array (3,)"),
        (Image.new("L", (2, 3)), "L image 2x3"),
        (None, "NoneType"),
        ({"Text": "a", "Class": 0}, "{Text: str, Class: int}"),
        ((torch.zeros(1), 1), "(float32 (1,), int)"),
        ([1, [2]], "[int, [int]]"),
        (list(range(10)), "[int, int, int, int, int, int, int, int, 2 more]"),
        (Point(1, 2), "Point(x: int, y: int)"),
        (Labelled(1, "a"), "Labelled(box: int, label: str)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_sample_is_described_in_a_line(sample: object, line: str) -> None:
    assert describe(sample) == line


@pytest.mark.parametrize(
    ("batch", "rows"),
    [
        ((torch.zeros(4, 2), np.zeros(4)), 4),
        ((torch.zeros(4), torch.zeros(9)), None),
        ((torch.zeros(4), torch.tensor(1)), None),
        (torch.tensor(1), None),
        (["a", "b"], None),
    ],
)
def test_a_batch_has_as_many_samples_as_all_of_its_tensors_have_rows(batch: object, rows: int | None) -> None:
    assert rows_of(batch) == rows
