"""The clock: whole passes over a loader, and what they show."""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Self

import numpy as np
import torch

from loaderbench.benches.harness.coverage import audit
from loaderbench.benches.harness.devices import Timeline, place, synchronise
from loaderbench.benches.harness.loading import LoaderConfig
from loaderbench.benches.harness.subjects import Subject

Step = Callable[[Any], object]
Metrics = dict[str, float]
QUANTILES = (5, 25, 50, 75, 95)


@dataclass(slots=True)
class Reading:
    """What the host clock saw of some passes; everything else is worked out after the clock."""

    seconds: float = 0.0
    waits_s: "array[float]" = field(default_factory=lambda: array("d"))  # one for each batch
    firsts_s: list[float] = field(default_factory=list)  # the first wait of each pass
    batches: list[int] = field(default_factory=list)  # delivered by each pass

    def metrics(self) -> Metrics:
        """Seconds and batches in all, the mean wait for a first batch, total and quantiles of all waits."""
        return {
            "seconds": self.seconds,
            "batches": float(sum(self.batches)),
            "first_batch_s": float(np.mean(self.firsts_s)),
            **wait_metrics(self.waits_s),
        }


def wait_metrics(waits_s: Iterable[float]) -> Metrics:
    """Total and quantiles of the waits for single batches, in seconds."""
    waits = np.fromiter(waits_s, dtype=float)
    quantiles = np.percentile(waits, QUANTILES)
    named = {f"wait_p{q:02d}_s": float(value) for q, value in zip(QUANTILES, quantiles, strict=True)}
    return {"wait_s": float(waits.sum()), **named, "wait_max_s": float(waits.max())}


def read(loader: Iterable[Any], step: Step, passes: int = 1) -> Reading:
    """Read `loader` to its end `passes` times, giving each batch to `step`.

    A wait runs from the end of the step before (from ``iter()`` for the first) to the arrival of the batch. Two
    looks at the clock and one append a batch are all that is added to ``for batch in loader: step(batch)``.
    """
    reading, clock = Reading(), perf_counter
    waits = reading.waits_s
    began = clock()
    for _ in range(passes):
        before, mark = len(waits), clock()
        for batch in loader:
            waits.append(clock() - mark)
            step(batch)
            mark = clock()
        if len(waits) == before:
            raise ValueError("the loader delivered no batch; with drop_last, batch_size must not exceed the dataset")
        reading.firsts_s.append(waits[before])
        reading.batches.append(len(waits) - before)
    reading.seconds = clock() - began
    return reading


def keep(batch: Any) -> Any:
    """The step of a loader measured alone: the batch is held until the next one arrives, as in any loop."""
    return batch


class Epoch:
    """Work for `measure`: whole passes over one loader, each batch placed on the device and given to `step`.

    With ``persistent_workers``, or without workers, the clock starts with all of them alive: *steady*. Otherwise
    each pass starts and joins its workers inside the clock: *cold*.
    """

    def __init__(self, subject: Subject, config: LoaderConfig, *, device: torch.device, step: Step = keep) -> None:
        self.subject, self.config, self.device, self.step = subject, config, device, step
        self.steady = config.persistent_workers or not config.num_workers

    def __enter__(self) -> Self:
        deterministic = self.subject.contract.deterministic
        self._audit = audit(self.config, self.subject.dataset, deterministic=deterministic)
        return self

    def __exit__(self, *_: object) -> None:
        del self._audit  # the last reference to the loader: its workers are joined here

    def before(self, passes: int) -> None:
        """Outside the clock, before each round of so many passes."""

    def run(self, passes: int) -> None:
        """One round: the device synchronised at both edges of the clock and nowhere between them."""
        self._timeline = None if self.device.type == "cpu" else Timeline(self.device)
        synchronise(self.device)
        began = perf_counter()
        self._reading = read(self._audit.loader, self._consumer(), passes)
        synchronise(self.device)
        self._reading.seconds = perf_counter() - began

    def after(self) -> Metrics:
        """Outside the clock, after each round: count what arrived, work out the metrics."""
        metrics = {**self._reading.metrics(), "samples": float(self._audit.samples(self._reading.batches))}
        if self._timeline is None:
            return metrics
        return {**metrics, "host_wait_s": metrics["wait_s"], **wait_metrics(self._timeline.waits_s())}

    def _consumer(self) -> Step:
        step, device, timeline = self.step, self.device, self._timeline
        if timeline is None:
            return step

        def on_device(batch: Any) -> None:
            timeline.mark()
            step(place(batch, device, non_blocking=self.config.pin_memory))
            timeline.mark()

        timeline.mark()
        return on_device
