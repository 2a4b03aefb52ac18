"""Datasets with a pitfall: all of them are valid datasets."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.datasets.synthetic import pitfalls
from loaderbench.datasets.validation import check_dataset

BUILDERS: list[Callable[[], Any]] = [
    pitfalls.ManyTensors,
    lambda: pitfalls.ManyObjects(samples=4),
    pitfalls.Indexable,
    pitfalls.SlowStart,
    pitfalls.SlowSamples,
    pitfalls.StorageStalls,
    pitfalls.ManyThreads,
    lambda: pitfalls.LargeAllocation(samples=4),
    pitfalls.LargeSamples,
    lambda: pitfalls.PythonList(samples=100),
    lambda: pitfalls.PythonDict(samples=100),
    pitfalls.SharedGenerator,
    lambda: pitfalls.TensorsOfLists(samples=8),
    pitfalls.Leaking,
]


@pytest.mark.parametrize("build", BUILDERS)
def test_a_dataset_with_a_pitfall_is_valid(build: Callable[[], Any]) -> None:
    dataset = build()
    assert check_dataset(dataset).pickle_error is None
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_small_tensors_are_many_but_hold_almost_no_bytes() -> None:
    sample = pitfalls.ManyTensors()[0]
    small_bytes = sum(value.nbytes for name, value in sample.items() if name != "image")
    assert len(sample) == 113
    assert small_bytes < 0.01 * sample["image"].nbytes


def test_a_list_of_indices_returns_a_batch() -> None:
    rows, sums = pitfalls.Indexable(samples=8)[[1, 3]]
    assert rows.shape == (2, 16)
    assert sums.tolist() == [16.0, 48.0]


def test_boxes_of_all_samples_are_concatenated() -> None:
    dataset = pitfalls.ManyObjects(samples=2, boxes=3)
    assert pitfalls.concatenate([dataset[0], dataset[1]]) == [*dataset[0], *dataset[1]]
