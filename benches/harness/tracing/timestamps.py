"""Timestamps of every batch: in the worker that makes it, on its way through the pipe, and in the loop that uses it.

torch is not patched. The dataset and the collate function are wrapped, and a batch travels inside a `TracedBatch`,
which learns when it is pickled and unpickled because pickle calls it. All processes of a machine read the same clock
(``CLOCK_MONOTONIC``), so the timestamps of two processes may be subtracted from each other.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, fields, replace
from time import perf_counter, thread_time
from typing import Any

from torch.utils.data import Dataset, IterableDataset, Subset

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.samples.parts import Wrapper
from loaderbench.benches.harness.samples.sampling import indices_in

EVENTS = ("fetching", "fetched", "collated", "pickling", "pickled", "unpickling", "unpickled", "pinning", "pinned")


@dataclass(slots=True)
class Timestamps:
    """What happened to one batch: its `EVENTS` in their order, in seconds of ``perf_counter``; 0 for what did not."""

    fetching: float = 0.0  # the first sample is requested
    fetched: float = 0.0  # the last sample is there
    collated: float = 0.0
    pickling: float = 0.0  # in the thread of the worker that sends batches
    pickled: float = 0.0
    unpickling: float = 0.0  # in the main process, or in its thread that pins batches
    unpickled: float = 0.0
    pinning: float = 0.0
    pinned: float = 0.0
    transform_s: float = 0.0  # seconds of fetching that the dataset's ``transform`` took
    cpu_s: float = 0.0  # CPU seconds of the thread that fetched and collated
    samples: int = 0

    def in_order(self) -> list[float]:
        """Return a timestamp for each of `EVENTS`; what did not happen has that of the event before."""
        times: list[float] = []
        for event in fields(self)[: len(EVENTS)]:
            times.append(getattr(self, event.name) or times[-1])
        return times


@dataclass(kw_only=True, slots=True)
class BatchTrace:
    """One batch as the loop saw it, in seconds of ``perf_counter``, and its own timestamps."""

    requested: float
    received: float
    finished: float  # the step has returned
    timestamps: Timestamps


@dataclass(kw_only=True, slots=True)
class PassTrace:
    """All batches of one pass, and the seconds that it took."""

    batches: list[BatchTrace] = field(default_factory=list)
    seconds: float = 0.0
    drain_s: float = 0.0  # after the last batch, until a device has finished what the steps began

    @property
    def samples(self) -> int:
        """Return the samples in all batches."""
        return sum(batch.timestamps.samples for batch in self.batches)


def trace_pass(
    loader: Iterable[Any], step: Callable[[Any], object] | None = None, drain: Callable[[], object] | None = None
) -> PassTrace:
    """Read `loader`, made by `traced_loader`, to its end; call `step` with each batch, and `drain` after the last."""
    trace = PassTrace()
    began = requested = perf_counter()
    for traced in loader:
        received = perf_counter()
        if step is not None:
            step(traced.batch)
        finished = perf_counter()
        trace.batches.append(
            BatchTrace(requested=requested, received=received, finished=finished, timestamps=traced.timestamps)
        )
        requested = finished
    read = perf_counter()
    if drain is not None:
        drain()
    ended = perf_counter()
    trace.drain_s, trace.seconds = ended - read, ended - began
    return trace


def traced_loader(
    dataset: Any, config: LoaderConfig, collate_fn: Callable[[Any], Any], *, sends_batches: bool = True
) -> Any:
    """Return the loader that `config` builds over `dataset`, its batches each inside a `TracedBatch`.

    Without `sends_batches` a batch stays in its worker, and only its timestamps are sent: such a pass costs what the
    loader costs without the transport of batches.
    """
    recorder = Recorder()
    inner = _with_timed_transform(dataset, recorder)
    wrapper = TimedStream if isinstance(dataset, IterableDataset) else TimedDataset
    timed_collate = TimedCollate(collate_fn, recorder, sends_batches=sends_batches)
    return replace(config, collate_fn=timed_collate).build(wrapper(inner, recorder))


class PickleTimes:
    """Unpickles as a pair: when it was pickled, and when it was unpickled.

    One before and one after an object in a pickle tell how long that object took on either side.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _pickle_times, (perf_counter(),)


def _pickle_times(pickled: float) -> tuple[float, float]:
    return pickled, perf_counter()


class TracedBatch:
    """A batch and its timestamps, on the way from a worker to the loop."""

    __slots__ = ("batch", "timestamps")

    def __init__(self, batch: Any, timestamps: Timestamps) -> None:
        self.batch, self.timestamps = batch, timestamps

    def __reduce__(self) -> tuple[Any, ...]:
        return _received_batch, (PickleTimes(), self.batch, self.timestamps, PickleTimes())

    def pin_memory(self) -> "TracedBatch":
        """Pin the batch; torch's thread that pins batches calls this."""
        from torch.utils.data._utils.pin_memory import pin_memory  # noqa: PLC0415 - only where there is an accelerator

        self.timestamps.pinning = perf_counter()
        self.batch = pin_memory(self.batch)
        self.timestamps.pinned = perf_counter()
        return self


