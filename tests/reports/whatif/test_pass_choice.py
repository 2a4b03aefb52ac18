"""Which passes whatif measures, and which of them only to be compared with predictions."""

from itertools import product

import pytest

from loaderbench.reports.whatif.pass_choice import cost_passes, cost_sizes, held_out_passes


@pytest.mark.parametrize(
    ("asked", "samples", "sizes"),
    [
        ((32,), 1000, [8, 32, 128]),
        ((8, 32, 512), 10_000, [8, 32, 512]),
        ((1,), 1000, [1, 4]),
        ((32,), 500, [8, 32]),
    ],
)
def test_costs_are_measured_at_the_middle_batch_size_and_on_either_side(
    asked: tuple[int, ...], samples: int, sizes: list[int]
) -> None:
    assert cost_sizes(asked, samples) == sizes


def test_costs_are_of_passes_without_workers_with_one_and_with_one_for_each_cpu() -> None:
    passes = cost_passes([8, 32, 128], cpus=4)
    assert {entry.num_workers for entry in passes} == {0, 1, 4}
    assert {entry.batch_size for entry in passes if entry.num_workers == 4} == {8, 128}
    assert {entry.num_workers for entry in passes if entry.is_traced} == {1}


def test_on_one_cpu_there_are_no_workers_beside_each_other() -> None:
    assert {entry.num_workers for entry in cost_passes([8, 32], cpus=1)} == {0, 1}


def test_passes_are_held_out_at_batch_sizes_that_costs_are_not_measured_at() -> None:
    cases = held_out_passes((32,), cpus=4, samples=1000)
    assert {case.batch_size for case in cases} == {16, 64, 32}
    assert {case.num_workers for case in cases if case.batch_size == 32} == {2, 4}


def test_a_batch_larger_than_the_dataset_is_not_held_out() -> None:
    assert {case.batch_size for case in held_out_passes((32,), cpus=2, samples=200)} == {16}


def test_no_pass_that_costs_are_computed_of_is_held_out() -> None:
    for asked, samples in product([(1,), (2,), (32,), (8, 16, 32)], [500, 1000]):
        costs = {(entry.num_workers, entry.batch_size) for entry in cost_passes(cost_sizes(asked, samples), cpus=2)}
        held_out = {(entry.num_workers, entry.batch_size) for entry in held_out_passes(asked, 2, samples)}
        assert not costs & held_out
        assert held_out
