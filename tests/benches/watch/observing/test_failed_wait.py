"""A worker that raises, dies, leaves or hangs: its sample and the line of the user's code are in one line."""

import inspect
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch.utils.data import DataLoader, Dataset, Subset
from waiting import until

from loaderbench.benches.watch.observing import failed_wait, worker_state
from loaderbench.benches.watch.observing.failed_wait import failure_text, note_dead_worker
from loaderbench.benches.watch.observing.hooks import watched
from loaderbench.benches.watch.observing.recorder import WatchRecorder
from loaderbench.benches.watch.observing.stages import leaving
from loaderbench.benches.watch.observing.traces import EpochTrace, LoaderTrace
from loaderbench.benches.watch.observing.worker_state import stopped_at

BAD = 9


class Faulty(Dataset[int]):
    """Sample 9 of 12 is the bad one."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> int:
        if index == BAD:
            if self.how == "raise":
                raise ValueError("a bad sample")
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "leave":
                leaving(sys._getframe())
                os._exit(3)
            if self.how == "exit":
                sys.exit(3)
            time.sleep(60)
        return index


def line_of(text: str) -> int:
    lines, first = inspect.getsourcelines(Faulty)
    return first + next(number for number, line in enumerate(lines) if text in line)


def failure(folder: Path, dataset: Any, **arguments: Any) -> str:
    """Read a loader that fails within a watch, and return what was noted of it."""
    recorder = WatchRecorder(folder=folder)
    with watched(recorder), pytest.raises((ValueError, RuntimeError, OSError, EOFError)):
        list(DataLoader(dataset, batch_size=4, **arguments))
    note_dead_worker("", recorder.loaders, recorder.sink)
    return recorder.loaders[0].failure


def end(worker: Any) -> None:
    """Kill a worker whose death torch shall not raise in the midst of something else."""
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    worker.kill()
    worker.join()
    signal.signal(signal.SIGCHLD, handler)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_sample_that_raises_is_named_by_its_index_in_the_users_dataset(tmp_path: Path, num_workers: int) -> None:
    part: Subset[int] = Subset(Faulty("raise"), [1, 2, 3, BAD])
    worker = "in worker 0, " if num_workers else ""
    place = f"test_failed_wait.py:{line_of('raise ValueError')}"
    text = failure(tmp_path, part, num_workers=num_workers)
    assert text.startswith(f"ValueError: a bad sample (sample {BAD}, {worker}")
    assert text.endswith(f"{place})")


# Where torch has reported the death by then, it may do so again from SIGCHLD, in the iterator's finalizer.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*_MultiProcessingDataLoaderIter:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(("how", "line"), [("leave", "leaving("), ("kill", "def __getitem__")])
def test_a_worker_that_dies_leaves_its_sample_and_its_line_where_it_can(tmp_path: Path, how: str, line: str) -> None:
    text = failure(tmp_path, Faulty(how), num_workers=2)
    assert f"(sample {BAD}, in worker 0, " in text
    assert f"test_failed_wait.py:{line_of(line)})" in text


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*_MultiProcessingDataLoaderIter:pytest.PytestUnraisableExceptionWarning"
)
def test_a_worker_is_found_though_torch_raises_for_it_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = [RuntimeError("DataLoader worker (pid 1) is killed by signal: Killed.")]

    def stopped_after_torch(folder: Path, pid: int) -> worker_state.StoppedAt | None:
        if deaths:
            raise deaths.pop()  # as its handler of SIGCHLD does
        return stopped_at(folder, pid)

    monkeypatch.setattr(failed_wait, "stopped_at", stopped_after_torch)
    text = failure(tmp_path, Faulty("leave"), num_workers=2)
    assert not deaths
    assert f"(sample {BAD}, in worker 0, " in text


def test_a_collate_function_that_raises_blames_no_sample(tmp_path: Path) -> None:
    def collate(_: list[int]) -> int:
        raise ValueError("unequal")

    text = failure(tmp_path, Faulty(""), num_workers=1, collate_fn=collate, sampler=range(8))
    assert text.startswith("ValueError: unequal (in worker 0, ")


def is_at_bad_sample(folder: Path, pid: int, *, has_dump: bool = False) -> bool:
    """Whether a worker has noted the sample at which it hangs, and where in the code that is."""
    at = stopped_at(folder, pid)
    return at is not None and at.index == BAD and bool(at.dump or not has_dump)


def test_ctrl_c_while_a_worker_hangs_names_its_sample_and_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_state, "HANGS_AFTER_S", 1.0)
    recorder = WatchRecorder(folder=tmp_path)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with watched(recorder):
            batches = iter(DataLoader(Faulty("hang"), batch_size=4, num_workers=1, sampler=[0, 1, 2, 3, BAD]))
            next(batches)
            (worker,) = batches._workers  # type: ignore[attr-defined]
            assert until(lambda: is_at_bad_sample(tmp_path, worker.pid, has_dump=True))
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - no moment of it before
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                next(batches)
            end(worker)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    text = recorder.loaders[0].failure
    assert text.startswith("KeyboardInterrupt: after ")
    assert "of waiting for batch 1" in text
    assert f"(sample {BAD}, in worker 0, " in text
    assert text.endswith(f"test_failed_wait.py:{line_of('time.sleep(60)')})")


def test_ctrl_c_during_a_wait_like_any_other_blames_no_worker(tmp_path: Path) -> None:
    ended = SimpleNamespace(pid=os.getpid(), exitcode=1, is_alive=lambda: False)  # by the same Ctrl-C
    iterator = SimpleNamespace(_dataset=[], _workers=[ended], _task_info={0: (0,)}, _rcvd_idx=0)
    epoch = EpochTrace(LoaderTrace(name="train.py:3"), 0.0, 0.0)
    text = failure_text(KeyboardInterrupt(), iterator, epoch, 0.04, WatchRecorder(folder=tmp_path).sink)
    assert text == "KeyboardInterrupt: after 40 ms of waiting for batch 0"


def test_a_worker_whose_death_torch_reports_elsewhere_is_named_all_the_same(tmp_path: Path) -> None:
    recorder = WatchRecorder(folder=tmp_path)
    with watched(recorder):
        batches = iter(DataLoader(Faulty("hang"), batch_size=4, num_workers=1, sampler=[0, 1, 2, 3, BAD]))
        next(batches)
        (worker,) = batches._workers  # type: ignore[attr-defined]
        assert until(lambda: is_at_bad_sample(tmp_path, worker.pid))
        end(worker)
        why = f"RuntimeError: DataLoader worker (pid {worker.pid}) is killed by signal: Killed.  (train.py:3)"
        note_dead_worker(why, recorder.loaders, recorder.sink)
        text = recorder.loaders[0].failure
    assert text.startswith(
        f"RuntimeError: DataLoader worker (pid {worker.pid}) is killed by signal: Killed. (sample 9,"
    )


def test_a_process_that_has_written_nothing_is_at_nothing(tmp_path: Path) -> None:
    assert stopped_at(tmp_path, os.getpid()) is None
    (tmp_path / "7.now").write_bytes(b"cut")
    assert stopped_at(tmp_path, 7) is None


def test_the_timer_of_a_worker_is_not_carried_into_what_it_forks(tmp_path: Path) -> None:
    def forks() -> None:
        state = worker_state.WorkerState(str(tmp_path))
        state.batch(1, 0, 0, time.perf_counter())
        child = multiprocessing.get_context("fork").Process(target=state.done)
        child.start()
        child.join(10)
        os._exit(child.exitcode or 0)

    process = multiprocessing.get_context("fork").Process(target=forks)
    process.start()
    process.join(20)
    assert process.exitcode == 0
