"""Gates replayed on recorded blocks: what they find, how often they err, and how long that takes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loaderbench.reports.gate.calibration.replayed_gates import (
    Pool,
    Rate,
    RecordedBlock,
    coverage,
    needed_s,
    outcome,
    replay,
    signs,
    spreads,
)
from loaderbench.reports.gate.plan import Plan

CASES = [f"epoch[{name}]" for name in "abcdef"]

Made = Callable[..., Pool]


@pytest.fixture
def pool() -> Made:
    """Make recorded blocks of 10 s, 2 s of it the start; head is slower by `change`, blocks vary by `spread`."""

    def make(blocks: int = 60, change: float = 0.0, spread: float = 0.01, expected: str = "", seed: int = 0) -> Pool:
        rng = np.random.default_rng(seed)
        return Pool(name="made up", expected=expected, blocks=tuple(_block(rng, change, spread) for _ in range(blocks)))

    return make


def _block(rng: np.random.Generator, change: float, spread: float) -> RecordedBlock:
    rows = [
        {"case": case, "metric": "samples_per_s", "effect": rng.normal(-change, spread), "base": 1.0, "head": 1.0}
        for case in CASES
    ]
    rows.append(
        {"case": "control[sleep]", "metric": "seconds", "effect": rng.normal(0, 0.001), "base": 1.0, "head": 1.0}
    )
    spans = dict.fromkeys([*CASES, "control[sleep]"], 8 / 7)
    return RecordedBlock(seconds=10.0, effects=pd.DataFrame(rows), spans=spans)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_identical_code_is_called_changed_in_next_to_no_case(pool: Made) -> None:
    result = outcome(pool(), Plan(budget_s=200.0), 20, rng())
    assert result.hits.of == 20 * len(CASES)
    assert result.hits.share <= 0.02


def test_an_injected_change_is_found(pool: Made) -> None:
    result = outcome(pool(change=0.10, expected="regressed"), Plan(budget_s=200.0), 10, rng())
    assert result.hits.share == 1.0
    assert result.red.share == 1.0


def test_a_case_that_changed_by_less_than_the_margin_is_none_to_be_found(pool: Made) -> None:
    result = outcome(pool(change=0.02, expected="regressed"), Plan(budget_s=200.0), 10, rng())
    assert result.hits.of == 0
    assert not any(map(result.is_to_be_found, CASES))


def test_a_shift_of_identical_code_is_found_like_an_injected_change(pool: Made) -> None:
    result = outcome(pool(expected="regressed"), Plan(budget_s=200.0), 10, rng(), shift=-0.10)
    assert result.hits.share == 1.0


def test_where_identical_code_is_shifted_each_case_is_to_be_found_whatever_its_blocks_showed(pool: Made) -> None:
    result = outcome(pool(spread=0.3, expected="regressed"), Plan(budget_s=100.0), 2, rng(), shift=-0.05)
    assert all(map(result.is_to_be_found, CASES))
    assert result.hits.of == 2 * len(CASES)


def test_a_control_is_never_shifted(pool: Made) -> None:
    test = replay(pool(), Plan(budget_s=200.0), rng(), shift=-0.10)
    assert not test.moved
    assert {verdict.verdict for verdict in test.verdicts()} == {"regressed"}


def test_no_block_is_drawn_twice_for_a_gate(pool: Made) -> None:
    recorded = pool(blocks=7, spread=0.3)
    test = replay(recorded, Plan(budget_s=1e6), rng())
    drawn = [tuple(effects["effect"]) for effects in test.effects]
    assert len(set(drawn)) == len(drawn) == 7


def test_a_block_of_fewer_cases_takes_less_time(pool: Made) -> None:
    noisy = pool(spread=0.002)
    for block in noisy.blocks:
        block.effects.loc[0, "effect"] *= 100
    test = replay(noisy, Plan(budget_s=400.0), rng())
    assert test.seconds[0] == 10.0
    assert test.seconds[-1] < 5.0


def test_servers_are_renewed_as_often_as_in_a_gate(pool: Made) -> None:
    recorded = pool(spread=0.3)
    blocks = [replace(block, renewed_s=4.0 if place == 2 else 0.0) for place, block in enumerate(recorded.blocks)]
    test = replay(replace(recorded, blocks=tuple(blocks)), Plan(budget_s=200.0), rng())
    assert test.seconds[:5] == [14.0, 10.0, 10.0, 10.0, 14.0]
    assert test.renewed_s[:5] == [4.0, 0.0, 0.0, 0.0, 4.0]


def test_a_larger_change_takes_no_longer_to_be_found(pool: Made) -> None:
    recorded = pool(blocks=60, spread=0.03)
    soon, later = (needed_s(recorded, Plan(), change, 3, rng()) for change in (0.20, 0.08))
    assert soon <= later


def test_what_recorded_blocks_cannot_hold_takes_for_ever(pool: Made) -> None:
    assert needed_s(pool(blocks=3), Plan(), 0.05, 5, rng()) == float("inf")


def test_intervals_hold_the_truth_as_often_as_they_say(pool: Made) -> None:
    (result,) = coverage(pool(), 8, rng(), draws=500).values()
    assert result.of > 400
    assert 0.92 <= result.share <= 0.98


def test_signs_of_identical_code_are_even(pool: Made) -> None:
    low, high = signs(pool()).interval
    assert low < 0.5 < high


def test_spreads_are_those_of_the_blocks(pool: Made) -> None:
    result = spreads(pool(blocks=400, spread=0.05))
    assert result["sd"].drop(index=0).between(0.04, 0.06).all()


@pytest.mark.parametrize(("count", "of", "low", "high"), [(0, 1000, 0.0, 0.0037), (10, 1000, 0.0048, 0.0183)])
def test_a_rate_has_an_exact_interval(count: int, of: int, low: float, high: float) -> None:
    assert Rate(count=count, of=of).interval == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_nothing_is_known() -> None:
    nothing: Mapping[str, Any] = {"count": 0, "of": 0}
    assert Rate(**nothing).interval == (0.0, 1.0)
