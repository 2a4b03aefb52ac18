"""Waiting for what is on its way, on a busy machine too."""

from collections.abc import Callable
from time import monotonic, sleep

THERE_S = 180.0  # a run starts, and imports torch


def until(condition: Callable[[], bool], seconds: float = THERE_S) -> bool:
    """Return whether `condition` holds before `seconds` have passed."""
    end = monotonic() + seconds
    while not (holds := condition()) and monotonic() < end:
        sleep(0.02)
    return holds
