"""Estimates on made-up effects: how often chance alone looks like a change."""

import numpy as np
import pandas as pd
import pytest

from loaderbench.reports.gate.estimate import estimates_of, moved_controls, unpaired

SPREADS = {"control[busy loop]": 0.002, "control[memory copy]": 0.06, "control[sleep]": 0.0005}


@pytest.mark.parametrize("blocks", [6, 12])
def test_controls_that_only_vary_are_said_to_have_moved_in_at_most_1_of_100_gates(blocks: int) -> None:
    rng, gates = np.random.default_rng(20261127), 600
    moved = 0
    for _ in range(gates):
        effects = {case: rng.normal(0, spread, blocks) for case, spread in SPREADS.items()}
        moved += bool(moved_controls(estimates_of(_table(effects)), margin=0.03))
    assert moved <= gates / 100


def test_a_control_that_is_slower_in_every_block_has_moved() -> None:
    rng = np.random.default_rng(1)
    effects = {case: rng.normal(0.2 if "copy" in case else 0, spread, 8) for case, spread in SPREADS.items()}
    assert moved_controls(estimates_of(_table(effects)), margin=0.03) == ("control[memory copy]",)


@pytest.mark.parametrize(("head", "is_regressed"), [(0.5, False), (0.8, True)])
def test_runs_that_agree_to_the_digit_are_as_sure_as_can_be(head: float, is_regressed: bool) -> None:
    estimate = unpaired("epoch[a]", "stall_share", np.full(4, 0.5), np.full(4, head), runs=4)
    assert estimate.interval == pytest.approx((head - 0.5, head - 0.5))
    assert estimate.is_beyond("regressed", 0.03) is is_regressed
    assert estimate.is_within(0.03) is not is_regressed


def _table(effects: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [pd.DataFrame({"case": case, "effect": of_blocks}) for case, of_blocks in effects.items()]
    return pd.concat(parts, ignore_index=True).assign(metric="seconds", base=1.0, head=1.0)
