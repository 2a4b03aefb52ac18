"""Calibrating: a regression's blocks have the rounds that a gate of its budget would give them."""

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up_gates import block_of

from loaderbench.benches.gate.blocks import BlockRequest
from loaderbench.benches.gate.calibration_runner import CalibrationRunner
from loaderbench.benches.gate.injected_regressions import IDENTICAL, SLOWER_10, InjectedRegression

Asked = Callable[[InjectedRegression], list[BlockRequest]]


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """Return what is asked for in four blocks of a regression, made up rather than measured."""
    asked: list[BlockRequest] = []

    def measured(request: BlockRequest, *, within_s: float) -> dict[str, Any]:
        asked.append(request)
        return block_of(len(asked), {"epoch[a]": 1.0, "epoch[b]": 1.0}, np.random.default_rng(int(within_s)))

    made_up: dict[str, Any] = dict.fromkeys(("progress", "interruption", "servers"))
    runner = CalibrationRunner(folder=tmp_path, rng=random.Random(0), **made_up)
    monkeypatch.setattr(runner, "_runner", lambda _: SimpleNamespace(measure=measured))

    def four_blocks(regression: InjectedRegression) -> list[BlockRequest]:
        for seed in range(4):
            runner._block(regression, within_s=seed)
        return asked

    return four_blocks


def test_blocks_have_the_rounds_of_a_gate_after_two(asked_for: Asked) -> None:
    asked = asked_for(IDENTICAL)
    assert [bool(request.pairs) for request in asked] == [False, False, True, True]
    assert asked[2].pairs == asked[3].pairs
    assert [request.has_all_controls for request in asked] == [True, True, False, False]


def test_what_a_minute_is_to_find_has_the_few_rounds_of_such_a_gate(asked_for: Asked) -> None:
    assert asked_for(SLOWER_10)[0].first_pairs < asked_for(IDENTICAL)[-1].first_pairs
