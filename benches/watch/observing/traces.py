"""What has been seen of each loader: when its loop asked for a batch and when it got it. Nothing here imports torch."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loaderbench.benches.watch.observing.stages import Row

MOST_STEPS = 1 << 18  # of a loader, that are kept: some 4 MB, and 6 MB more of what its batches cost


@dataclass(slots=True)
class EpochTrace:
    """One pass of a loop over a loader, in seconds of ``perf_counter``."""

    loader: "LoaderTrace"
    began: float  # an iterator is asked for
    started: float  # it is there: workers have been started
    requested: "array[float]" = field(default_factory=lambda: array("d"))  # of each batch
    received: "array[float]" = field(default_factory=lambda: array("d"))
    idle: "array[float]" = field(default_factory=lambda: array("d"))  # seconds of the device, of the first batches
    own_work: list[tuple[int, float]] = field(default_factory=list)  # after which batch, seconds: to be subtracted
    ended: tuple[float, float] | None = None  # the end was asked for, and known; None: it was left before, or is on
    made: list[Row] = field(default_factory=list)  # in this process
    workers: tuple[int, ...] = ()  # their process ids
    worker_pass: int = 1  # of these workers

    def add(self, requested: float, received: float) -> bool:
        """Note one batch, and return whether it is kept; what exceeds `MOST_STEPS` is counted alone."""
        self.loader.steps += 1
        if self.loader.steps > MOST_STEPS:
            return False
        self.requested.append(requested)
        self.received.append(received)
        return True

    def workers_made(self, made: Mapping[int, list[Row]]) -> list[Row]:
        """Return the batches of this pass, of what `made` holds of each worker; of this process, its own."""
        rows = [row for worker in self.workers for row in made.get(worker, ()) if row[0] == self.worker_pass]
        return sorted([*self.made, *rows], key=lambda row: row[1])


@dataclass(slots=True)
class LoaderTrace:
    """A loader, or several that the same lines made one after the other."""

    name: str  # the line that made it, such as ``train.py:31``
    lines: tuple[str, ...] = ()  # that line, and those that called it
    facts: dict[str, Any] = field(default_factory=dict)
    epochs: list[EpochTrace] = field(default_factory=list)
    steps: int = 0
    loaders: int = 1  # that these lines made, and that were read
    failure: str = ""  # what a batch of it raised
