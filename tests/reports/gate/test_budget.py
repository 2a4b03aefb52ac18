"""The budget of blocks, on made-up costs: none begins that would not end within it."""

from random import Random

import pytest

from loaderbench.reports.gate.budget import OVERRUN, REPORT_S, BlockQueue, for_blocks_s, holds_another
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.sequential import SequentialTest


@pytest.mark.parametrize("budget_s", [10, 30, 60, 120, 1800])
def test_blocks_that_overrun_and_the_result_written_stay_within_a_fifth_above_the_budget(budget_s: float) -> None:
    assert OVERRUN * for_blocks_s(budget_s) + REPORT_S <= max(1.2 * budget_s, REPORT_S) + 1e-9


def test_a_block_begins_only_where_the_longer_of_the_last_two_would_end_in_time() -> None:
    assert holds_another(100, 70, [20, 30])
    assert not holds_another(100, 71, [30, 20])
    assert holds_another(100, 71, [30, 20, 20])


def queue(budget_s: float) -> BlockQueue:
    return BlockQueue(weights={"identical": 4, "slower": 2, "rare": 1}, budget_s=budget_s, rng=Random(0))


def measured(blocks: BlockQueue, **costs: float) -> list[str]:
    """Measure what a queue asks for, each name at a cost of its own."""
    names = []
    while (name := blocks.next_block()) is not None:
        names.append(name)
        blocks.add(name, costs[name])
    return names


def test_names_come_as_often_as_their_weights_say() -> None:
    names = measured(queue(70), identical=1, slower=1, rare=1)
    assert [names.count(name) for name in ("identical", "slower", "rare")] == [40, 20, 10]


@pytest.mark.parametrize("budget_s", [25, 50, 99, 123])
def test_known_costs_never_exceed_the_budget(budget_s: float) -> None:
    blocks = queue(budget_s)
    measured(blocks, identical=7, slower=7, rare=7)
    assert budget_s - 7 < blocks.spent_s <= budget_s


def test_a_name_that_was_never_measured_is_expected_to_take_as_long_as_any() -> None:
    blocks = BlockQueue(weights={"long": 1, "unknown": 1}, budget_s=50, rng=Random(0))
    blocks.add("long", 30)
    assert blocks.next_block() is None


def test_a_sequential_test_says_after_how_long_a_block_is_ended() -> None:
    test = SequentialTest(plan=Plan(budget_s=100))
    assert test.left_s == pytest.approx(110)
    test.seconds.append(30)
    assert test.left_s == pytest.approx(80)
