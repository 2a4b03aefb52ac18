"""The clock: whole passes over a loader, and what they show. What it reads is made up."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loaderbench.benches.harness.measuring import clock
from loaderbench.benches.harness.measuring.clock import read, wait_metrics

Measured = Callable[..., dict[str, Any]]


class Time:
    """Stands for ``perf_counter``: passes only where it is told to."""

    def __init__(self) -> None:
        self.now = 7.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made_up = Time()
    monkeypatch.setattr(clock, "perf_counter", made_up)
    return made_up


def batches(time: Time, *waits_s: float) -> Iterator[int]:
    """A loader that lets one wait so long for each batch."""
    for batch, wait_s in enumerate(waits_s):
        time.now += wait_s
        yield batch


def test_a_reading_counts_the_batches_of_each_pass() -> None:
    assert read([1, 2, 3, 4], passes=3).batches == [4, 4, 4]


def test_a_wait_is_what_passes_before_a_batch_arrives(time: Time) -> None:
    (waits,) = read(batches(time, 0.5, 0.25, 2.0)).waits_s
    assert waits.tolist() == [0.5, 0.25, 2.0]


def test_a_step_is_no_wait(time: Time) -> None:
    def step(_batch: object) -> None:
        time.now += 10.0

    times = read(batches(time, 0.5, 0.25, 2.0), step)
    assert [waits.tolist() for waits in times.waits_s] == [[0.5, 0.25, 2.0]]
    assert times.seconds == 32.75
    assert times.metrics()["wait_s"] == 2.75


def test_without_a_step_a_pass_is_all_waiting(time: Time) -> None:
    metrics = read(batches(time, 0.5, 0.25)).metrics()
    assert metrics["wait_s"] == metrics["seconds"] == 0.75
    assert metrics["first_batch_s"] == 0.5


def test_each_batch_goes_through_the_step_once_a_pass() -> None:
    seen: list[int] = []
    read([1, 2], seen.append, passes=2)
    assert seen == [1, 2, 1, 2]


def test_a_loader_is_read_whose_iterator_has_no_iter_of_its_own() -> None:
    class Batches:
        def __init__(self) -> None:
            self.left = 3

        def __next__(self) -> int:
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return self.left

    class Loader:
        def __iter__(self) -> Batches:
            return Batches()

    seen: list[int] = []
    assert read(Loader(), seen.append, passes=2).batches == [3, 3]  # type: ignore[arg-type]
    assert seen == [2, 1, 0, 2, 1, 0]


def test_a_pass_over_nothing_is_an_error_that_says_what_to_look_at() -> None:
    with pytest.raises(ValueError, match="^the loader delivered no batch; with drop_last, batch_size must not exceed"):
        read([])


def test_waits_are_described_by_their_quantiles() -> None:
    metrics = wait_metrics([float(wait) for wait in range(101)])
    assert metrics == {
        "wait_s": 5050,
        "wait_p05_s": 5,
        "wait_p25_s": 25,
        "wait_p50_s": 50,
        "wait_p75_s": 75,
        "wait_p95_s": 95,
        "wait_max_s": 100,
    }


def test_the_record_of_an_epoch_has_every_quantity_in_every_round(measured: Measured) -> None:
    (case,) = measured("mine:Numbers", "--rounds", "3")["benchmarks"]
    rounds = case["extra_info"]["rounds"]
    quantiles = {"wait_p05_s", "wait_p25_s", "wait_p50_s", "wait_p75_s", "wait_p95_s", "wait_max_s"}
    assert set(rounds) == {"seconds", "samples", "batches", "first_batch_s", "wait_s", "cpu_s"} | quantiles
    assert all(len(column) == 3 and all(map(math.isfinite, column)) for column in rounds.values())
    assert set(rounds["batches"]) == {3 * case["extra_info"]["facts"]["passes"]}


OWN = """
from loaderbench.benches.harness.measuring.clock import Epoch

class CountingEpoch(Epoch):
    def __init__(self, dataset, loader, device):
        super().__init__(dataset, loader, device=device, step=self.note)
        self.pids = set()

    def note(self, batch):
        self.pids.update(batch.tolist())

    def after(self):
        return {**super().after(), "processes": len(self.pids)}

def bench_own(measure, dataset, loader, device):
    measure(CountingEpoch(dataset, loader, device))
"""
PIDS = """
import os

class Pids:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return os.getpid() + 0 * range(4)[index]
"""


@pytest.fixture
def processes(suite: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> Callable[[str], int]:
    """How many processes made samples in a warm-up and two rounds with one worker."""
    pytester.makepyfile(bench_own=OWN, pids=PIDS)

    def run(persistent: str) -> int:
        worker = ("--num-workers", "1", "--start-method", "fork", "--persistent-workers", persistent)
        brief = ("--batch-size", "4", "--rounds", "2", "--round-time", "0", "--run-dir", persistent)
        suite("bench_own.py", "--dataset", "pids:Pids", *worker, *brief)
        (case,) = json.loads((pytester.path / persistent / "run.json").read_text())["benchmarks"]
        return int(case["extra_info"]["rounds"]["processes"][-1])

    return run


def test_steady_workers_live_through_all_rounds(processes: Callable[[str], int], no_strays: None) -> None:
    assert processes("on") == 1


def test_cold_workers_are_new_in_every_round(processes: Callable[[str], int], no_strays: None) -> None:
    assert processes("off") == 3
