"""The clock: whole passes over a loader, and what they show."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Self

import numpy as np
import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.delivery import audit, prepare_audit
from loaderbench.benches.harness.measuring.work import Metrics, Work
from loaderbench.benches.harness.system.devices import DeviceUse, Timeline, place, synchronise

Step = Callable[[Any], object]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
QUANTILES = (5, 25, 50, 75, 95)

Marks = list[float]
CPU = torch.device("cpu")


def keep(batch: Any) -> Any:
    """Return `batch`: the step of a loader measured alone, in which a batch lives until the next one arrives."""
    return batch


@dataclass(slots=True)
class PassTimes:
    """What the host's clock showed of some passes; everything else is computed when the clock has stopped.

    The marks of a pass are its start and the arrival of each batch; where batches go through a step, also its end.
    """

    stepped: bool
    passes: list[Marks] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def batches(self) -> list[int]:
        """Return the batches that each pass delivered."""
        return [len(waits) for waits in self.waits_s]

    @property
    def waits_s(self) -> list[FloatArray]:
        """Return the waits of each pass, one for each batch: from the end of the step before, or the pass's start."""
        return [np.diff(marks)[:: 2 if self.stepped else 1] for marks in self.passes]

    def metrics(self) -> Metrics:
        """Return seconds and batches in all, the mean wait for a first batch, total and quantiles of all waits."""
        waits_s = self.waits_s
        return {
            "seconds": self.seconds,
            "batches": float(sum(self.batches)),
            "first_batch_s": float(np.mean([waits[0] for waits in waits_s])),
            **wait_metrics(np.concatenate(waits_s)),
        }


def wait_metrics(waits_s: Sequence[float] | FloatArray) -> Metrics:
    """Return total and quantiles of the waits for single batches, in seconds."""
    waits = np.asarray(waits_s)
    quantiles = np.percentile(waits, QUANTILES)
    named = {f"wait_p{q:02d}_s": float(value) for q, value in zip(QUANTILES, quantiles, strict=True)}
    return {"wait_s": float(waits.sum()), **named, "wait_max_s": float(waits.max())}


def read(loader: Iterable[Any], step: Step = keep, passes: int = 1, *, device: torch.device = CPU) -> PassTimes:
    """Read `loader` to its end `passes` times, giving each batch to `step`.

    One look at the clock a batch is all that is added to ``for batch in loader: pass``, and one more to
    ``for batch in loader: step(batch)``. `device` is synchronised at both edges of the clock and nowhere between them.
    Raises ValueError where a pass delivers nothing.
    """
    times = PassTimes(stepped=step is not keep)
    synchronise(device)
    began = perf_counter()
    for _ in range(passes):
        marks = _marks_around_steps(loader, step) if times.stepped else _marks(loader)
        if len(marks) == 1:
            raise ValueError(_no_batch(times.passes))
        times.passes.append(marks)
    synchronise(device)
    times.seconds = perf_counter() - began
    return times


def _no_batch(passes: Sequence[Marks]) -> str:
    if passes:
        return "the loader delivered no batch after a pass that did: its dataset does not begin anew at each iter()"
    return (
        "the loader delivered no batch; with drop_last, batch_size must not exceed the dataset, and a stream must "
        "begin anew at each iter()"
    )


def _iterator(loader: Iterable[Any]) -> Iterator[Any]:
    """Return what a loop over `loader` reads, to be kept by a name: by that a failure in a step is diagnosed."""
    batches = iter(loader)
    return batches if isinstance(batches, Iterator) else _each(batches)


def _each(batches: Any) -> Iterator[Any]:
    """Yield what has a ``__next__``, and no ``__iter__`` as an iterator should: a loop over its loader can read it."""
    with suppress(StopIteration):
        while True:
            yield next(batches)


def _marks(loader: Iterable[Any]) -> Marks:
    clock = perf_counter
    marks = [clock()]
    mark = marks.append
    for _batch in (_batches := _iterator(loader)):
        mark(clock())
    return marks


def _marks_around_steps(loader: Iterable[Any], step: Step) -> Marks:
    clock = perf_counter
    marks = [clock()]
    mark = marks.append
    for batch in (_batches := _iterator(loader)):
        mark(clock())
        step(batch)
        mark(clock())
    return marks


class Epoch(Work):
    """Work for `measure`: whole passes over one loader, each batch placed on the device and given to `step`.

    With ``persistent_workers``, or without workers, the clock starts with all of them alive: *steady*. Otherwise
    each pass starts and joins its workers inside the clock: *cold*.
    """

    def __init__(self, subject: Subject, config: LoaderConfig, *, device: torch.device, step: Step = keep) -> None:
        self.subject, self.config, self.device, self.step = subject, config, device, step
        self.steady = config.persistent_workers or not config.num_workers
        self._deterministic = subject.properties.deterministic
        prepare_audit(config, subject.dataset, deterministic=self._deterministic)  # here, for all cases

    def __enter__(self) -> Self:
        self._audit = audit(self.config, self.subject.dataset, deterministic=self._deterministic)
        return self

    def __exit__(self, *_: object) -> None:
        del self._audit  # the last reference to the loader: its workers are joined here

    @property
    def loader(self) -> Iterable[Any]:
        """Return what is read."""
        return self._audit.loader

    def run(self, passes: int) -> None:
        """Read the loader `passes` times; timed."""
        self._timeline = None if self.device.type == "cpu" else Timeline(self.device)
        self._use = None if self.device.type == "cpu" else DeviceUse(self.device)
        self._reading = read(self.loader, self._consumer(), passes, device=self.device)

    def after(self) -> Metrics:
        """Count what arrived and return the metrics of the round; not timed."""
        metrics = {**self._reading.metrics(), "samples": float(self._audit.samples(self._reading.batches))}
        if self._timeline is None or self._use is None:
            return metrics
        waits = {"host_wait_s": metrics["wait_s"], **wait_metrics(self._timeline.waits_s())}
        return {**metrics, **waits, **self._use.metrics()}

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
