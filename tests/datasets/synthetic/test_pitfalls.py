"""Datasets with a fault: they keep the contract all the same."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.datasets.synthetic import pitfalls
from loaderbench.datasets.validation import check_dataset

EVERY: list[Callable[[], Any]] = [
    pitfalls.ManyTensors,
    pitfalls.ManyObjects,
    pitfalls.Indexable,
    pitfalls.SlowStart,
    pitfalls.SlowSamples,
    pitfalls.ManyThreads,
    lambda: pitfalls.LargeAllocation(samples=4),
    pitfalls.LargeSamples,
    lambda: pitfalls.PythonList(samples=100),
    pitfalls.Leaking,
]


@pytest.mark.parametrize("build", EVERY)
def test_a_fault_breaks_no_contract(build: Callable[[], Any]) -> None:
    found = check_dataset(build())
    assert found.pickle_error is None
    with pytest.raises(IndexError):
        build()[len(build())]


def test_many_tensors_are_next_to_nothing_of_the_bytes() -> None:
    sample = pitfalls.ManyTensors()[0]
    small = sum(value.nbytes for name, value in sample.items() if name != "image")
    assert len(sample) == 113
    assert small < 0.01 * sample["image"].nbytes


def test_a_list_of_indices_is_answered_with_a_batch() -> None:
    rows, sums = pitfalls.Indexable(samples=8)[[1, 3]]
    assert rows.shape == (2, 16)
    assert sums.tolist() == [16.0, 48.0]
