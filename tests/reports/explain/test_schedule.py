"""Which intervention gets the next block, and when measuring stops: without a clock."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loaderbench.reports.explain.schedule import Schedule


def schedule_of(*causes: str, budget_s: float = 0.0, seed: int = 0, **limits: int) -> Schedule:
    return Schedule(causes=list(causes), budget_s=budget_s, rng=random.Random(seed), **limits)


def driven(schedule: Schedule, block_s: float = 1.0, *, failing: str = "") -> list[str]:
    """The causes in the order in which they were measured, each block of `block_s` seconds."""
    order: list[str] = []
    spent_s = 0.0
    while (cause := schedule.next(spent_s)) is not None:
        order.append(cause)
        spent_s += block_s
        if cause == failing:
            schedule.failed(cause)
        else:
            schedule.measured(cause, block_s)
    return order


def test_every_intervention_has_the_fewest_blocks_whatever_the_budget() -> None:
    assert Counter(driven(schedule_of("a", "b", "c", budget_s=0.0))) == {"a": 4, "b": 4, "c": 4}


def test_more_blocks_are_measured_while_the_budget_lasts() -> None:
    assert len(driven(schedule_of("a", "b", budget_s=11.0))) == 11


def test_a_block_that_would_exceed_the_budget_is_not_begun() -> None:
    assert len(driven(schedule_of("a", "b", budget_s=11.0), 2.0)) == 8


def test_no_intervention_has_more_than_the_most_blocks() -> None:
    assert Counter(driven(schedule_of("a", "b", budget_s=1e9))) == {"a": 10, "b": 10}


def test_an_intervention_that_failed_is_not_measured_again() -> None:
    assert Counter(driven(schedule_of("a", "b"), failing="b")) == {"a": 4, "b": 1}


def test_without_interventions_nothing_is_measured() -> None:
    assert driven(schedule_of()) == []


def test_it_says_how_many_blocks_are_left_at_most() -> None:
    schedule = schedule_of("a", "b", most=3)
    assert schedule.most_left == 6
    cause = schedule.next(0.0)
    assert cause is not None
    schedule.measured(cause, 1.0)
    assert schedule.most_left == 5


def test_the_time_left_is_what_the_fewest_blocks_take_or_what_the_budget_has_left() -> None:
    schedule = schedule_of("a", "b", budget_s=100.0)
    assert schedule.left_s(0.0) is None
    cause = schedule.next(0.0)
    assert cause is not None
    schedule.measured(cause, 2.0)
    assert schedule.left_s(2.0) == 38.0  # the most blocks: 19 are left
    assert schedule.left_s(80.0) == 20.0
    assert schedule.left_s(99.0) == 14.0  # 7 blocks are measured whatever the budget


@given(seed=st.integers(0, 1000), count=st.integers(1, 6))
def test_every_round_has_each_intervention_once_in_an_order_that_the_seed_decides(seed: int, count: int) -> None:
    causes = [f"cause {number}" for number in range(count)]
    order = driven(schedule_of(*causes, seed=seed))
    assert order == driven(schedule_of(*causes, seed=seed))
    assert all(sorted(order[begin : begin + count]) == causes for begin in range(0, len(order), count))
