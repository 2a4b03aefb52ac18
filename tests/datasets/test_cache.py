"""The cache: its folders are made once, complete or not at all, by any number of processes."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from loaderbench.datasets import cache

fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOADERBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def writes(text: str) -> Callable[[Path], None]:
    def make(draft: Path) -> None:
        (draft / "made").write_text(text)

    return make


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_made_once(folder: Path) -> None:
    cache.make_once("numbers", writes("first"))
    assert (cache.make_once("numbers", writes("second")) / "made").read_text() == "first"
    assert names(folder) == ["numbers"]


def test_a_function_that_fails_leaves_nothing(folder: Path) -> None:
    def fails(draft: Path) -> None:
        (draft / "half").touch()
        raise RuntimeError("no more ink")

    with pytest.raises(RuntimeError, match="no more ink"):
        cache.make_once("numbers", fails)
    assert names(folder) == []


def test_a_killed_process_leaves_no_incomplete_folder(folder: Path) -> None:
    def is_killed(draft: Path) -> None:
        (draft / "half").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    process = fork.Process(target=cache.make_once, args=("numbers", is_killed))
    process.start()
    process.join()
    assert not (folder / "numbers").exists()


def test_two_processes_that_make_a_folder_at_once_both_get_it_complete(folder: Path) -> None:
    both_are_making = fork.Barrier(2)

    def make(draft: Path) -> None:
        both_are_making.wait(timeout=10)
        for number in range(50):
            (draft / str(number)).write_bytes(bytes(100))

    def reads() -> None:
        made = cache.make_once("numbers", make)
        os._exit(0 if sum(file.stat().st_size for file in made.iterdir()) == 5000 else 1)

    processes = [fork.Process(target=reads) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert ([process.exitcode for process in processes], names(folder)) == ([0, 0], ["numbers"])


def test_other_users_can_read_the_folder() -> None:
    assert cache.make_once("numbers", writes("1")).stat().st_mode & 0o777 == 0o755


def test_it_is_in_the_xdg_cache_if_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LOADERBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "loaderbench"


def test_it_is_in_the_home_folder_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LOADERBENCH_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "loaderbench"


def test_a_cache_that_cannot_be_written_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOADERBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"must be writable.*set LOADERBENCH_CACHE"):
        cache.make_once("numbers", writes("1"))
