"""Starts: what happens from ``iter(loader)`` to the first batch, in this process and in its first worker.

Nothing of torch is patched. The dataset is wrapped: pickle says when it is packed and unpacked, a ``worker_init_fn``
when the worker is ready, and the first batch brings all that with it. What multiprocessing tells a new interpreter
before that, its ``sys.argv`` and its parent's name, are a `Moment` each. All processes of a machine share the clock.
"""

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Self

from torch.utils.data import Dataset, default_collate, get_worker_info

from loaderbench.benches.harness.clock import Metrics
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.tracing.timestamps import Edge


@dataclass(slots=True)
class Arrival:
    """When, in a worker, in seconds of ``perf_counter``; 0 where it did not happen: a fork pickles nothing."""

    pickling: float = 0.0  # in this process
    pickled: float = 0.0
    running: float = 0.0  # in the worker, from here on: its interpreter has been told what to be
    prepared: float = 0.0  # it has imported the main module again
    unpickling: float = 0.0  # and torch; the dataset comes
    unpickled: float = 0.0
    ready: float = 0.0  # its own loop begins
    fetch: float = 0.0  # its first sample is asked for
    collated: float = 0.0  # its first batch is there


class Moment(str):
    """A text that is, once it was pickled, the moment at which it was unpickled."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return perf_counter, ()


@contextmanager
def telling() -> Iterator[None]:
    """Processes started meanwhile know when they began, if their start method sends them anything.

    ``multiprocessing.spawn`` sends ``sys.argv``, then imports the main module again, then sends the process object,
    with its parent's name before anything of torch.
    """
    process = multiprocessing.current_process()
    arguments, name = sys.argv, process.name
    sys.argv, process.name = [*arguments, Moment()], Moment(name)
    try:
        yield
    finally:
        sys.argv, process.name = arguments, name


def _told() -> tuple[float, float]:
    """In a worker, what `telling` made of both; zeros where nothing was sent."""
    parent = multiprocessing.parent_process()
    name: Any = parent.name if parent else ""
    last: Any = sys.argv[-1] if sys.argv else ""
    return (last, name) if isinstance(last, float) and isinstance(name, float) else (0.0, 0.0)


class Sent(Dataset[Any]):
    """A map-style dataset that notes how it came to a worker."""

    def __init__(self, dataset: Any, arrival: Arrival | None = None) -> None:
        self.dataset, self.arrival = dataset, arrival or Arrival()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        self.arrival.fetch = self.arrival.fetch or perf_counter()
        return self.dataset[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (Edge(), self.dataset, Edge())


def _arrived(first: tuple[float, float], dataset: Any, last: tuple[float, float]) -> Sent:
    (pickling, unpickling), (pickled, unpickled) = first, last
    return Sent(dataset, Arrival(pickling=pickling, pickled=pickled, unpickling=unpickling, unpickled=unpickled))


class Ready:
    """A ``worker_init_fn`` that notes when it is called."""

    def __init__(self, init: Callable[[int], None] | None) -> None:
        self.init = init

    def __call__(self, worker_id: int) -> None:
        """Note it, then do what the user's own function does."""
        worker = get_worker_info()
        assert worker is not None
        arrival: Arrival = worker.dataset.arrival  # type: ignore[attr-defined]  # it is a `Sent`
        arrival.ready = perf_counter()
        arrival.running, arrival.prepared = _told()
        if self.init is not None:
            self.init(worker_id)


class Told:
    """A collate function whose batches bring the arrival of their worker's dataset."""

    def __init__(self, collate_fn: Callable[[Any], Any]) -> None:
        self.collate_fn = collate_fn

    def __call__(self, samples: Any) -> tuple[Any, Arrival]:
        """The batch, and when its worker was where."""
        batch = self.collate_fn(samples)
        worker = get_worker_info()
        arrival = worker.dataset.arrival if worker else Arrival()  # type: ignore[attr-defined]  # it is a `Sent`
        arrival.collated = arrival.collated or perf_counter()
        return batch, arrival


@dataclass(kw_only=True)
class Start:
    """One epoch from a loader that has no workers yet, and the gap to the next one; in seconds.

    The parts of the first batch's way, those of the first worker, add up to ``first_batch_s``.
    """

    config: LoaderConfig
    dataset: Any
    steady: bool = False
    metrics: Metrics = field(default_factory=dict)

    def __enter__(self) -> Self:
        collate_fn = self.config.collate_fn or default_collate
        init = Ready(self.config.worker_init_fn)
        self.told = replace(self.config, collate_fn=Told(collate_fn), worker_init_fn=init)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing outlives a round."""

    def before(self, _passes: int) -> None:
        """A round needs nothing but the dataset."""

    def run(self, _passes: int) -> None:
        """Two epochs, and the end of their workers."""
        loader = self.told.build(Sent(self.dataset))
        began = perf_counter()
        with telling():
            iterator = iter(loader)
        started = perf_counter()
        _, arrival = next(iterator)
        first = last = perf_counter()
        for _ in iterator:
            last = perf_counter()
        ended = perf_counter()
        again = iter(loader)
        next(again)
        next_first = perf_counter()
        for _ in again:
            pass
        dropped = perf_counter()
        del iterator, again, loader
        gone = perf_counter()
        self.metrics = {
            "seconds": gone - began,
            "start_s": started - began,
            "first_batch_s": first - began,
            "gap_s": next_first - last,
            "shutdown_s": (ended - last) + (gone - dropped),
            **_parts(began, arrival, first),
        }

    def after(self) -> Metrics:
        """What `run` saw."""
        return self.metrics


def _parts(began: float, arrival: Arrival, first: float) -> Metrics:
    """The first batch's way: it adds up to its whole. A fork goes from the beginning to a worker that is ready."""
    sent = arrival.pickling > 0
    edges = {
        "ask_s": arrival.pickling if sent else began,
        "pickle_s": arrival.pickled if sent else began,
        "process_s": arrival.running if sent else arrival.ready,
        "main_s": arrival.prepared if sent else arrival.ready,
        "imports_s": arrival.unpickling if sent else arrival.ready,
        "unpickle_s": arrival.unpickled if sent else arrival.ready,
        "init_s": arrival.fetch,
        "first_fetch_s": arrival.collated,
        "deliver_s": first,
    }
    found, before = {}, began
    for name, moment in edges.items():
        found[name] = moment - before
        before = moment
    return found
