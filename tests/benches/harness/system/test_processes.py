"""The process tree: what it holds, what it has used, and how strays end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from time import sleep
from typing import Any

import psutil
import pytest

from loaderbench.benches.harness.system import processes
from loaderbench.benches.harness.system.child import in_child

pytestmark = pytest.mark.usefixtures("no_strays")

FORK = get_context("fork")
MIB = 1 << 20


def hold(ready: Connection, size_bytes: int) -> None:
    content = bytearray(b"\1") * size_bytes
    ready.send(len(content))
    sleep(60)


def refuse_to_end(ready: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.send(None)
    sleep(60)


def have_a_child(ready: Connection) -> None:
    child = FORK.Process(target=sleep, args=(60,), daemon=True)
    child.start()
    ready.send(child.pid)
    sleep(60)


@contextmanager
def started(target: object, *arguments: object) -> Iterator[tuple[ForkProcess, object]]:
    """A child that has said what it has to say."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=target, args=(theirs, *arguments))  # type: ignore[arg-type]
    process.start()
    try:
        yield process, ours.recv()
    finally:
        process.kill()
        process.join()


def test_a_child_s_own_memory_is_counted() -> None:
    with started(hold, 0):
        without = processes.memory().worker_pss_bytes
    with started(hold, 64 * MIB):
        holding = processes.memory().worker_pss_bytes
    assert holding - without == pytest.approx(64 * MIB, rel=0.1)


def test_what_one_process_alone_holds_is_its_own() -> None:
    with started(hold, 0):
        without = processes.memory().uss_bytes
    with started(hold, 64 * MIB):
        holding = processes.memory().uss_bytes
    assert holding - without == pytest.approx(64 * MIB, rel=0.1)


def test_the_children_are_a_part_of_the_tree() -> None:
    with started(hold, 64 * MIB):
        tree = processes.memory()
    assert 0 < tree.worker_pss_bytes < tree.pss_bytes


def test_a_worker_and_its_children_are_workers() -> None:
    with started(have_a_child) as (child, grandchild):
        assert {worker.pid for worker in processes.workers()} == {child.pid, grandchild}
        psutil.Process(int(str(grandchild))).kill()


def test_what_was_not_started_as_a_worker_counts_in_the_tree_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as helper:
        assert helper.pid in {process.pid for process in processes.descendants()}
        assert processes.memory().worker_pss_bytes == 0
        helper.kill()


ONE_WORKER = """
import sys
import time
from multiprocessing import get_context

from loaderbench.benches.harness.system import processes

if __name__ == "__main__":
    child = get_context(sys.argv[1]).Process(target=time.sleep, args=(60,))
    child.start()
    print([process.pid for process in processes.workers()] == [child.pid], len(processes.descendants()))
    child.kill()
"""


@pytest.mark.parametrize(("start_method", "in_all"), [("fork", 1), ("forkserver", 3), ("spawn", 2)])
def test_the_helpers_of_a_start_method_are_no_workers(place: Any, start_method: str, in_all: int) -> None:
    place.write(one_worker=ONE_WORKER)
    assert place.call([sys.executable, "one_worker.py", start_method]).out == f"True {in_all}\n"


def test_pages_shared_by_a_fork_are_not_counted_twice() -> None:
    ballast = bytearray(b"\1") * (256 * MIB)
    alone = processes.memory().pss_bytes
    with started(hold, 0):
        together = processes.memory().pss_bytes
    assert together - alone < len(ballast) / 4


def test_shared_memory_in_use_is_read(no_shared_memory: None) -> None:
    before = processes.memory().shm_bytes
    with open(f"/dev/shm/torch_{os.getpid()}_ballast", "wb") as file:
        file.write(bytes(256 * MIB))
        file.flush()
        during = processes.memory().shm_bytes
    os.unlink(file.name)
    assert during - before > 128 * MIB  # others may take or give back some of it meanwhile


class MadeUpProcess:
    """Stands for psutil's: seconds used (user, system), those of the children it joined, and its live children."""

    pid = (1 << 22) + 1  # which Linux gives to no process

    def __init__(self, *cpu_s: float, children: tuple["MadeUpProcess", ...] = (), is_gone: bool = False) -> None:
        self.cpu_s, self.below, self.is_gone = cpu_s, children, is_gone

    def cpu_times(self) -> tuple[float, ...]:
        if self.is_gone:
            raise psutil.NoSuchProcess(1)
        return (*self.cpu_s, 100.0)  # the fifth is what it waited for the disk

    def children(self, *, recursive: bool) -> list["MadeUpProcess"]:
        assert recursive
        return list(self.below)


def test_cpu_time_is_that_of_the_whole_tree_and_of_joined_children(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, gone = MadeUpProcess(4.0, 0.5, 0.0, 0.0), MadeUpProcess(is_gone=True)
    me = MadeUpProcess(1.0, 0.25, 8.0, 2.0, children=(worker, gone))
    monkeypatch.setattr(processes.psutil, "Process", lambda: me)
    assert processes.cpu_s() == 1.0 + 0.25 + 8.0 + 2.0 + 4.0 + 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="CPU clocks of processes are Linux's")
def test_cpu_time_is_not_counted_in_ticks() -> None:
    readings = [processes.cpu_s() for _ in range(10)]
    assert all(earlier < later for earlier, later in pairwise(readings))


def test_descendants_are_children_and_theirs() -> None:
    with started(have_a_child) as (child, grandchild):
        assert {child.pid, grandchild} <= {process.pid for process in processes.descendants()}
        psutil.Process(int(str(grandchild))).kill()


def test_the_processes_whose_time_counts_are_those_that_psutil_finds() -> None:
    with started(have_a_child) as (_child, grandchild):
        listed = processes.listed_below(psutil.Process())
        assert {process.pid for process in listed} == {process.pid for process in processes.descendants()}
        psutil.Process(int(str(grandchild))).kill()


def test_a_stray_ends() -> None:
    with started(hold, 0) as (stray, _):
        processes.end([stray])
        assert not stray.is_alive()


def test_a_stray_that_ignores_sigterm_ends_too() -> None:
    with started(refuse_to_end) as (stray, _):
        processes.end([stray])
        assert not stray.is_alive()


def test_strays_end_that_have_ended_already() -> None:
    with started(hold, 0) as (stray, _):
        stray.kill()
        processes.end([stray])
        assert not stray.is_alive()


def test_pages_that_a_child_shares_with_the_process_it_was_forked_from_are_counted_as_its_own() -> None:
    ballast = bytearray(b"\1") * (128 * MIB)

    def added_by_writing() -> int:
        before = processes.memory().pss_bytes
        ballast[::4096] = bytes(len(ballast) // 4096)  # a copy of each page
        return processes.memory().pss_bytes - before

    assert abs(in_child(added_by_writing)) < len(ballast) / 4
