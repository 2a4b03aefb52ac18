"""The process tree: its memory, its CPU time, and workers that were left behind."""

import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing import active_children, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import psutil

_ON_CPU = 2  # CPUCLOCK_SCHED of a process: clock_getcpuclockid(3)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where torch shares batches, not a temporary file


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Bytes held by this process and all its descendants.

    Of a process that was forked for a case (`child.Child`), as if the process that it was forked from did not exist: a
    page that both still hold is counted as this tree's own.

    PSS counts a page shared by n processes as 1/n in each, so that the sum is what the machine really holds;
    RSS would count it n times. USS is what each has for itself: what a fork shares is in nobody's.
    """

    pss_bytes: int
    uss_bytes: int
    worker_pss_bytes: int  # PSS of `workers` alone
    shm_bytes: int  # used on the shared-memory file system, by anyone


def memory() -> Memory:
    """Return what the tree holds now. Costs milliseconds a process: never call it inside the clock."""
    me = psutil.Process()
    own = me.memory_full_info()
    parent = parent_process()
    forked_from = _memory_of(psutil.Process(parent.pid)) if parent else None
    inherited = forked_from.pss - forked_from.uss if forked_from else 0  # its share of the pages that it shares
    below = {child: info for child in descendants(me) if (info := _memory_of(child))}
    working = workers()
    return Memory(
        pss_bytes=inherited + own.pss + sum(info.pss for info in below.values()),
        uss_bytes=own.uss + sum(info.uss for info in below.values()),
        worker_pss_bytes=sum(info.pss for child, info in below.items() if child in working),
        shm_bytes=shutil.disk_usage(SHARED_MEMORY).used,
    )


def tree_pss_bytes() -> int:
    """Return the PSS of this process and its descendants: of a page that n processes share, each has 1/n."""
    me = psutil.Process()
    return sum(info.pss for process in [me, *descendants(me)] if (info := _memory_of(process)))


def age_s() -> float:
    """Return the seconds since this process started, its interpreter too; about a second is uncertain."""
    return max(0.0, time.time() - psutil.Process().create_time())


def cpu_s() -> float:
    """Return the CPU seconds used so far by this process, its live descendants and the children each has joined."""
    me = psutil.Process()
    return sum(_cpu_of(process) for process in [me, *listed_below(me)])


def listed_below(process: psutil.Process) -> list[psutil.Process]:
    """Return every live process below `process`, as Linux lists them; elsewhere `descendants`.

    psutil reads every process of the machine, which takes milliseconds before and after each round. The list may lack
    one whose sibling ends at this moment, so what must find them all does not use it.
    """
    try:
        return [psutil.Process(pid) for pid in _listed_pids(process.pid)]
    except (OSError, psutil.NoSuchProcess):
        return descendants(process)


def _listed_pids(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from _listed_pids(child)


def descendants(process: psutil.Process | None = None) -> list[psutil.Process]:
    """Return every live process below `process` (this one by default)."""
    return (process or psutil.Process()).children(recursive=True)


def workers() -> set[psutil.Process]:
    """Return every live process that was started here through multiprocessing, and all below them.

    Not multiprocessing's own helpers, which it does not list: the fork server, though workers are its children, and the
    resource tracker.
    """
    running: set[psutil.Process] = set()
    for started in active_children():
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(started.pid)
            running |= {worker, *descendants(worker)}
    return running


def end(strays: Iterable[BaseProcess]) -> None:
    """End `strays` and wait until they are gone, so that none disturbs the next case."""
    # torch raises from its SIGCHLD handler, wherever the main process then is, when a worker is killed; a worker
    # that its own parent terminates ends without that. So terminate first, and kill what is left.
    for stray in strays:
        stray.terminate()
    for stray in strays:
        stray.join(timeout=2)
    with suppress(RuntimeError):
        for stray in strays:
            if stray.is_alive():
                stray.kill()
                stray.join(timeout=10)


class NoStrays(AbstractContextManager["NoStrays"]):
    """Leaves no worker behind: those started within that still live at the end are ended."""

    def __enter__(self) -> Self:
        self._known = set(active_children())
        return self

    def __exit__(self, *_: object) -> None:
        end(set(active_children()) - self._known)


def _memory_of(process: psutil.Process) -> Any:
    try:
        return process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _cpu_of(process: psutil.Process) -> float:
    try:
        user_s, system_s, *joined_s = process.cpu_times()[:4]  # by the kernel's ticks, which are 10 ms
    except psutil.NoSuchProcess:
        return 0.0
    return sum(joined_s, _on_cpu_s(process.pid) or user_s + system_s)


def _on_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process's own threads, to the nanosecond; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0.0
    with suppress(OSError):  # it has ended
        return time.clock_gettime((~pid << 3) | _ON_CPU)
    return 0.0
