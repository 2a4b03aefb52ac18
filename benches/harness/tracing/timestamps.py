"""Stamps: when each thing happened to a batch, from its first sample in a worker to the loop that uses it.

Nothing of torch is patched. A dataset and a collate function are wrapped, and the batch travels as a `Stamped`, which
knows when it is pickled and unpickled because pickle asks it. All processes of a machine share the clock
(``CLOCK_MONOTONIC``), and so a stamp of one can be taken from a stamp of another.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, fields, replace
from time import perf_counter, thread_time
from typing import Any

from torch.utils.data import Dataset, IterableDataset, Subset

from loaderbench.benches.harness.loader import LoaderConfig


@dataclass(slots=True)
class Stamps:
    """When, in seconds of ``perf_counter``; in this order. What a batch does not go through has the stamp before."""

    fetch: float = 0.0  # the first sample is asked for
    fetched: float = 0.0  # the last one is there
    collated: float = 0.0
    pickling: float = 0.0  # in the worker's own thread for that
    pickled: float = 0.0
    unpickling: float = 0.0  # in the main process, or its thread that pins
    unpickled: float = 0.0
    pinning: float = 0.0
    pinned: float = 0.0
    transform_s: float = 0.0  # no moment: how much of fetching was in the dataset's ``transform``
    cpu_s: float = 0.0  # no moment: CPU time of the thread that fetched and collated
    samples: int = 0

    @property
    def moments(self) -> list[float]:
        """The stamps in their order, those of what was not gone through filled in."""
        found: list[float] = []
        for each in fields(self)[: len(MOMENTS)]:
            moment = getattr(self, each.name)
            found.append(moment or found[-1])
        return found


MOMENTS = ("fetch", "fetched", "collated", "pickling", "pickled", "unpickling", "unpickled", "pinning", "pinned")


@dataclass(slots=True)
class Watch:
    """What the dataset's wrapper has seen since the last batch; it and the collate function's are pickled together."""

    stamps: Stamps = field(default_factory=Stamps)
    cpu_s: float = 0.0  # of this thread, when the batch was begun

    def begin(self) -> None:
        """The first sample of a batch is asked for."""
        self.cpu_s = thread_time()
        self.stamps.fetch = perf_counter()

    def take(self) -> Stamps:
        """What was seen, and begin anew."""
        taken, self.stamps = self.stamps, Stamps()
        return taken


class Transform:
    """A dataset's ``transform``, timed."""

    def __init__(self, transform: Callable[..., Any], watch: Watch) -> None:
        self.transform, self.watch = transform, watch

    def __call__(self, *things: Any, **named: Any) -> Any:
        """What it returns."""
        began = perf_counter()
        made = self.transform(*things, **named)
        self.watch.stamps.transform_s += perf_counter() - began
        return made


class Fetched(Dataset[Any]):
    """A map-style dataset whose batches are timed: torch asks for each in one call."""

    def __init__(self, dataset: Any, watch: Watch) -> None:
        self.dataset, self.watch = dataset, watch

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getitems__(self, indices: list[int]) -> Any:
        """As torch's own fetcher does it, between two looks at the clock."""
        self.watch.begin()
        whole = getattr(self.dataset, "__getitems__", None)
        samples = whole(indices) if whole else [self.dataset[index] for index in indices]
        self.watch.stamps.fetched = perf_counter()
        self.watch.stamps.samples = len(indices)
        return samples


class Flowing(IterableDataset[Any]):
    """A stream whose samples are timed one by one: torch asks for a batch sample by sample."""

    def __init__(self, dataset: Any, watch: Watch) -> None:
        self.dataset, self.watch = dataset, watch

    def __iter__(self) -> Iterator[Any]:
        stream = iter(self.dataset)
        while True:
            stamps = self.watch.stamps
            if not stamps.fetch:
                self.watch.begin()
            try:
                sample = next(stream)
            except StopIteration:
                return
            stamps.fetched = perf_counter()
            stamps.samples += 1
            yield sample


class Stamped:
    """A batch and its stamps, on the way from a worker to the loop."""

    __slots__ = ("batch", "stamps")

    def __init__(self, batch: Any, stamps: Stamps) -> None:
        self.batch, self.stamps = batch, stamps

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (Edge(), self.batch, self.stamps, Edge())

    def pin_memory(self) -> "Stamped":
        """What torch's thread for pinning calls: pin the batch, and stamp that."""
        from torch.utils.data._utils.pin_memory import pin_memory  # noqa: PLC0415 - only where there is an accelerator

        self.stamps.pinning = perf_counter()
        self.batch = pin_memory(self.batch)
        self.stamps.pinned = perf_counter()
        return self


class Edge:
    """Pickled before and after a batch: it becomes when it was pickled, and when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _crossed, (perf_counter(),)


def _crossed(pickled: float) -> tuple[float, float]:
    return pickled, perf_counter()


def _received(first: tuple[float, float], batch: Any, stamps: Stamps, last: tuple[float, float]) -> Stamped:
    stamps.pickling, stamps.unpickling = first
    stamps.pickled, stamps.unpickled = last
    return Stamped(batch, stamps)


class Collated:
    """A collate function, timed: what it returns carries the stamps of the batch so far.

    With `handed` false the batch itself stays in the worker: what is left of a pass then is its cost without the
    hand-over.
    """

    def __init__(self, collate_fn: Callable[[Any], Any], watch: Watch, *, handed: bool = True) -> None:
        self.collate_fn, self.watch, self.handed = collate_fn, watch, handed

    def __call__(self, samples: Any) -> Stamped:
        """The batch, stamped."""
        batch = self.collate_fn(samples)
        stamps = self.watch.take()
        stamps.collated = perf_counter()
        stamps.cpu_s = thread_time() - self.watch.cpu_s
        return Stamped(batch if self.handed else None, stamps)


def stamped(dataset: Any, config: LoaderConfig, collate_fn: Callable[[Any], Any], *, handed: bool = True) -> Any:
    """A loader like `config` builds over `dataset`, whose batches come `Stamped`."""
    watch = Watch()
    inner = _with_timed_transform(dataset, watch)
    wrapped = (Flowing if isinstance(dataset, IterableDataset) else Fetched)(inner, watch)
    return replace(config, collate_fn=Collated(collate_fn, watch, handed=handed)).build(wrapped)


def _with_timed_transform(dataset: Any, watch: Watch) -> Any:
    """`dataset`, or a copy of it whose ``transform`` is timed, by torchvision's convention of that name."""
    if isinstance(dataset, Subset):
        made: Any = copy(dataset)
        made.dataset = _with_timed_transform(dataset.dataset, watch)
        return made
    transform = getattr(dataset, "transform", None)
    if not callable(transform):
        return dataset
    made = copy(dataset)
    with suppress(AttributeError):  # it cannot be set: a frozen dataclass, or a property
        made.transform = Transform(transform, watch)
    return made
