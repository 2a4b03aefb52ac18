"""Work in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from pathlib import Path
from threading import Lock
from typing import Self

import psutil
import pytest
import torch

from loaderbench.benches.harness.system.child import Child, ChildError, in_child, once_in_child


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


def test_ctrl_c_during_the_fork_is_raised_and_leaves_no_process() -> None:
    pressed: list[int] = [1]  # hooks cannot be taken back, and Python ignores what they raise
    os.register_at_fork(before=lambda: signal.raise_signal(signal.SIGINT) if pressed and not pressed.clear() else None)
    with pytest.raises(KeyboardInterrupt):
        in_child(os.getpid)
    assert not pressed
    assert active_children() == []
    assert in_child(lambda: 7) == 7


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
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "its process was killed by SIGKILL, by the kernel if"),
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


class Shelf:
    """A context manager that says on paper when it is left."""

    def __init__(self, paper: Path) -> None:
        self.paper, self.books = paper, ["first"]

    def __enter__(self) -> Self:
        self.books.append("entered")
        return self

    def __exit__(self, *_: object) -> None:
        self.paper.write_text(" ".join(self.books))

    def add(self, book: str) -> int:
        self.books.append(book)
        return len(self.books)

    def process(self) -> int:
        return os.getpid()

    def fall(self) -> None:
        raise LookupError("no such book")

    def burn(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("no_leaks")
def test_an_object_lives_in_its_process_from_call_to_call_and_is_left_at_the_end(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "paper")
    with Child(shelf) as child:
        assert child.call("process") != os.getpid()
        assert [child.call("add", "second"), child.call("add", "third")] == [3, 4]
    assert shelf.books == ["first"]
    assert shelf.paper.read_text() == "first entered second third"


def test_an_error_of_one_call_is_raised_here_and_the_object_still_left(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "paper")
    with pytest.raises(LookupError, match="no such book"), Child(shelf) as child:
        child.call("fall")
    assert shelf.paper.read_text() == "first entered"


def test_an_error_of_entering_or_of_leaving_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Child(open_late(tmp_path / "none")):
        pass
    with pytest.raises(IsADirectoryError), Child(Shelf(tmp_path)):
        pass


@contextmanager
def open_late(path: Path) -> Iterator[str]:
    yield path.read_text()


@pytest.mark.usefixtures("no_leaks")
def test_a_process_that_dies_is_said_at_the_call_under_way(tmp_path: Path) -> None:
    with (
        pytest.raises(ChildError, match="^its process was killed by SIGKILL"),
        Child(Shelf(tmp_path / "paper")) as child,
    ):
        child.call("burn")


@pytest.mark.usefixtures("no_leaks")
def test_ctrl_c_here_ends_the_other_process_at_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "paper")
    with pytest.raises(KeyboardInterrupt), Child(shelf):
        raise KeyboardInterrupt
    assert not shelf.paper.exists()


def test_what_is_looked_up_once_is_known_for_a_key_and_an_object_and_in_processes_forked_later() -> None:
    @once_in_child
    def reader(key: object, _: object) -> int:
        return os.getpid()

    first, second = [1], [1]
    pid = reader("a", first)
    assert pid != os.getpid()
    assert [reader("a", first), in_child(lambda: reader("a", first))] == [pid, pid]
    assert len({pid, reader("a", second), reader("b", first)}) == 3
    assert reader([], first) != reader([], first)  # such a key cannot be found again
