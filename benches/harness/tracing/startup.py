"""The trace of a start: from ``iter(loader)`` to the first batch, in this process and in its first worker.

torch is not patched. The dataset is wrapped, so that pickle tells when it is sent and received; ``worker_init_fn`` is
wrapped, and tells when the worker runs; the first batch brings these timestamps back.

Before a new interpreter (``spawn``, ``forkserver``) gets to the dataset, it starts and imports the main module. Nothing
of ours runs there yet, but ``multiprocessing`` unpickles what it is sent. So two values that it sends anyway are
replaced by an `UnpickleTime`: a text that is unpickled by calling ``perf_counter``, and so becomes the time of that.

    this process                                     new interpreter
    ────────────                                     ───────────────
    sys.argv = [..., UnpickleTime()]   ── pipe ──▶   sys.argv[-1] == 4.52          it runs, nothing is imported
                                                     imports the main module again
    process.name = UnpickleTime(name)  ── pipe ──▶   parent_process().name == 4.97 the main module is imported
                                                     imports torch
    PickleTimes(), dataset,            ── pipe ──▶   PickleTimes: 6.10             the dataset's class is imported
    PickleTimes()                                    PickleTimes: 6.31             the dataset is unpickled
                                                     first sample, first batch

Under ``fork`` nothing is pickled: the worker is there when its ``worker_init_fn`` is called. What a worker unpickles is
in this module, which imports little: its imports are part of what it measures.
"""

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import Any

from torch.utils.data import DataLoader, Dataset, IterableDataset

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.samples.parts import Wrapper
from loaderbench.benches.harness.tracing.timestamps import PickleTimes, samples_at

# What the first batch waits for; each part lasts until the event of `StartupTimestamps` at the same place, the last
# one until the batch is received.
PARTS = (
    "queues_s",
    "pickle_s",
    "process_s",
    "main_s",
    "imports_s",
    "unpickle_s",
    "init_s",
    "first_fetch_s",
    "deliver_s",
)


@dataclass(slots=True)
class StartupTimestamps:
    """What happened on the way to the first batch, in seconds of ``perf_counter``; 0 for what did not."""

    pickling: float = 0.0  # in this process: the dataset
    pickled: float = 0.0
    running: float = 0.0  # in the worker, from here on: its interpreter runs; of a fork: its loop is about to begin
    main_imported: float = 0.0
    unpickling: float = 0.0  # torch and the dataset's class are imported
    unpickled: float = 0.0
    fetching: float = 0.0  # its first sample is requested
    collated: float = 0.0  # its first batch is there


def startup_parts(began: float, timestamps: StartupTimestamps, received: float) -> dict[str, float]:
    """Return the seconds of each of `PARTS`, from `began` to the first batch `received`; they add up to all of it."""
    parts, before = {}, began
    events = [getattr(timestamps, event.name) for event in fields(timestamps)]
    for part, event in zip(PARTS, [*events, received], strict=True):
        until = event or before  # what did not happen took no time
        parts[part] = until - before
        before = until
    return parts


