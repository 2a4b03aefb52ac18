"""Ctrl-C that is never lost.

Python ignores an exception in a finalizer, KeyboardInterrupt too, and a DataLoader joins its workers in one; so it does
in what is called before and after a fork, and in a function that C calls. A terminal sends Ctrl-C to the workers as
well: a loader whose workers it has ended then waits for a batch until its timeout.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Self


class Interruption(AbstractContextManager["Interruption"]):
    """Within it, SIGINT does what it always does, and is remembered: `check` raises where Python ignored it.

    Workers forked within it leave Ctrl-C to this process, which ends them. In another thread than the main one, which
    alone may handle signals, nothing is remembered.
    """

    happened = False
    _is_raised = True

    def __enter__(self) -> Self:
        self._process = os.getpid()
        self._previous = signal.getsignal(signal.SIGINT)
        self._is_handled = callable(self._previous) and threading.current_thread() is threading.main_thread()
        if self._is_handled:  # else it is ignored, as in a shell's background
            signal.signal(signal.SIGINT, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_handled:
            signal.signal(signal.SIGINT, self._previous)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._process and callable(self._previous):
            self.happened = True
            if self._is_raised:
                self._previous(number, frame)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.happened:
            raise KeyboardInterrupt

    def raise_no_more(self) -> None:
        """Only remember Ctrl-C from now on: measuring has ended, and what was measured is to be written."""
        self._is_raised = False


@contextmanager
def late_ctrl_c() -> Iterator[None]:
    """Within it, Ctrl-C waits until the end of it: for what is short, and where Python would ignore it.

    The handler is changed rather than the signal blocked: a thread that does not block it would have it handled here.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if came:
        previous(*came[0])


def with_known_lines(interrupt: KeyboardInterrupt) -> KeyboardInterrupt:
    """Return `interrupt`, without its traceback where a line in that is unknown: pytest cannot show it.

    So it is where Ctrl-C comes at the first instructions of a generator or a coroutine.
    """
    lines = [entry.tb_lineno for entry in _entries(interrupt.__traceback__)]
    return interrupt.with_traceback(None) if None in lines else interrupt


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next
