"""Work in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from threading import Lock

import psutil
import pytest
import torch

from loaderbench.benches.harness.system.child import ChildError, in_child


def test_what_the_work_returns_comes_back() -> None:
    assert in_child(lambda: {"samples": 3, "batch": torch.arange(3)})["batch"].tolist() == [0, 1, 2]


def test_what_the_work_changes_stays_there() -> None:
    read: list[int] = []
    assert in_child(lambda: read.append(os.getpid()) or len(read)) == 1
    assert read == []


def test_torch_computes_there_although_its_threads_were_used_here() -> None:
    numbers = torch.ones(1_000_000)
    assert (numbers + numbers).sum() == 2_000_000
    threads = torch.get_num_threads()
    computed = in_child(lambda: (float((numbers + numbers).sum()), torch.get_num_threads()), timeout_s=60)
    assert computed == (2_000_000, threads)
    assert (numbers + numbers).sum() == 2_000_000


def test_an_error_is_raised_here_with_its_traceback_there() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        in_child(lambda: 1 // 0)
    assert "in <lambda>" in str(caught.value.__cause__)


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("sample 7 is broken")
        self.lock = Lock()


def raise_unpicklable() -> None:
    raise UnpicklableError


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (raise_unpicklable, "UnpicklableError: sample 7 is broken"),
        (lambda: sys.exit(3), "SystemExit: 3"),
        (lambda: os._exit(3), "its process ended with exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "its process was killed by SIGKILL: by the kernel, if memory"),
        (Lock, "TypeError"),
    ],
    ids=["cannot be sent", "exits", "exits at once", "is killed", "result cannot be sent"],
)
def test_what_cannot_be_raised_here_is_said(work: object, message: str) -> None:
    with pytest.raises((ChildError, TypeError), match="(?s).*") as caught:
        in_child(work)  # type: ignore[arg-type]
    assert message in f"{type(caught.value).__name__}: {caught.value}"


def start_and_hang() -> None:
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)


def test_what_takes_too_long_is_killed_with_all_that_it_started() -> None:
    with pytest.raises(ChildError, match=r"not done after 0\.5 s"):
        in_child(start_and_hang, timeout_s=0.5)
    assert not active_children()
    assert not [child for child in psutil.Process().children(recursive=True) if "sleep" in child.cmdline()]


def test_workers_may_be_started_there() -> None:
    loader = torch.utils.data.DataLoader(range(8), num_workers=2, multiprocessing_context="fork")  # type: ignore[arg-type]
    assert in_child(lambda: [int(batch) for batch in loader]) == list(range(8))