def trace_startup(config: LoaderConfig, dataset: Any) -> dict[str, float]:
    """Read two epochs of a new loader, and end it; return what that took, in seconds, and the parts of its start."""
    began = perf_counter()
    loader = traced_startup_loader(config, dataset)
    first = _epoch(loader)
    second = _epoch(loader)
    read = perf_counter()
    del loader  # persistent workers are joined here
    ended = perf_counter()
    return {
        "seconds": ended - began,
        "start_s": first.started - first.began,
        "first_batch_s": first.received - first.began,
        "next_first_batch_s": second.received - second.began,
        "gap_s": second.received - first.last,
        "shutdown_s": first.ended - first.last + ended - read,
        **startup_parts(first.began, first.timestamps, first.received),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochTimes:
    """One epoch of a loader, in seconds of ``perf_counter``."""

    began: float
    started: float  # ``iter(loader)`` has returned
    received: float  # the first batch
    last: float  # the last batch
    ended: float  # workers that are not persistent have been joined
    timestamps: StartupTimestamps  # that the first batch brought


def _epoch(loader: "DataLoader[Any]") -> EpochTimes:
    began = perf_counter()
    with unpickle_times_sent():
        batches = iter(loader)
    started = perf_counter()
    _, timestamps = next(batches)
    received = last = perf_counter()
    for _ in batches:
        last = perf_counter()
    return EpochTimes(
        began=began, started=started, received=received, last=last, ended=perf_counter(), timestamps=timestamps
    )


def traced_startup_loader(config: LoaderConfig, dataset: Any) -> "DataLoader[Any]":
    """Return the loader that `config` builds over `dataset`; its batches come with their worker's timestamps."""
    timestamps = StartupTimestamps()  # one object for all wrappers: pickled together, they share it in a worker too
    wrapper = StartupStream if isinstance(dataset, IterableDataset) else StartupDataset
    collate_fn = StartupCollate(config.batch_fn, timestamps)
    init = StartupInit(config.worker_init_fn, timestamps) if config.num_workers else config.worker_init_fn
    return replace(config, collate_fn=collate_fn, worker_init_fn=init).build(wrapper(dataset, timestamps))


class UnpickleTime(str):
    """A text that is unpickled as a float: the time at which that happened."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return perf_counter, ()


@contextmanager
def unpickle_times_sent() -> Iterator[None]:
    """Send an `UnpickleTime` twice to each process that is started within the block, unless it is forked.

    ``multiprocessing.spawn`` sends ``sys.argv``, then the worker imports the main module, then the process object is
    sent, with the name of its parent before anything of torch.
    """
    process = multiprocessing.current_process()
    arguments, name = sys.argv, process.name
    sys.argv, process.name = [*arguments, UnpickleTime()], UnpickleTime(name)
    try:
        yield
    finally:
        sys.argv, process.name = arguments, name


def _unpickle_times() -> tuple[float, float]:
    """Return, in a worker, when it ran and when it had imported the main module; zeros in a fork."""
    parent = multiprocessing.parent_process()
    name: Any = parent.name if parent else ""
    last: Any = sys.argv[-1] if sys.argv else ""
    return (last, name) if isinstance(last, float) and isinstance(name, float) else (0.0, 0.0)


class StartupDataset(Dataset[Any], Wrapper):
    """A map-style dataset that records when it is sent to a worker, and when its first sample is requested."""

    def __init__(self, dataset: Any, timestamps: StartupTimestamps) -> None:
        self.dataset, self.timestamps = dataset, timestamps

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        self.timestamps.fetching = self.timestamps.fetching or perf_counter()
        return self.dataset[index]

    def __getitems__(self, indices: list[int]) -> Any:
        """Return the samples, as torch's own fetcher would."""
        self.timestamps.fetching = self.timestamps.fetching or perf_counter()
        return samples_at(self.dataset, indices)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received_dataset, (type(self), PickleTimes(), self.dataset, self.timestamps, PickleTimes())


class StartupStream(IterableDataset[Any], Wrapper):
    """The same of an iterable dataset."""

    def __init__(self, dataset: Any, timestamps: StartupTimestamps) -> None:
        self.dataset, self.timestamps = dataset, timestamps

    def __iter__(self) -> Iterator[Any]:
        self.timestamps.fetching = self.timestamps.fetching or perf_counter()
        return iter(self.dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received_dataset, (type(self), PickleTimes(), self.dataset, self.timestamps, PickleTimes())


def _received_dataset(
    wrapper: Callable[[Any, StartupTimestamps], Any],
    before: tuple[float, float],
    dataset: Any,
    timestamps: StartupTimestamps,
    after: tuple[float, float],
) -> Any:
    timestamps.pickling, timestamps.unpickling = before
    timestamps.pickled, timestamps.unpickled = after
    return wrapper(dataset, timestamps)


class StartupInit:
    """A ``worker_init_fn`` that records that its worker runs."""

    def __init__(self, init: Callable[[int], None] | None, timestamps: StartupTimestamps) -> None:
        self.init, self.timestamps = init, timestamps

    def __call__(self, worker_id: int) -> None:
        """Record it, then call the user's own function."""
        running, self.timestamps.main_imported = _unpickle_times()
        self.timestamps.running = running or perf_counter()
        if self.init is not None:
            self.init(worker_id)


class StartupCollate:
    """A collate function whose batches come with the timestamps of their worker."""

    def __init__(self, collate_fn: Callable[[Any], Any], timestamps: StartupTimestamps) -> None:
        self.collate_fn, self.timestamps = collate_fn, timestamps

    def __call__(self, samples: Any) -> tuple[Any, StartupTimestamps]:
        """Return the batch and the timestamps."""
        batch = self.collate_fn(samples)
        self.timestamps.collated = self.timestamps.collated or perf_counter()
        return batch, self.timestamps
