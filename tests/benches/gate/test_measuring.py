"""Measuring for a sequential test: it is asked what to measure, and an interrupt keeps what was measured."""

import os
import signal
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from made_up_gates import block_of

from loaderbench.benches.gate.measuring import BlocksInterruptedError, measure, terminated_as_interrupted
from loaderbench.reports.gate.paired_effects import is_control
from loaderbench.reports.gate.sequential import Plan, SequentialTest


class MadeUpRunner:
    """Stands in for a `BlockRunner`: its blocks are made up, and it is interrupted in the last one."""

    def __init__(self, last: int = 1000) -> None:
        self.asked: list[Collection[str] | None] = []
        self.last = last
        self.rng = np.random.default_rng(0)

    def measure(self, cases: Collection[str] | None) -> dict[str, Any]:
        self.asked.append(cases)
        if len(self.asked) == self.last:
            raise KeyboardInterrupt
        block = block_of(len(self.asked), {"epoch[slow]": 1.4, "epoch[same]": 1.0}, self.rng)
        kept = [s for s in block["samples"] if cases is None or s["case"] in cases or is_control(s["case"])]
        return {**block, "samples": kept}


def begun() -> SequentialTest:
    return SequentialTest(plan=Plan(budget_s=300.0))


def test_it_measures_what_the_test_asks_for_until_it_is_over() -> None:
    test, runner, stands = begun(), MadeUpRunner(), []
    blocks = measure(test, runner, lambda test: stands.append(test.blocks))  # type: ignore[arg-type]
    assert test.is_over
    assert [block["block"] for block in blocks] == stands == list(range(1, test.blocks + 1))
    assert runner.asked[:3] == [None, None, None]
    assert runner.asked[-1] == {"epoch[slow]"}


def test_interrupted_it_keeps_the_blocks_that_ended() -> None:
    test = begun()
    with pytest.raises(BlocksInterruptedError) as interrupted:
        measure(test, MadeUpRunner(last=3))  # type: ignore[arg-type]
    assert len(interrupted.value.blocks) == test.blocks == 2


def test_interrupted_before_a_block_ended_there_is_nothing_to_keep() -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(begun(), MadeUpRunner(last=1))  # type: ignore[arg-type]


def test_a_termination_is_an_interrupt_and_only_within() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