def _received_batch(
    before: tuple[float, float], batch: Any, timestamps: Timestamps, after: tuple[float, float]
) -> TracedBatch:
    timestamps.pickling, timestamps.unpickling = before
    timestamps.pickled, timestamps.unpickled = after
    return TracedBatch(batch, timestamps)


@dataclass(slots=True)
class Recorder:
    """The timestamps of the batch that is being made; the wrapped dataset and collate function share one."""

    timestamps: Timestamps = field(default_factory=Timestamps)
    cpu_began_s: float = 0.0  # CPU time of this thread when the batch was begun

    def begin(self) -> None:
        """Record that the first sample of a batch is requested."""
        self.cpu_began_s = thread_time()
        self.timestamps.fetching = perf_counter()

    def finish(self) -> Timestamps:
        """Record that the batch is collated; return its timestamps, and start new ones."""
        finished, self.timestamps = self.timestamps, Timestamps()
        finished.collated = perf_counter()
        finished.cpu_s = thread_time() - self.cpu_began_s
        return finished


class TimedTransform:
    """A dataset's ``transform``, timed."""

    def __init__(self, transform: Callable[..., Any], recorder: Recorder) -> None:
        self.transform, self.recorder = transform, recorder

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the transform returns."""
        began = perf_counter()
        result = self.transform(*args, **kwargs)
        self.recorder.timestamps.transform_s += perf_counter() - began
        return result


class TimedDataset(Dataset[Any], Wrapper):
    """A map-style dataset whose batches are timed: torch requests each in one call of ``__getitems__``."""

    def __init__(self, dataset: Any, recorder: Recorder) -> None:
        self.dataset, self.recorder = dataset, recorder

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        """Return what is requested where batching is off, a sample or a whole batch, between two timestamps."""
        self.recorder.begin()
        item = self.dataset[index]
        self.recorder.timestamps.fetched = perf_counter()
        self.recorder.timestamps.samples = indices_in(index)
        return item

    def __getitems__(self, indices: list[int]) -> Any:
        """Return the samples, as torch's own fetcher would, between two timestamps."""
        self.recorder.begin()
        samples = samples_at(self.dataset, indices)
        self.recorder.timestamps.fetched = perf_counter()
        self.recorder.timestamps.samples = len(indices)
        return samples


def samples_at(dataset: Any, indices: list[int]) -> Any:
    """Return the samples at `indices`, by the dataset's own ``__getitems__`` where it has one, as torch's fetcher."""
    whole_batch = getattr(dataset, "__getitems__", None)
    return whole_batch(indices) if whole_batch else [dataset[index] for index in indices]


class TimedStream(IterableDataset[Any], Wrapper):
    """An iterable dataset whose samples are timed one by one: torch requests a batch sample by sample."""

    def __init__(self, dataset: Any, recorder: Recorder) -> None:
        self.dataset, self.recorder = dataset, recorder

    def __iter__(self) -> Iterator[Any]:
        stream = iter(self.dataset)
        while True:
            timestamps = self.recorder.timestamps
            if not timestamps.fetching:
                self.recorder.begin()
            try:
                sample = next(stream)
            except StopIteration:
                return
            timestamps.fetched = perf_counter()
            timestamps.samples += 1
            yield sample


class TimedCollate:
    """A collate function whose batches carry the timestamps they have so far."""

    def __init__(self, collate_fn: Callable[[Any], Any], recorder: Recorder, *, sends_batches: bool) -> None:
        self.collate_fn, self.recorder, self.sends_batches = collate_fn, recorder, sends_batches

    def __call__(self, samples: Any) -> TracedBatch:
        """Return the batch, or nothing in its place where it stays in the worker."""
        batch = self.collate_fn(samples)
        timestamps = self.recorder.finish()
        return TracedBatch(batch if self.sends_batches else None, timestamps)


def _with_timed_transform(dataset: Any, recorder: Recorder) -> Any:
    """Return `dataset`, or a copy of it whose ``transform`` (the name that torchvision gives it) is timed.

    Only a transform that is the dataset's own attribute is timed: one that ``__getattr__`` takes from a wrapped dataset
    would be set where nobody calls it. A dataset that cannot be copied is left as it is.
    """
    with suppress(Exception):  # copying calls methods of the user's, and an attribute may refuse to be set
        if isinstance(dataset, Subset | Wrapper):  # a part of it, or one of ours around it
            around: Any = copy(dataset)
            around.dataset = _with_timed_transform(dataset.dataset, recorder)
            return around
        if callable(transform := vars(dataset).get("transform")):
            timed = copy(dataset)
            timed.transform = TimedTransform(transform, recorder)
            return timed
    return dataset
