"""A background load on one revision, as other work on the machine puts it there, to see that the gate is not misled."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Self

_SPIN = """
import ctypes, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the process that started it
print(flush=True)
while True:
    pass
"""


@dataclass(kw_only=True)
class BackgroundLoad(AbstractContextManager["BackgroundLoad"]):
    """A busy process for each core, which runs only while the revision called `loaded` has its turn."""

    loaded: str
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        with ExitStack() as if_it_fails:
            if_it_fails.callback(self._end)
            for _ in range(os.cpu_count() or 1):
                command = [sys.executable, "-c", _SPIN]
                self._processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))  # noqa: S603 - our own
            for process in self._processes:
                if process.stdout is not None:
                    process.stdout.readline()  # it has begun
            self._signal(signal.SIGSTOP)
            if_it_fails.pop_all()
        return self

    def before_turn(self, revision: str) -> None:
        """Start or stop the load, before `revision` has its turn."""
        self._signal(signal.SIGCONT if revision == self.loaded else signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        while self._processes:
            process = self._processes.pop()
            with process:
                process.kill()

    def _signal(self, number: int) -> None:
        for process in self._processes:
            process.send_signal(number)
