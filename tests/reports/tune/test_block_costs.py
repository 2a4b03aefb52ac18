"""Costs in blocks: what drifts alike cancels, and the spread of all settings helps where blocks are few."""

import math
import random

import pytest
from scipy.stats import ttest_1samp

from loaderbench.reports.tune.block_costs import BlockCosts, Spread

UNKNOWN = Spread(variance=0.0, freedom=0.0)


def made_up(costs: dict[str, list[float]]) -> BlockCosts:
    blocks = BlockCosts()
    for name, values in costs.items():
        for block, value in enumerate(values):
            blocks.add(block, name, value)
    return blocks


def test_what_a_block_has_in_common_cancels() -> None:
    blocks = made_up({"a": [1.0, 3.0, 2.0], "b": [2.0, 6.0, 4.0]})
    comparison = blocks.compare("b", "a", UNKNOWN)
    assert (comparison.ratio, comparison.blocks) == (pytest.approx(2.0), 3)


def test_with_no_other_settings_it_is_the_t_interval_of_the_differences() -> None:
    blocks = made_up({"a": [1.0, 1.1, 0.9], "b": [1.3, 1.2, 1.4]})
    comparison = blocks.compare("b", "a", UNKNOWN)
    logs = [math.log(b / a) for a, b in ((1.0, 1.3), (1.1, 1.2), (0.9, 1.4))]
    low, high = ttest_1samp(logs, 0.0).confidence_interval(0.95)
    assert (comparison.low, comparison.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_two_blocks_have_a_narrower_interval_where_the_spread_of_others_is_known() -> None:
    blocks = made_up({"a": [1.0, 1.01], "b": [1.3, 1.32]})
    alone = blocks.compare("b", "a", UNKNOWN)
    among_others = blocks.compare("b", "a", Spread(variance=1e-4, freedom=20))
    assert alone.low < among_others.low < 1.31 < among_others.high < alone.high


def test_settings_of_different_blocks_have_no_comparison() -> None:
    blocks = BlockCosts()
    blocks.add(1, "a", 1.0)
    blocks.add(2, "b", 1.0)
    comparison = blocks.compare("a", "b", UNKNOWN)
    assert comparison.blocks == 0
    assert math.isnan(comparison.ratio)


def test_an_effect_is_that_of_a_setting_whatever_blocks_it_was_in() -> None:
    """b is measured only while the machine is twice as slow."""
    blocks = BlockCosts()
    for block, slowness in enumerate((1.0, 1.0, 2.0, 2.0)):
        blocks.add(block, "a", slowness)
        if slowness > 1:
            blocks.add(block, "b", 0.9 * slowness)
    effects = blocks.effects(["a", "b"])
    assert effects["b"] - effects["a"] == pytest.approx(math.log(0.9))


def test_the_spread_is_what_settings_and_blocks_leave() -> None:
    rng = random.Random(3)
    costs = {
        name: [cost * moment * math.exp(rng.gauss(0, 0.05)) for moment in (1.0, 1.5, 0.7, 1.2) * 10]
        for name, cost in (("a", 1.0), ("b", 5.0), ("c", 0.2))
    }
    spread = made_up(costs).spread(list(costs))
    assert math.sqrt(spread.variance) == pytest.approx(0.05, rel=0.2)
    assert spread.freedom == 3 * 40 - 3 - 40 + 1


@pytest.mark.parametrize("cost", [0.0, -1.0, math.nan, math.inf])
def test_a_cost_is_a_positive_number(cost: float) -> None:
    with pytest.raises(ValueError, match="positive number"):
        BlockCosts().add(1, "a", cost)


def test_a_setting_that_shares_no_block_with_the_others_is_not_compared_with_them() -> None:
    costs = BlockCosts()
    for block, name in ((1, "a"), (1, "b"), (2, "b"), (2, "c"), (3, "late")):
        costs.add(block, name, 1.0)
    assert sorted(costs.linked(["a", "b", "c", "late"])) == ["a", "b", "c"]
    assert costs.linked(["a", "c"]) in (["a"], ["c"])
    assert costs.linked(["unknown"]) == []
