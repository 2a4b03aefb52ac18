"""What one setting does at otherwise equal settings: nothing else may differ within a pair."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.stats.effects import paired_ratios, pooled_effects


@pytest.fixture
def ratios(synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return paired_ratios(cases_of(synthetic(noise=0.005).run(device="cuda")))


def test_a_known_effect_is_found(ratios: pd.DataFrame) -> None:
    pooled = pooled_effects(ratios)
    images, text = (pooled[pooled["dataset"] == dataset].set_index("setting") for dataset in ("images", "text"))
    assert images["ratio"]["pin_memory"] == pytest.approx(1.08, rel=0.01)
    assert text["ratio"]["collate_fn"] == pytest.approx(1.12, rel=0.01)


def test_an_effect_is_said_of_a_level_over_the_smallest_one(ratios: pd.DataFrame) -> None:
    pooled = pooled_effects(ratios)
    assert set(pooled.loc[pooled["setting"] == "collate_fn", "base"]) == {"default"}
    assert set(pooled.loc[pooled["setting"] == "pin_memory", "base"]) == {"False"}


def test_a_pair_differs_in_one_setting_alone(ratios: pd.DataFrame) -> None:
    pinned = ratios[(ratios["setting"] == "pin_memory") & (ratios["dataset"] == "text")]
    assert len(pinned) == 5 * 2 * 2  # workers, batch sizes, collate functions


def test_no_effect_has_an_interval_that_holds_one(ratios: pd.DataFrame) -> None:
    shuffled = pooled_effects(ratios).set_index("level").loc["shuffle"]
    assert shuffled["low"] < 1 < shuffled["high"]


def test_cases_of_different_runs_are_never_a_pair(
    synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]
) -> None:
    cases = cases_of(synthetic().run(device="cuda"))
    assert paired_ratios(cases.assign(run=cases["case"])).empty


def test_nothing_to_compare_is_no_effect(synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]) -> None:
    assert pooled_effects(paired_ratios(cases_of(synthetic().epochs(1, 3)))).empty
