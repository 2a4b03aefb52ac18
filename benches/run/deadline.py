"""A moment at which the main thread is interrupted, whatever it waits for."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Self

_LEAST_S = 1e-3  # a timer of 0 seconds would never go off


@dataclass(eq=False)
class Deadline(AbstractContextManager["Deadline"]):
    """Within it `expire` is called in the main thread after `seconds`, once; it may raise.

    A process that is forked within has no such timer. Systems without SIGALRM have none either.
    """

    seconds: float
    expire: Callable[[], object]
    _previous: Any = field(default=None, init=False)

    def __enter__(self) -> Self:
        if hasattr(signal, "SIGALRM"):
            self._previous = signal.signal(signal.SIGALRM, self._alarm)
            signal.setitimer(signal.ITIMER_REAL, max(_LEAST_S, self.seconds))
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "SIGALRM"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous)

    def _alarm(self, _: int, __: FrameType | None) -> None:
        self.expire()
