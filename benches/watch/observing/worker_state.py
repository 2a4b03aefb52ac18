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
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, repeat
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from traceback import walk_stack, walk_tb
from types import FrameType, TracebackType
from typing import Any

HANGS_AFTER_S = 10.0
_ARMED_EVERY_S = 1.0  # to arm the timer starts a thread of C: not for each batch
UNKNOWN = -1

# Pass, task, samples made before the batch, place in it, index of the sample, when it was begun.
STATE = struct.Struct("<qqqqqd")
_SAMPLE = struct.Struct("<qqd")  # its last three
_AT_SAMPLE = STATE.size - _SAMPLE.size


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
        reserve(self._file, STATE.size)
        self._memory = mmap.mmap(self._file, STATE.size)
        self._dump = os.open(_dump_file(folder, os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        self._armed = 0.0
        self._is_over = False
        self.done()
        os.register_at_fork(before=faulthandler.cancel_dump_traceback_later)  # its thread is not in the child
        if not faulthandler.is_enabled():
            faulthandler.enable(self._dump, all_threads=False)  # torch's own handlers come after it

    def batch(self, worker_pass: int, task: int, samples_before: int, now: float) -> None:
        """Note that a batch is begun, `now`."""
        STATE.pack_into(self._memory, 0, worker_pass, task, samples_before, UNKNOWN, UNKNOWN, now)
        if now >= self._armed + _ARMED_EVERY_S:
            self._armed = now
            os.ftruncate(self._dump, 0)
            os.lseek(self._dump, 0, os.SEEK_SET)
            faulthandler.dump_traceback_later(HANGS_AFTER_S, file=self._dump)

    def samples(self, indices: list[Any]) -> Iterator[None]:
        """Return an iterator that notes one sample of the batch at each step: it is begun."""
        try:
            whole: Iterable[int] = array("q", indices)
        except (TypeError, ValueError, OverflowError):  # they are no whole numbers
            whole = repeat(UNKNOWN)
        note = partial(_SAMPLE.pack_into, self._memory, _AT_SAMPLE)
        return map(note, count(), whole, iter(perf_counter, None))

    def collating(self, now: float) -> None:
        """Note that the samples of the batch are there, since `now`."""
        _SAMPLE.pack_into(self._memory, _AT_SAMPLE, UNKNOWN, UNKNOWN, now)

    def done(self) -> None:
        """Note that the batch is done."""
        STATE.pack_into(self._memory, 0, UNKNOWN, UNKNOWN, 0, UNKNOWN, UNKNOWN, 0.0)

    def ends_at(self, traceback: "TracebackType | FrameType | None") -> None:
        """Note where the worker is as it ends: the frames of an error, or of whoever called, as a dump has them.

        The first time counts: what comes after is the end of the process.
        """
        if self._is_over or not STATE.unpack_from(self._memory)[-1]:
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
    if len(content) < STATE.size:
        return None
    _, task, before, place, index, since = STATE.unpack(content[: STATE.size])
    if not since:
        return None
    with suppress(OSError):
        dump = _dump_file(str(folder), pid).read_text(encoding="utf-8", errors="replace")
        return StoppedAt(
            task=task, place=place, index=index, sample_of_stream=before + max(0, place), since=since, dump=dump
        )
    return None


def samples_noted(indices: list[Any], times: list[float], state: WorkerState | None) -> Iterator[Any]:
    """Return an iterator over the indices of a batch; in `times`, and in a worker's `state`, it notes each request.

    It runs in C alone: a generator would cost a sample of a millisecond a hundredth of its time.
    """
    noted = [iter(indices), map(times.append, iter(perf_counter, None))]
    if state is not None:
        noted.append(state.samples(indices))
    return map(itemgetter(0), zip(*noted, strict=False))  # the clock never ends


def _state_file(folder: str, pid: int) -> Path:
    return Path(folder) / f"{pid}.now"


def _dump_file(folder: str, pid: int) -> Path:
    return Path(folder) / f"{pid}.txt"
