"""What a batch costs where it is made: torch's fetchers, timed in the process in which they run.

Nothing is added to a batch, to the dataset or to the loader. The main process keeps what is made in it; a worker writes
each batch into a file of its own, in which it is found by its worker, the pass of that worker and the number of its
task. A forked worker inherits the timed fetchers; any other one is sent them (``carrier.py``).

This module imports nothing but the standard library, and torch's fetchers once torch has been imported: a worker
imports it, and so does a process whose script has not begun.
"""

import mmap
import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from itertools import takewhile
from operator import itemgetter, sub
from pathlib import Path
from time import perf_counter, thread_time
from types import FrameType
from typing import Any

from loaderbench.benches.watch.observing.worker_state import MOST_SAMPLES, UNKNOWN, WorkerState, requests_noted, reserve

# Pass, task, fetching, fetched, collated, CPU seconds, samples, index of the costliest sample, its seconds.
ROW = struct.Struct("<qqddddqqd")
FETCHING = 2  # the place of that time in a row: 0 where none was written
ROWS_AT_ONCE = 1024  # by which a worker's file grows
FAILED = -2  # as the number of samples: the batch was not made, its index is of the sample that raised an error
COSTLY_S = 50e-6  # samples that take so long are timed one by one: that is below 1 %
CHEAP_BATCHES = 50  # after so many in a row whose samples take less, those of the owner are not
FEW_SAMPLES = 64  # a worker always notes those of a batch of no more: what it is at is known by that alone

Row = tuple[int, int, float, float, float, float, int, int, float]
Fetch = Callable[[Any, Any], Any]


@dataclass(slots=True)
class Sink:
    """Where this process puts what it makes; a worker's is a file, which is opened at its first batch."""

    folder: str
    owner: int  # the process that watches
    made: dict[int, list[Row]] = field(default_factory=dict)  # of the owner: by the id of a fetcher
    process: int = 0  # the worker whose file is open
    file: "RowFile | None" = None
    passes: int = 0
    samples: int = 0  # of this pass
    state: WorkerState | None = None  # of a worker
    cheap: int = 0  # batches in a row whose samples took less than `COSTLY_S` each

    def in_worker(self) -> None:
        """Begin a file, unless it is this process's already."""
        if self.process != os.getpid():
            self.process, self.passes, self.file, self.state = os.getpid(), 0, None, None
            with suppress(OSError):  # no descriptor is left, or no space: this worker is not timed
                self.file = RowFile(Path(self.folder) / f"{self.process}.bin")
                self.state = WorkerState(self.folder)

    def write(self, row: Row) -> None:
        """Append one batch to a worker's file."""
        if self.file is not None:
            try:
                self.file.append(row)
            except OSError:
                self.file = None


class RowFile:
    """Rows in memory that is mapped to a file: they outlive the process, and take no call of the system each."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        self._end = self._size = 0
        self._grow()

    def append(self, row: Row) -> None:
        """Append a row; raises OSError where there is no space for more."""
        if self._end == self._size:
            self._grow()
        ROW.pack_into(self._memory, self._end, *row)
        self._end += ROW.size

    def _grow(self) -> None:
        reserve(self._file, self._size + ROWS_AT_ONCE * ROW.size)
        self._size += ROWS_AT_ONCE * ROW.size
        self._memory = mmap.mmap(self._file, self._size)


_sink: Sink | None = None


def time_stages(sink: Sink | None) -> None:
    """Have the fetchers of this process put what they make into `sink`; None: nowhere."""
    global _sink  # noqa: PLW0603 - fetchers are found by torch, not by us
    _sink = sink


def rows_of(file: Path) -> list[Row]:
    """Return what a worker wrote; the file is longer than that."""
    content = file.read_bytes()
    whole = len(content) - len(content) % ROW.size
    return list(takewhile(itemgetter(FETCHING), ROW.iter_unpack(content[:whole])))


class TimedIndices(list[Any]):
    """The indices of a batch, for torch alone to iterate over: it notes when each sample is requested."""

    __slots__ = ("indices", "requests")

    def __init__(self, indices: list[Any], state: WorkerState | None) -> None:
        super().__init__(indices)
        self.indices = indices
        self.requests = array("d", bytes(8 * len(indices))) if state is None else state.requests(indices)

    def __iter__(self) -> Iterator[Any]:
        return requests_noted(self.indices, self.requests)

    @property
    def requested(self) -> list[float]:
        """Return when each of the first samples was requested: all of them, or those until an error."""
        return list(takewhile(bool, self.requests))


class NotedCollate:
    """A fetcher's collate function, which notes when it is called and with how many samples."""

    __slots__ = ("began", "collate_fn", "is_single", "samples")

    def __init__(self, fetcher: Any) -> None:
        self.collate_fn: Callable[[Any], Any] = fetcher.collate_fn
        self.is_single = _requests_singly(fetcher)
        self.began, self.samples = 0.0, UNKNOWN

    def __call__(self, samples: Any) -> Any:
        """Return the batch."""
        self.samples = len(samples) if type(samples) is list else UNKNOWN
        self.began = perf_counter()
        if _sink is not None and _sink.state is not None:
            _sink.state.collating(self.began)
        try:
            return self.collate_fn(samples)
        except BaseException as error:
            drop_frame(error)
            raise


def drop_frame(error: BaseException) -> None:
    """Take the frame that has caught `error` out of its traceback: a bare ``raise`` does not put it back."""
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next


