"""Which core a process runs on, and what it has started."""

import os
import subprocess
import sys
import threading

import pytest

from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.placement import Placement

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two cores to choose from"
)


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def test_a_process_its_threads_and_those_below_it_are_settled_but_for_those_that_have_a_place() -> None:
    placement = Placement.starting(0)
    assert placement is not None

    def settled() -> dict[str, list[int]]:
        ends = threading.Event()
        thread = threading.Thread(target=ends.wait)
        thread.start()
        sleeps = [sys.executable, "-c", "input()"]
        with (
            subprocess.Popen(sleeps, stdin=subprocess.PIPE) as free,
            subprocess.Popen(sleeps, stdin=subprocess.PIPE) as placed,
        ):
            os.sched_setaffinity(placed.pid, {cores()[1]})
            placement.settle()
            of = {"main": 0, "thread": thread.native_id, "free": free.pid, "placed": placed.pid}
            found = {name: sorted(os.sched_getaffinity(pid or 0)) for name, pid in of.items()}
            for process in (free, placed):
                process.communicate(b"\n")
        ends.set()
        return found

    first, second, *_ = cores()
    expected = {"main": [first], "thread": [first], "free": [first], "placed": [second]}
    assert in_child(settled) == expected


def test_workers_come_on_the_cores_after_it_around() -> None:
    first, *others = cores()
    placement = Placement(cpus=(first, *others), first=0)

    def of_worker(worker: int) -> list[int]:
        return in_child(lambda: (placement(worker), cores())[1])

    assert of_worker(0) == [others[0]]
    assert of_worker(len(others)) == [first]
