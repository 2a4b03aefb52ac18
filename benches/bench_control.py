"""Did the machine change between two measurements?

Work that no change to a dataset or a loader can affect: a busy loop, a copy of memory, a sleep. ``loaderbench gate``
measures these controls between the cases it judges: where a control changes, the two revisions did not run under the
same conditions, and every other change is unproven. Between two records (``loaderbench compare``) it tells a slower
machine from a slower loader.

**Timed**: a fixed amount of each, about 10 ms on a machine of 2024, as often as fills a round.

    pytest benches/bench_control.py
"""

import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from time import perf_counter

import numpy as np
import pytest

from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics, Work

COPIED_BYTES = 8 << 20  # more than a core's own caches hold
HASHED = bytes(16 << 10)
SLEEP_S = 0.01


def busy() -> None:
    """A loop in C, over what fits a core's first cache: one in the interpreter differs by 20 % between processes."""
    for _ in range(64):
        sha256(HASHED)


class Copying:
    """Copies of an array into another, both already in memory."""

    def __init__(self) -> None:
        self.source = np.ones(COPIED_BYTES, dtype=np.uint8)
        self.target = np.zeros_like(self.source)

    def __call__(self) -> None:
        for _ in range(8):
            np.copyto(self.target, self.source)


def sleep() -> None:
    """A sleep: what is longer than asked for is the scheduler's delay."""
    time.sleep(SLEEP_S)


CONTROLS: Mapping[str, Callable[[], Callable[[], None]]] = {
    "busy loop": lambda: busy,
    "memory copy": Copying,
    "sleep": lambda: sleep,
}


class Constant(Work):
    """A fixed amount of work."""

    steady = True

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work

    def run(self, passes: int) -> None:
        """So many times."""
        began = perf_counter()
        for _ in range(passes):
            self.work()
        self.metrics = {"seconds": perf_counter() - began, "passes": float(passes)}

    def after(self) -> Metrics:
        """Return the seconds, and how many times."""
        return self.metrics


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.sweep(rounds=3, expected_s=0.7)
def bench_control(measure: Measure, control: str) -> None:
    """Seconds for a fixed amount of work."""
    measure(Constant(CONTROLS[control]()))
