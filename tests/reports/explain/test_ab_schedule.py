"""How long a pass is, which intervention gets the next block, and when measuring stops: without a clock."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaderbench.reports.explain.ab_schedule import (
    PassPlan,
    Schedule,
    leaves_others_time,
    lengthened,
    passes_of,
    plan_passes,
)


def schedule_of(*causes: str, budget_s: float = 0.0, seed: int = 0, **limits: Any) -> Schedule:
    """A schedule of interventions that may save less, one after the other, each of 1 s a block."""
    given = {
        "possible_gains": {cause: 1 / (1 + number) for number, cause in enumerate(causes)},
        "expected_s": dict.fromkeys(causes, 1.0),
    }
    return Schedule(**(given | limits), budget_s=budget_s, rng=random.Random(seed))


def driven(schedule: Schedule, block_s: float | Mapping[str, float] = 1.0, *, failing: str = "") -> list[str]:
    """The causes in the order in which they were measured, each block of `block_s` seconds."""
    order: list[str] = []
    spent_s = 0.0
    while (cause := schedule.next(spent_s)) is not None:
        order.append(cause)
        taken_s = block_s if isinstance(block_s, float) else block_s[cause]
        spent_s += taken_s
        if cause == failing:
            schedule.failed(cause)
        else:
            schedule.measured(cause, taken_s)
    return order


def test_what_promises_most_is_tried_where_there_is_no_time_for_all() -> None:
    schedule = schedule_of("a", "b", "c", budget_s=8.5)
    assert Counter(driven(schedule)) == {"a": 4, "b": 4}


def test_an_intervention_whose_blocks_do_not_fit_leaves_the_time_to_the_next() -> None:
    schedule = schedule_of("a", "b", budget_s=4.5, expected_s={"a": 2.0, "b": 1.0})
    assert Counter(driven(schedule)) == {"b": 4}


def test_where_there_is_no_time_for_the_fewest_blocks_of_any_what_promises_most_has_some() -> None:
    assert Counter(driven(schedule_of("a", "b", budget_s=3.5))) == {"a": 3}


def test_without_a_budget_nothing_is_measured() -> None:
    assert driven(schedule_of("a", "b", budget_s=0.0)) == []


def test_further_rounds_are_measured_while_the_budget_lasts() -> None:
    assert len(driven(schedule_of("a", "b", budget_s=11.0))) == 11


def test_what_promises_less_than_a_difference_has_further_blocks_only_after_the_others() -> None:
    schedule = schedule_of("a", "b", "c", budget_s=30.0, possible_gains={"a": 0.5, "b": 0.03, "c": 0.02})
    order = driven(schedule)
    assert Counter(order) == {"a": 10, "b": 10, "c": 10}
    assert sorted(order[:12]) == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert order[24:] == ["c"] * 6


def test_on_a_busy_machine_what_promises_most_has_more_blocks_than_the_rest() -> None:
    """Twice as long as expected: those that may save nothing have the fewest blocks, and the others the time left."""
    possible_gains = {"many tensors": 0.6, "no workers": 0.5, "threads": 0.01, "malloc": 0.0}
    schedule = schedule_of(*possible_gains, budget_s=48.0, possible_gains=possible_gains)
    assert Counter(driven(schedule, 2.0)) == {"many tensors": 8, "no workers": 8, "threads": 4, "malloc": 4}


def test_time_is_reserved_for_blocks_that_come_in_the_end_however_long_they_take() -> None:
    schedule = schedule_of("a", "b", budget_s=60.0, reserved_blocks=6)
    assert len(driven(schedule, 3.0)) == 14
    schedule.reserved_blocks = 0
    assert schedule.next(42.0) is not None


def test_where_not_all_fit_beside_what_is_reserved_what_promises_most_does() -> None:
    schedule = schedule_of("a", "b", "c", budget_s=20.0, reserved_blocks=6)
    assert Counter(driven(schedule, 2.0)) == {"a": 4}


def test_no_intervention_has_more_than_the_most_blocks() -> None:
    assert Counter(driven(schedule_of("a", "b", budget_s=1e9))) == {"a": 10, "b": 10}


def test_an_intervention_that_failed_is_not_measured_again() -> None:
    assert Counter(driven(schedule_of("a", "b", budget_s=1e9), failing="b")) == {"a": 10, "b": 1}


def test_without_interventions_nothing_is_measured_either() -> None:
    assert driven(schedule_of(budget_s=9.0)) == []


def test_what_the_first_blocks_took_corrects_what_the_others_are_expected_to_take() -> None:
    """Twice as long: where four blocks of each were to fit, those of one do, and the other is not begun."""
    schedule = schedule_of("a", "b", budget_s=10.0)
    assert Counter(driven(schedule, 2.0)) == {"a": 5}
    assert schedule.block_s("b") == 2.0


def test_the_first_round_begins_with_what_promises_most() -> None:
    assert driven(schedule_of("a", "b", "c", budget_s=1e9))[:3] == ["a", "b", "c"]


def test_more_time_lets_it_go_on() -> None:
    schedule = schedule_of("a", budget_s=4.0)
    assert len(driven(schedule)) == 4
    schedule.budget_s = 6.0
    assert schedule.next(4.0) == "a"


@given(seed=st.integers(0, 1000), count=st.integers(1, 6))
def test_every_round_has_each_intervention_once_in_an_order_that_the_seed_decides(seed: int, count: int) -> None:
    causes = [f"cause {number}" for number in range(count)]
    order = driven(schedule_of(*causes, seed=seed, budget_s=1e9))
    assert order == driven(schedule_of(*causes, seed=seed, budget_s=1e9))
    assert all(sorted(order[begin : begin + count]) == causes for begin in range(0, len(order), count))


@given(
    budget_s=st.floats(0.1, 500),
    causes=st.lists(st.floats(0, 1), min_size=1, max_size=14),
    block_s=st.floats(0.05, 20),
    slower=st.floats(0.3, 3),
)
def test_a_budget_is_exceeded_by_no_more_than_blocks_take_longer_than_before(
    budget_s: float, causes: list[float], block_s: float, slower: float
) -> None:
    names = [str(number) for number in range(len(causes))]
    schedule = Schedule(
        possible_gains=dict(zip(names, causes, strict=True)),
        expected_s=dict.fromkeys(names, block_s),
        budget_s=budget_s,
        rng=random.Random(0),
    )
    spent_s = sum(slower * block_s for _ in driven(schedule, slower * block_s))
    assert spent_s <= budget_s + max(0.0, slower - 1) * block_s + 1e-9


def plan_of(batches: int, pairs: int) -> PassPlan:
    return PassPlan(batches=batches, batch_samples=4, pairs=pairs)


def plan(**facts: Any) -> PassPlan:
    given = {"budget_s": 100.0, "causes": 10, "batch_s": 0.01, "start_s": 0.1, "batches": 1000}
    given |= {"batch_samples": 4, "num_workers": 2}
    return plan_passes(**(given | facts))


def test_a_pass_is_no_longer_than_it_must_be() -> None:
    assert plan(budget_s=1e6) == plan_of(30, 3)
    assert plan(budget_s=1e6, batches=7) == plan_of(7, 3)


@pytest.mark.parametrize(
    ("budget_s", "expected"),
    [
        (100.0, plan_of(30, 3)),
        (26.0, plan_of(6, 3)),
        (13.0, plan_of(5, 1)),
    ],
)
def test_passes_are_cut_and_then_pairs_left_out_until_the_blocks_fit(budget_s: float, expected: PassPlan) -> None:
    made = plan(budget_s=budget_s)
    assert made == expected
    assert 4 * 10 * (0.1 + passes_of(made.pairs) * made.batches * 0.01) <= budget_s


@pytest.mark.parametrize(("budget_s", "batches"), [(4.2, 4), (3.5, 2), (0.1, 2)])
def test_where_few_could_be_tried_passes_are_shorter_still(budget_s: float, batches: int) -> None:
    """A batch of each of two workers, at least."""
    assert plan(budget_s=budget_s) == plan_of(batches, 1)


@pytest.mark.parametrize(
    ("fewest_batches", "batches", "expected"),
    [
        (0, 1000, plan_of(6, 3)),
        (6, 1000, plan_of(6, 3)),
        (12, 1000, plan_of(12, 1)),
        (8, 1000, plan_of(8, 2)),
        (128, 1000, plan_of(128, 1)),
        (128, 10, plan_of(10, 1)),
    ],
)
def test_passes_too_short_to_show_anything_are_lengthened_with_fewer_pairs(
    fewest_batches: int, batches: int, expected: PassPlan
) -> None:
    made = lengthened(plan_of(6, 3), fewest_batches=fewest_batches, batches=batches)
    assert made == expected
    assert made.pairs == 1 or passes_of(made.pairs) * made.batches <= passes_of(3) * 6


def test_longer_passes_leave_the_other_interventions_most_of_the_time() -> None:
    assert leaves_others_time(2.0, 25.0)
    assert not leaves_others_time(2.0, 23.0)
