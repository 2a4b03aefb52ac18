"""What a worker is at: the sample that it reads, and the line of the user's code, in files that outlive the worker.

A worker writes the sample into memory that is mapped to a file, and so it is there after any end of it. The line is
written where it is known: by ``faulthandler`` after a fault, or once a batch takes longer than `HANGS_AFTER_S`, and by
the worker itself where a sample ends it. Nothing here imports anything but the standard library.
"""

import faulthandler
import mmap
import os
import struct
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from traceback import walk_stack, walk_tb
from types import FrameType, TracebackType
from typing import Any

HANGS_AFTER_S = 10.0
_ARMED_EVERY_S = 1.0  # to arm the timer starts a thread of C: not for each batch
UNKNOWN = -1

# Pass, task, samples made before the batch, its samples that are noted one by one, when it was begun, when collated.
BATCH = struct.Struct("<qqqqdd")
MOST_SAMPLES = 1024  # of a batch, that are noted one by one
_INDICES = BATCH.size
_REQUESTS = _INDICES + 8 * MOST_SAMPLES
_SIZE = _REQUESTS + 8 * MOST_SAMPLES
_COUNT, _COLLATING = 3 * 8, 5 * 8  # where these stand in a `BATCH`


def reserve(file: int, size: int) -> None:
    """Make a file `size` bytes long; raises OSError where there is no space, which memory mapped to it would die of."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)


class WorkerState:
    """The files of this process, a worker; they are made at its first batch. Raises OSError where that fails."""

    def __init__(self, folder: str) -> None:
        self._file = os.open(_state_file(folder, os.getpid()), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        reserve(self._file, _SIZE)
        self._memory = mmap.mmap(self._file, _SIZE)
        memory = memoryview(self._memory)
        self._indices = memory[_INDICES:_REQUESTS].cast("q")
        self._requests = memory[_REQUESTS:].cast("d")
        self._collating = memory[_COLLATING : BATCH.size].cast("d")
        self._dump = os.open(_dump_file(folder, os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        self._armed = 0.0
        self._is_over = False
        os.register_at_fork(before=faulthandler.cancel_dump_traceback_later)  # its thread is not in the child
        if not faulthandler.is_enabled():
            faulthandler.enable(self._dump, all_threads=False)  # torch's own handlers come after it

    def batch(self, worker_pass: int, task: int, samples_before: int, now: float) -> None:
        """Note that a batch is begun, `now`."""
        BATCH.pack_into(self._memory, 0, worker_pass, task, samples_before, 0, now, 0.0)
        if now >= self._armed + _ARMED_EVERY_S:
            self._armed = now
            os.ftruncate(self._dump, 0)
            os.lseek(self._dump, 0, os.SEEK_SET)
            faulthandler.dump_traceback_later(HANGS_AFTER_S, file=self._dump)

    def requests(self, indices: list[Any]) -> "memoryview[float]":
        """Return where the seconds are noted at which each sample of the batch is requested: 0 until then."""
        count = len(indices)
        try:
            self._indices[:count] = array("q", indices)
        except (TypeError, ValueError, OverflowError):  # they are no whole numbers
            self._indices[:count] = array("q", [UNKNOWN]) * count
        self._requests[:count] = array("d", bytes(8 * count))
        struct.pack_into("<q", self._memory, _COUNT, count)
        return self._requests[:count]

    def collating(self, now: float) -> None:
        """Note that the samples of the batch are there, since `now`."""
        self._collating[0] = now

    def done(self) -> None:
        """Note that the batch is done."""
        BATCH.pack_into(self._memory, 0, UNKNOWN, UNKNOWN, 0, 0, 0.0, 0.0)

    def ends_at(self, traceback: "TracebackType | FrameType | None") -> None:
        """Note where the worker is as it ends: the frames of an error, or of whoever called, as a dump has them.

        The first time counts: what comes after is the end of the process.
        """
        if self._is_over or not BATCH.unpack_from(self._memory)[-2]:
            return
        self._is_over = True
        is_error = isinstance(traceback, TracebackType)
        frames = list(walk_tb(traceback)) if is_error else list(walk_stack(traceback))[::-1]  # type: ignore[arg-type]
        lines = [
            f'  File "{frame.f_code.co_filename}", line {line} in {frame.f_code.co_name}' for frame, line in frames
        ]
        with suppress(OSError):
            os.ftruncate(self._dump, 0)
            os.pwrite(self._dump, "\n".join(reversed(lines)).encode(errors="replace"), 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppedAt:
    """What a worker was at when it was last heard of."""

    task: int
    place: int
    """Of the sample in its batch; -1: between samples, or its batch is made as a whole."""
    index: int
    """Of the sample; -1 where it has none."""
    sample_of_stream: int
    """Its number among the samples that the worker made in this pass."""
    since: float
    """When it was begun, in seconds of ``perf_counter``."""
    dump: str
    """Frames, innermost first, as ``faulthandler`` writes them; empty where they are not known."""


def stopped_at(folder: Path, pid: int) -> StoppedAt | None:
    """Return what the worker `pid` was at; None where it was between batches, or has written nothing."""
    try:
        content = _state_file(str(folder), pid).read_bytes()
    except OSError:
        return None
    if len(content) < _SIZE:
        return None
    _, task, before, count, since, collating = BATCH.unpack_from(content)
    if not since:
        return None
    requests = list(takewhile(bool, struct.unpack_from(f"<{count}d", content, _REQUESTS)))
    place = len(requests) - 1 if requests and not collating else UNKNOWN
    index = UNKNOWN if place == UNKNOWN else struct.unpack_from("<q", content, _INDICES + 8 * place)[0]
    with suppress(OSError):
        return StoppedAt(
            task=task,
            place=place,
            index=index,
            sample_of_stream=before + max(0, place),
            since=collating or [since, *requests][-1],
            dump=_dump_file(str(folder), pid).read_text(encoding="utf-8", errors="replace"),
        )
    return None


def requests_noted(indices: list[Any], requests: "array[float] | memoryview[float]") -> Iterator[Any]:
    """Return an iterator over the indices of a batch, which notes in `requests` when each of them is asked for.

    It runs in C alone: a generator would cost a sample of a millisecond a hundredth of its time.
    """
    note: Callable[[int, float], None] = requests.__setitem__
    noted = map(note, count(), iter(perf_counter, None))
    return map(itemgetter(0), zip(indices, noted, strict=False))  # the clock never ends


def _state_file(folder: str, pid: int) -> Path:
    return Path(folder) / f"{pid}.now"


def _dump_file(folder: str, pid: int) -> Path:
    return Path(folder) / f"{pid}.txt"
