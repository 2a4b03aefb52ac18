"""A background load on one revision, as other work on the machine puts it there, to see that the gate is not misled."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Self

_SPIN = "while True: pass"


@dataclass(kw_only=True)
class BackgroundLoad(AbstractContextManager["BackgroundLoad"]):
    """A busy process for each core, which runs only while the revision called `loaded` has its turn."""

    loaded: str
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", _SPIN]
        self._processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]  # noqa: S603 - our own
        self._signal(signal.SIGSTOP)
        return self

    def before_turn(self, revision: str) -> None:
        """Start or stop the load, before `revision` has its turn."""
        self._signal(signal.SIGCONT if revision == self.loaded else signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _signal(self, number: int) -> None:
        for process in self._processes:
            process.send_signal(number)
