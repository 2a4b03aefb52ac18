"""Placement: which core runs the main process, and which each worker.

For comparing, not for reporting: two processes that the scheduler places as it likes differ by more than the change
under test, and two that are placed alike differ less, but a loader so placed may be slower.
"""

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil

from loaderbench.benches.harness.system.processes import listed_below


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """The main process on `cpus[first]`, worker i on the core i + 1 further, around.

    It is the loader's ``worker_init_fn``, and is pickled to reach a spawned worker.
    """

    cpus: tuple[int, ...]
    first: int

    @classmethod
    def starting(cls, first: int) -> "Placement | None":
        """Return a placement over all cores that this process may use; None where there is no placing (macOS)."""
        if not hasattr(os, "sched_getaffinity"):
            return None
        return cls(cpus=tuple(sorted(os.sched_getaffinity(0))), first=first)

    def settle(self) -> None:
        """Place this process and those below it that have no place yet, with all that they start from now on."""
        me = psutil.Process()
        for process in [me, *listed_below(me)]:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):  # it has ended
                if os.sched_getaffinity(process.pid) == set(self.cpus):
                    for thread in process.threads():
                        self._move(thread.id, self.first)

    def __call__(self, worker_id: int) -> None:
        """Place the worker that calls this."""
        self._move(0, self.first + 1 + worker_id)

    def _move(self, thread: int, place: int) -> None:
        os.sched_setaffinity(thread, {self.cpus[place % len(self.cpus)]})
