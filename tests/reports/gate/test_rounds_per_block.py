"""Where to spend: pairs of rounds by costs and variances, on made-up blocks; and when it is decided."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up_gates import block_of

from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.rounds_per_block import (
    FEWEST_PAIRS,
    LEAST_BLOCKS,
    STEADY_PAIRS,
    STEADY_S,
    BlockCost,
    allocate,
    cost_of,
)
from loaderbench.reports.gate.sequential import SequentialTest

CASES = ("epoch[a]", "epoch[b]")


def effects_of(within: float, between: float, *, pairs: int = 8, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    """The effects of a block whose pairs have the spread `within`."""
    rng = np.random.default_rng(seed)
    spread = math.hypot(between, within / math.sqrt(pairs))
    numbers = {"metric": "samples_per_s", "base": 1.0, "head": 1.0, "pairs": pairs, "spread": within}
    return pd.DataFrame([{"case": case, **numbers, "effect": shift + rng.normal(0, spread)} for case in CASES])


def cost(set_up_s: float = 0.4, pair_s: float = 0.1) -> BlockCost:
    return BlockCost(
        start_s=1.0, set_up_s=dict.fromkeys((*CASES, "control[a]"), set_up_s), pair_s=dict.fromkeys(CASES, pair_s)
    )


def pairs_of(within: float = 0.1, *, left_s: float = 600.0, shift: float = 0.0, **costs: float) -> int:
    """Pairs of rounds of the first case, where blocks differ by 0.02."""
    effects = [effects_of(within, 0.02, seed=seed, shift=shift) for seed in range(40)]
    allocation = allocate(effects, [cost(**costs)], left_s=left_s)
    assert allocation is not None
    return allocation.pairs["epoch[a]"]


def test_it_is_the_optimum_of_kalibera_and_jones() -> None:
    optimum = math.sqrt((0.5 + 0.4) / 0.1) * 0.1 / 0.02
    assert pairs_of() == pytest.approx(optimum, rel=0.25)


def test_noisier_rounds_and_dearer_blocks_have_more_pairs() -> None:
    assert pairs_of(0.2) > pairs_of(0.1) > pairs_of(0.05)
    assert pairs_of(set_up_s=4.0) > pairs_of(set_up_s=0.4)
    assert pairs_of(pair_s=1.0) < pairs_of(pair_s=0.1)


def test_a_budget_holds_the_least_number_of_blocks_or_blocks_have_the_fewest_pairs() -> None:
    effects = [effects_of(0.2, 0.01, seed=seed) for seed in range(2)]
    allocation = allocate(effects, [cost(), cost()], left_s=40.0)
    assert allocation is not None
    assert allocation.block_s <= 40.0 / LEAST_BLOCKS
    assert pairs_of(left_s=1.0) == FEWEST_PAIRS[0]


def test_short_rounds_are_many_where_the_budget_allows_it() -> None:
    assert pairs_of(within=0.001, pair_s=0.02) == STEADY_PAIRS[1]
    assert pairs_of(within=0.001, pair_s=0.06) == math.ceil(STEADY_S / 0.06)
    assert pairs_of(within=0.001, pair_s=0.5) == STEADY_PAIRS[0]
    assert pairs_of(within=0.001, pair_s=0.02, left_s=1.0) == FEWEST_PAIRS[1]


def test_blocks_are_shorter_where_a_short_budget_would_not_hold_those_that_a_change_needs() -> None:
    effects = [effects_of(0.2, 0.01, seed=seed) for seed in range(2)]
    allocation = allocate(effects, [cost(), cost()], left_s=4 * 4.0)
    assert allocation is not None
    assert FEWEST_PAIRS[0] < allocation.pairs["epoch[a]"] < STEADY_S / 0.1 + 1
    assert allocation.block_s <= 4.0


def test_effects_themselves_are_not_looked_at() -> None:
    assert pairs_of(shift=0.5) == pairs_of()


def test_what_does_not_vary_is_not_allocated() -> None:
    without = effects_of(0.1, 0.02).assign(spread=math.nan)
    assert allocate([without, without], [cost(), cost()], left_s=100.0) is None


def test_what_a_block_cost_is_read_from_its_rounds() -> None:
    samples: list[dict[str, Any]] = [
        {"case": case, "place": place, "began_s": began_s}
        for place, (case, began_s) in enumerate(
            [("a", 2.0), ("a", 2.1), ("a", 2.2), ("a", 2.3), ("control[b]", 3.4), ("control[b]", 3.5)]
        )
    ]
    result = cost_of({"samples": samples, "seconds": 4.0}, 5.0)
    assert result.start_s == 3.0
    assert result.pair_s["a"] == pytest.approx(0.2)
    assert result.set_up_s == {"a": pytest.approx(1.0), "control[b]": pytest.approx(0.6)}
    assert result.seconds({"a": 5}, controls=2) == pytest.approx(3.0 + 1.0 + 5 * 0.2 + 2 * 0.6)


def began(budget_s: float = 300.0, blocks: int = 2) -> SequentialTest:
    test = SequentialTest(plan=Plan(budget_s=budget_s))
    for seed in range(blocks):
        test.add(effects_of(0.1, 0.02, seed=seed), 10.0, cost())
    return test


def test_it_is_decided_after_two_blocks_before_the_first_analysis() -> None:
    assert began(blocks=1).pairs is None
    test = began()
    assert test.allocation is not None
    assert test.allocation.after == 2
    assert not test.analyses
    before = test.pairs
    test.add(effects_of(0.5, 0.5, seed=9), 10.0, cost())
    assert test.pairs == before


def test_blocks_without_costs_stay_as_they_are() -> None:
    test = SequentialTest(plan=Plan())
    for seed in range(3):
        test.add(effects_of(0.1, 0.02, seed=seed), 10.0)
    assert test.pairs is None


def test_each_control_is_measured_until_it_is_known_and_while_there_is_a_candidate_change() -> None:
    assert began(blocks=2).needs_all_controls
    calm = began(blocks=4)
    assert not calm.needs_all_controls
    for state in calm.states.values():
        state.is_settled, state.candidate = False, "regressed"
    assert calm.needs_all_controls


def test_a_block_of_rounds_has_costs_and_spreads() -> None:
    block = block_of(1, dict.fromkeys(CASES, 1.0), np.random.default_rng(0))
    assert cost_of(block, 10.0).set_up_s.keys() == {*CASES, "control[sleep]"}
