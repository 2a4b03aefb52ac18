"""A load on one side: what a neighbour on the machine does, on purpose, to see that the gate does not fall for it."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Self

_SPIN = "while True: pass"


@dataclass(kw_only=True)
class Load(AbstractContextManager["Load"]):
    """A busy process for each core, which runs while the side called `burdened` has its turn and stands still else."""

    burdened: str
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", _SPIN]
        self._processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]  # noqa: S603 - our own
        self._signal(signal.SIGSTOP)
        return self

    def turn(self, side: str) -> None:
        """The side that is about to have its turn."""
        self._signal(signal.SIGCONT if side == self.burdened else signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _signal(self, number: int) -> None:
        for process in self._processes:
            process.send_signal(number)
