"""Starts: what happens from ``iter(loader)`` to the first batch, in this process and in its first worker.

Nothing of torch is patched. The dataset is wrapped: pickle says when it is packed and unpacked, a ``worker_init_fn``
when the worker is ready, and the first batch brings all that with it. All processes of a machine share the clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Self

from torch.utils.data import Dataset, default_collate, get_worker_info

from loaderbench.benches.explain.stamps import Edge
from loaderbench.benches.harness.loading import LoaderConfig
from loaderbench.benches.harness.passes import Metrics


@dataclass(slots=True)
class Arrival:
    """When, in a worker, in seconds of ``perf_counter``; 0 where it did not happen: a fork pickles nothing."""

    pickling: float = 0.0  # in this process
    pickled: float = 0.0
    unpickling: float = 0.0  # in the worker, from here on
    unpickled: float = 0.0
    ready: float = 0.0  # its own loop begins
    fetch: float = 0.0  # its first sample is asked for
    collated: float = 0.0  # its first batch is there


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
    arrival = Arrival(pickling=pickling, pickled=pickled, unpickling=unpickling, unpickled=unpickled)
    return Sent(dataset, arrival)


class Ready:
    """A ``worker_init_fn`` that notes when it is called."""

    def __init__(self, init: Callable[[int], None] | None) -> None:
        self.init = init

    def __call__(self, worker_id: int) -> None:
        """Note it, then do what the user's own function does."""
        worker = get_worker_info()
        assert worker is not None
        worker.dataset.arrival.ready = perf_counter()  # type: ignore[attr-defined]  # it is a `Sent`
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
        "boot_s": arrival.unpickling if sent else arrival.ready,
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
