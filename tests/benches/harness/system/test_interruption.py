"""Ctrl-C in a place where Python ignores it."""

import gc
import multiprocessing
import os
import signal
from types import FunctionType

import pytest

from loaderbench.benches.harness.system.interruption import Interruption, with_known_lines


class Finalized:
    """As torch's iterator, which joins its workers when it is collected."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_raised_at_once_as_ever() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_in_a_finalizer_is_raised_at_the_next_check() -> None:
    with Interruption() as interruption:
        interruption.check()
        loader = Finalized()
        del loader
        gc.collect()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()


def test_once_it_is_to_be_raised_no_more_ctrl_c_is_only_remembered() -> None:
    with Interruption() as interruption:
        interruption.raise_no_more()
        signal.raise_signal(signal.SIGINT)
    assert interruption.happened


def test_a_forked_worker_leaves_ctrl_c_to_its_parent() -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        raise SystemExit(7)  # it is still alive

    with Interruption():
        worker = multiprocessing.get_context("fork").Process(target=interrupted)
        worker.start()
        worker.join(60)
    assert worker.exitcode == 7


def test_afterwards_signals_are_handled_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_where_it_is_ignored_it_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
            interruption.check()
            assert not interruption.happened
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted() -> None:
    raise KeyboardInterrupt


def test_a_traceback_stays_where_its_lines_are_known() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted()
    assert with_known_lines(caught.value).__traceback__ is not None


def test_a_traceback_in_which_a_line_is_unknown_is_left_out_for_pytest_cannot_show_it() -> None:
    without_lines = FunctionType(interrupted.__code__.replace(co_linetable=b""), globals())
    with pytest.raises(KeyboardInterrupt) as caught:
        without_lines()
    assert with_known_lines(caught.value).__traceback__ is None
