"""The ledger: a pass's seconds, each under one heading, from the stamps of its batches.

Two accounts are kept. What was *done*: seconds of a worker or of this process for each batch, whoever waited for it.
And what was *waited for*: while the loop stood still for a batch, that batch was not begun, or was being fetched,
collated or handed over; each of the loop's seconds falls under one of these or under its step, so that they add up to
the pass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaderbench.benches.harness.tracing.timestamps import MOMENTS, Stamps

Floats = NDArray[np.float64]

# What happens between a moment and the next one.
STAGES = ("fetch", "collate", "queue", "pickle", "transit", "unpickle", "to_pin", "pin", "ready")
# What the loop may wait for: a batch that was not begun yet, and the stages, gathered.
WAITS: Mapping[str, tuple[str, ...]] = {
    "begin": (),
    "fetch": ("fetch",),
    "collate": ("collate",),
    "hand_over": ("queue", "pickle", "transit", "unpickle"),
    "pin": ("to_pin", "pin"),
    "loop": ("ready",),
}


@dataclass(slots=True)
class Entry:
    """What the loop saw of one batch: when it asked, when it had it, when it was done with it."""

    asked: float
    arrived: float
    done: float
    stamps: Stamps


@dataclass(slots=True)
class Ledger:
    """A pass under way, and then what became of its seconds."""

    seconds: float = 0.0
    drain_s: float = 0.0  # after the last batch: what the steps began comes to its end
    entries: list[Entry] = field(default_factory=list)

    def read(self, loader: Iterable[Any], step: Any = None, drain: Callable[[], object] = lambda: None) -> "Ledger":
        """Read `loader`, whose batches are `Stamped`, to its end, giving each batch to `step`, and then `drain`."""
        began = asked = perf_counter()
        for each in loader:
            arrived = perf_counter()
            if step is not None:
                step(each.batch)
            done = perf_counter()
            self.entries.append(Entry(asked, arrived, done, each.stamps))
            asked = done
        ended = perf_counter()
        drain()
        self.drain_s = perf_counter() - ended
        self.seconds = perf_counter() - began
        return self

    @property
    def samples(self) -> int:
        """Samples of all batches."""
        return sum(entry.stamps.samples for entry in self.entries)

    def done(self) -> dict[str, float]:
        """Seconds that each stage took, over all batches: of workers, side by side, they may exceed the pass.

        ``transform_s`` of fetching was in the dataset's ``transform``; for ``off_cpu_s`` of fetching and collating
        their thread had no CPU: it waited for a file, a network, other threads, or a CPU.
        """
        lengths = np.diff(self._moments(), axis=1).clip(min=0).sum(axis=0)
        found = {f"{stage}_s": float(taken) for stage, taken in zip(STAGES, lengths, strict=True)}
        off_cpu_s = sum(max(0.0, each.collated - each.fetch - each.cpu_s) for each in self._stamps())
        transform_s = sum(each.transform_s for each in self._stamps())
        return {**found, "transform_s": transform_s, "off_cpu_s": off_cpu_s}

    def _stamps(self) -> Iterator[Stamps]:
        return (entry.stamps for entry in self.entries)

    def waited(self) -> dict[str, float]:
        """Seconds of the loop: waiting, by what the batch it waited for was at; at its step; and between the two."""
        moments = self._moments()
        asked = np.array([entry.asked for entry in self.entries])[:, None]
        arrived = moments[:, -1:]
        edges = np.concatenate([asked, np.clip(moments, asked, arrived)], axis=1)
        parts = dict(zip(("begin", *STAGES), np.diff(edges, axis=1).clip(min=0).sum(axis=0), strict=True))
        waits = {
            f"wait_{name}_s": float(sum(parts[stage] for stage in (stages or (name,))))
            for name, stages in WAITS.items()
        }
        step_s = self.drain_s + float(sum(entry.done - entry.arrived for entry in self.entries))
        return {**waits, "step_s": step_s}

    def blocked_s(self) -> float:
        """Seconds of the waiting in which a later batch was ready: it is delivered after the one waited for."""
        moments = self._moments()
        pickled, arrived = moments[:, MOMENTS.index("pickled")], moments[:, -1]
        later = np.append(np.minimum.accumulate(pickled[::-1])[::-1][1:], np.inf)  # the earliest of all that come after
        asked = np.array([entry.asked for entry in self.entries])
        return float((arrived - np.maximum(asked, later)).clip(min=0).sum())

    def closure(self) -> float:
        """What the parts leave of the pass, as a share of it: it should be next to nothing."""
        return 1 - sum(self.waited().values()) / self.seconds

    def _moments(self) -> Floats:
        """One row a batch: its moments, and its arrival; never falling, as two clocks may by a microsecond."""
        rows: Sequence[list[float]] = [[*entry.stamps.moments, entry.arrived] for entry in self.entries]
        return np.maximum.accumulate(np.array(rows).reshape(-1, len(MOMENTS) + 1), axis=1)
