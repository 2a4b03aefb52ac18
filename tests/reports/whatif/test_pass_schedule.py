"""Which pass `whatif` measures next within its budget, on passes that take made-up times."""

import random
from collections import Counter

import pytest

from loaderbench.reports.whatif.pass_schedule import (
    FEWEST_BATCHES,
    LONGEST_PASS_S,
    ROUNDS,
    LoaderPass,
    PassSchedule,
    PassTime,
)

COSTS = [LoaderPass(purpose="costs", num_workers=workers, batch_size=size) for size in (8, 32) for workers in (0, 1)]
HELD_OUT = [
    LoaderPass(purpose="held out", num_workers=workers, batch_size=size) for size in (16, 64) for workers in (0, 2)
]
Run = list[tuple[int, LoaderPass, int]]  # round, pass, samples


def schedule(budget_s: float, samples: int = 100_000) -> PassSchedule:
    return PassSchedule(passes=(*COSTS, *HELD_OUT), dataset_samples=samples, budget_s=budget_s, rng=random.Random(1))


def run(measured: PassSchedule, sample_s: float, start_s: float = 0.1) -> tuple[Run, float]:
    """Return what is measured, and the seconds that it took: each pass `start_s`, and `sample_s` for a sample."""
    passes: Run = []
    spent_s = 0.0
    while (loader_pass := measured.next(spent_s)) is not None:
        samples = measured.samples_of(loader_pass)
        read_s = samples * sample_s
        spent_s += start_s + read_s
        measured.measured(loader_pass, PassTime(seconds=start_s + read_s, read_s=read_s, samples=samples))
        passes.append((measured.round, loader_pass, samples))
    return passes, spent_s


@pytest.mark.parametrize("sample_s", [1e-6, 1e-4, 1e-2, 0.05, 0.3])
@pytest.mark.parametrize("budget_s", [20.0, 60.0, 300.0])
def test_the_budget_is_kept_whatever_a_sample_takes(sample_s: float, budget_s: float) -> None:
    _, spent_s = run(schedule(budget_s), sample_s)
    largest_s = FEWEST_BATCHES * 64 * sample_s  # the first pass of each kind takes what it takes
    assert spent_s <= budget_s + largest_s


def test_where_there_is_time_every_pass_is_measured_in_every_round() -> None:
    passes, _ = run(schedule(60.0), 1e-4)
    assert set(Counter((number, loader_pass) for number, loader_pass, _ in passes).values()) == {1}
    assert len(passes) == (1 + ROUNDS) * len([*COSTS, *HELD_OUT])


def test_passes_are_as_long_as_the_budget_allows_and_no_longer_than_they_need_be() -> None:
    for budget_s in (20.0, 60.0, 3600.0):
        passes, _ = run(schedule(budget_s), 1e-4)
        samples = min(samples for number, _, samples in passes if number)
        assert samples * 1e-4 <= LONGEST_PASS_S
    assert samples * 1e-4 > LONGEST_PASS_S / 4


def test_a_pass_reads_a_few_batches_at_least_and_the_dataset_at_most() -> None:
    passes, _ = run(schedule(1.0, samples=200), 1e-4)
    for _, loader_pass, samples in passes:
        assert samples >= min(200, FEWEST_BATCHES * loader_pass.batch_size)
        assert samples <= 200


def test_costs_are_measured_first_where_time_is_short_and_what_is_held_out_is_left_out() -> None:
    """A sample takes 50 ms: the costs of one round 16 s, the longest held-out pass 13 s."""
    passes, _ = run(schedule(20.0), 0.05)
    measured = [loader_pass for _, loader_pass, _ in passes]
    assert measured[: len(COSTS)] == sorted(COSTS, key=lambda loader_pass: loader_pass.batch_size)
    assert set(measured) >= set(COSTS)
    assert not set(HELD_OUT) <= set(measured)


def test_a_round_that_would_not_be_complete_is_not_begun() -> None:
    passes, _ = run(schedule(40.0), 0.05)
    rounds = Counter(number for number, loader_pass, _ in passes if loader_pass in COSTS)
    assert set(rounds.values()) == {len(COSTS)}


def test_without_time_nothing_is_measured() -> None:
    assert schedule(0.0).next(0.0) is None
    assert schedule(10.0).next(11.0) is None


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_a_round_is_drawn(seed: int) -> None:
    measured = schedule(600.0)
    measured.rng = random.Random(seed)
    passes, _ = run(measured, 1e-5)
    orders = {
        tuple(loader_pass for of_round, loader_pass, _ in passes if of_round == number)
        for number in range(1, ROUNDS + 1)
    }
    assert len(orders) > 1


def test_where_processes_take_long_to_start_passes_are_longer_and_rounds_fewer() -> None:
    passes, spent_s = run(schedule(60.0), 1e-4, start_s=1.0)
    rounds = {number for number, _, _ in passes}
    assert 4 <= max(rounds) < ROUNDS
    assert spent_s <= 60.0
    assert min(samples for number, _, samples in passes if number) * 1e-4 > 0.3


def test_all_passes_of_a_round_draw_their_samples_from_the_same_ones() -> None:
    measured = schedule(60.0)
    while (loader_pass := measured.next(0.0)) is not None:
        assert measured.part >= measured.samples_of(loader_pass)
        assert measured.part >= FEWEST_BATCHES * 64
        measured.measured(loader_pass, PassTime(seconds=0.1, read_s=0.0, samples=1))


def with_large_batches(budget_s: float) -> PassSchedule:
    large = [LoaderPass(purpose="costs", num_workers=workers, batch_size=128) for workers in (0, 1)]
    return PassSchedule(
        passes=(*COSTS, *large, *HELD_OUT), dataset_samples=100_000, budget_s=budget_s, rng=random.Random(1)
    )


def test_large_batches_of_slow_samples_are_left_out_so_that_something_can_be_predicted_and_compared() -> None:
    """A sample takes 20 ms: 512 of them, with and without a worker, would take 20 s of the 33 that are left."""
    measured = with_large_batches(40.0)
    passes, spent_s = run(measured, 0.02)
    assert {loader_pass.batch_size for loader_pass in measured.left_out} == {128}
    assert {loader_pass for _, loader_pass, _ in passes} >= {*COSTS, *HELD_OUT}
    assert spent_s <= 40.0


def test_large_batches_of_fast_samples_are_measured() -> None:
    measured = with_large_batches(40.0)
    passes, _ = run(measured, 1e-3)
    assert measured.left_out == []
    assert {loader_pass.batch_size for _, loader_pass, _ in passes} == {8, 16, 32, 64, 128}
