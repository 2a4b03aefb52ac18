"""Calibrating: a regression's blocks have the rounds that a gate would give them, once two of them are known."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up_gates import block_of

from loaderbench.benches.gate.blocks import BlockRequest
from loaderbench.benches.gate.calibration_runner import CalibrationRunner
from loaderbench.benches.gate.injected_regressions import IDENTICAL


def test_blocks_have_the_rounds_of_a_gate_after_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[BlockRequest] = []

    def measured(request: BlockRequest, *, within_s: float) -> dict[str, Any]:
        asked.append(request)
        return block_of(len(asked), {"epoch[a]": 1.0, "epoch[b]": 1.0}, np.random.default_rng(int(within_s)))

    made_up: dict[str, Any] = dict.fromkeys(("progress", "interruption", "servers"))
    runner = CalibrationRunner(folder=tmp_path, rng=random.Random(0), **made_up)
    monkeypatch.setattr(runner, "_runner", lambda _: SimpleNamespace(measure=measured))
    for seed in range(4):
        runner._block(IDENTICAL, within_s=seed)
    assert [bool(request.pairs) for request in asked] == [False, False, True, True]
    assert asked[2].pairs == asked[3].pairs
    assert [request.has_all_controls for request in asked] == [True, True, False, False]
