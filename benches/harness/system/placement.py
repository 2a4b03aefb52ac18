"""Placement: which core runs the main process, and which each worker.

For comparing, not for reporting: two processes that the scheduler places as it likes differ by more than the change
under test, and two that are placed alike differ less, but a loader so placed may be slower.
"""

import os
from dataclasses import dataclass


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
        """Place this process, and every thread and process that it starts from now on."""
        self._move(self.first)

    def __call__(self, worker_id: int) -> None:
        """Place the worker that calls this."""
        self._move(self.first + 1 + worker_id)

    def _move(self, place: int) -> None:
        os.sched_setaffinity(0, {self.cpus[place % len(self.cpus)]})