def timed_fetch(fetch: Fetch) -> Fetch:
    """Return torch's ``fetch``, timed."""

    @wraps(fetch)
    def timed(self: Any, possibly_batched_index: Any) -> Any:
        sink = _sink
        kept = None if sink is None else _kept(sink, self)
        if sink is None or kept is None:
            try:
                return fetch(self, possibly_batched_index)
            except BaseException as error:
                drop_frame(error)
                raise
        (task, note), collate, indices = kept, _noted(self), possibly_batched_index
        if sink.state is not None:
            sink.state.batch(sink.passes, task, sink.samples, perf_counter())
        if collate.is_single and is_timed_singly(sink, indices):
            indices = TimedIndices(indices, sink.state)
        cpu_began, began = thread_time(), perf_counter()
        try:
            batch = fetch(self, indices)
        except BaseException as error:
            _failed(sink, task, began, indices, error, is_collating=collate.began >= began)
            drop_frame(error)
            raise
        if sink.state is not None:
            sink.state.done()
        collated, cpu_s = perf_counter(), thread_time() - cpu_began
        fetched = collate.began
        samples = collate.samples if self.auto_collation else UNKNOWN
        index, index_s = _costliest(indices, fetched, self.dataset)
        sink.cheap = sink.cheap + 1 if fetched - began < samples * COSTLY_S else 0
        sink.samples += max(0, samples)
        note((sink.passes, task, began, fetched, collated, cpu_s, samples, index, index_s))
        return batch

    return timed


def _failed(sink: Sink, task: int, began: float, indices: Any, error: BaseException, *, is_collating: bool) -> None:
    """Note which sample raised an error in a worker; of one that ends by it, the line as well."""
    if sink.state is None:
        return
    if not isinstance(error, Exception):
        sink.state.ends_at(error.__traceback__)
    elif not isinstance(error, StopIteration):
        now, index = perf_counter(), UNKNOWN
        if type(indices) is TimedIndices and not is_collating and (requested := indices.requested):
            index = indices.indices[len(requested) - 1]
        whole = index if type(index) is int else UNKNOWN
        sink.write((sink.passes, task, began, now, now, 0.0, FAILED, whole, 0.0))
        sink.state.done()


def leaving(frame: FrameType | None) -> None:
    """Note where a worker is that leaves by ``os._exit``, which `frame` has called."""
    if _sink is not None and _sink.state is not None and _sink.process == os.getpid():
        _sink.state.ends_at(frame)


def counted_fetcher(initialise: Callable[..., None]) -> Callable[..., None]:
    """Return the initialiser of torch's fetchers, which counts the passes of a worker: it makes one for each."""

    @wraps(initialise)
    def counted(self: Any, *arguments: Any, **keywords: Any) -> None:
        initialise(self, *arguments, **keywords)
        sink = _sink
        if sink is not None and sink.owner != os.getpid() and _is_of_worker_loop(3):
            sink.in_worker()
            sink.passes += 1
            sink.samples = 0

    return counted


def _kept(sink: Sink, fetcher: Any) -> tuple[int, Callable[[Row], None]] | None:
    """Return the number of the task under way and where its batch is noted; None for a loader within a dataset."""
    if sink.owner == os.getpid():
        rows = sink.made.get(id(fetcher))
        return None if rows is None else (len(rows), rows.append)
    if not _is_of_worker_loop(3):
        return None
    task = sys._getframe(2).f_locals.get("idx", UNKNOWN)  # noqa: SLF001 - of torch's worker loop
    return (task if type(task) is int else UNKNOWN), sink.write


def _is_of_worker_loop(above: int) -> bool:
    """Return whether one of the few frames above the caller is torch's worker loop, and not a dataset's own loader."""
    frame = sys._getframe(2)  # noqa: SLF001
    for _ in range(above):
        if frame.f_code.co_name == "_worker_loop":
            return True
        if frame.f_back is None or frame.f_code.co_name in {"__getitem__", "__getitems__", "__next__"}:
            return False
        frame = frame.f_back
    return False


def _noted(fetcher: Any) -> NotedCollate:
    if type(fetcher.collate_fn) is not NotedCollate:
        fetcher.collate_fn = NotedCollate(fetcher)
    noted: NotedCollate = fetcher.collate_fn
    return noted


def _requests_singly(fetcher: Any) -> bool:
    """Return whether torch itself will request the samples of a batch one by one."""
    if not fetcher.auto_collation:
        return False
    if hasattr(fetcher, "dataset_iter"):
        return True
    dataset = fetcher.dataset
    if type(dataset).__module__ == "torch.utils.data.dataset" and type(dataset).__name__ == "Subset":
        dataset = dataset.dataset
    return not hasattr(dataset, "__getitems__")


def is_timed_singly(sink: Sink, indices: Any) -> bool:
    """Return whether the samples of a batch are timed one by one: it costs next to nothing, or tells what hangs."""
    if type(indices) is not list or len(indices) > MOST_SAMPLES:
        return False
    is_cheap = sink.cheap >= CHEAP_BATCHES
    return not is_cheap or (sink.state is not None and len(indices) <= FEW_SAMPLES)


def _costliest(indices: Any, fetched: float, dataset: Any) -> tuple[int, float]:
    """Return the index of the sample that took longest, in the user's own dataset, and its seconds."""
    if type(indices) is not TimedIndices or not (requested := indices.requested):
        return UNKNOWN, 0.0
    seconds = list(map(sub, [*requested[1:], fetched], requested))
    longest = seconds.index(max(seconds))
    index = indices.indices[longest]
    if type(dataset).__name__ == "Subset" and type(dataset).__module__ == "torch.utils.data.dataset":
        index = dataset.indices[index]
    try:
        return int(index), seconds[longest]
    except (TypeError, ValueError, OverflowError):
        return UNKNOWN, seconds[longest]
