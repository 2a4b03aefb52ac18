"""Measuring for a sequential test: it is asked what to measure, and an interrupt keeps what was measured."""

import os
import signal
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
import pytest
from made_up_gates import block_of

from loaderbench.benches.gate.blocks import BlockRequest
from loaderbench.benches.gate.fork_server import BlockCutError
from loaderbench.benches.gate.measuring import measure, terminated_as_interrupted
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.reports.gate.paired_effects import is_control
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.sequential import SequentialTest


class MadeUpRunner:
    """Stands in for a `BlockRunner`: its blocks are made up, and the last one is not finished, for the reason given."""

    def __init__(self, last: int = 1000, reason: Callable[[], BaseException] = KeyboardInterrupt) -> None:
        self.asked: list[Collection[str] | None] = []
        self.last = last
        self.reason = reason
        self.rng = np.random.default_rng(0)

    is_allocated = True

    def measure(self, request: BlockRequest, *, within_s: float) -> dict[str, Any]:
        cases = request.cases
        assert 0 < within_s <= 330
        self.asked.append(cases)
        if len(self.asked) == self.last:
            raise self.reason()
        block = block_of(len(self.asked), {"epoch[slow]": 1.4, "epoch[same]": 1.0}, self.rng)
        kept = [s for s in block["samples"] if cases is None or s["case"] in cases or is_control(s["case"])]
        return {**block, "samples": kept}


class LostInterrupt(Interruption):
    """Ctrl-C that Python ignored in the second block."""

    def __init__(self, test: SequentialTest) -> None:
        self.test = test

    def check(self) -> None:
        self.happened = self.test.blocks == 2
        super().check()


def begun() -> SequentialTest:
    return SequentialTest(plan=Plan(budget_s=300.0))


def test_it_measures_what_the_test_asks_for_until_it_is_over() -> None:
    test, runner, stands = begun(), MadeUpRunner(), []
    blocks = measure(test, runner, Interruption(), lambda test: stands.append(test.blocks))  # type: ignore[arg-type]
    assert test.is_over
    assert [block["block"] for block in blocks] == stands == list(range(1, test.blocks + 1))
    assert runner.asked[:3] == [None, None, None]
    assert runner.asked[-1] == {"epoch[slow]"}


def test_interrupted_it_keeps_the_blocks_that_ended() -> None:
    test = begun()
    blocks = measure(test, MadeUpRunner(last=3), Interruption())  # type: ignore[arg-type]
    assert len(blocks) == test.blocks == 2


def test_an_interrupt_that_python_ignored_ends_it_after_the_block() -> None:
    test = begun()
    interruption = LostInterrupt(test)
    assert len(measure(test, MadeUpRunner(), interruption)) == 2  # type: ignore[arg-type]
    assert interruption.happened


def test_interrupted_before_a_block_ended_there_is_nothing_to_keep() -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(begun(), MadeUpRunner(last=1), Interruption())  # type: ignore[arg-type]


def test_a_block_that_is_cut_is_left_out_and_the_others_are_judged() -> None:
    test = begun()
    blocks = measure(test, MadeUpRunner(last=3, reason=BlockCutError), Interruption())  # type: ignore[arg-type]
    assert len(blocks) == test.blocks == 2


def test_a_budget_that_does_not_hold_one_block_is_refused() -> None:
    with pytest.raises(RefusedError, match="the budget of 5.min is too short for one block: raise it, or"):
        measure(begun(), MadeUpRunner(last=1, reason=BlockCutError), Interruption())  # type: ignore[arg-type]


def test_a_revision_that_does_not_start_any_more_loses_no_block() -> None:
    test = begun()
    gone = partial(RefusedError, "head (b) does not start: Killed")
    blocks = measure(test, MadeUpRunner(last=3, reason=gone), Interruption())  # type: ignore[arg-type]
    assert len(blocks) == test.blocks == 2
    assert test.stopped == "head (b) does not start: Killed"
    with pytest.raises(RefusedError, match="does not start: Killed"):
        measure(begun(), MadeUpRunner(last=1, reason=gone), Interruption())  # type: ignore[arg-type]


def test_a_termination_is_an_interrupt_and_only_within() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted(), Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
    assert interruption.happened
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_termination_ends_what_ctrl_c_does_not_as_in_the_background_of_a_script() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), terminated_as_interrupted(), Interruption():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
