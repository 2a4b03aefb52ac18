"""A deadline interrupts what the main thread waits for, and nothing after it has been left."""

import signal
from threading import Event

import pytest

from loaderbench.benches.run.deadline import Deadline


class SpentError(Exception):
    pass


def spent() -> None:
    raise SpentError


def test_what_is_waited_for_is_interrupted() -> None:
    with pytest.raises(SpentError), Deadline(0.01, spent):
        Event().wait(60)


def test_after_it_no_timer_is_left_and_the_handler_is_as_before() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with Deadline(3600, spent):
        assert signal.getsignal(signal.SIGALRM) != before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == before
