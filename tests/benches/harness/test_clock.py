"""The clock: whole passes over a loader, and what they show."""

import json
import math
from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import pytest

from loaderbench.benches.harness.clock import read, wait_metrics

Measured = Callable[..., dict[str, Any]]
PAUSE_S = 0.02


class Pausing:
    """Three batches, each of which lets one wait for it."""

    def __iter__(self) -> Iterator[int]:
        for batch in range(3):
            sleep(PAUSE_S)
            yield batch


def pause(_batch: object) -> None:
    sleep(5 * PAUSE_S)


def test_a_reading_counts_the_batches_of_each_pass() -> None:
    assert read([1, 2, 3, 4], passes=3).batches == [4, 4, 4]


def test_a_wait_is_what_passes_before_a_batch_arrives() -> None:
    (waits,) = read(Pausing()).waits_s
    assert len(waits) == 3
    assert all(wait >= PAUSE_S for wait in waits)


def test_a_step_is_no_wait() -> None:
    reading = read(Pausing(), pause)
    metrics = reading.metrics()
    assert metrics["wait_s"] < metrics["seconds"] - 3 * 5 * PAUSE_S * 0.9
    assert [len(waits) for waits in reading.waits_s] == [3]


def test_without_a_step_a_pass_is_all_waiting() -> None:
    metrics = read(Pausing()).metrics()
    assert metrics["wait_s"] == pytest.approx(metrics["seconds"], rel=0.2)


def test_each_batch_goes_through_the_step_once_a_pass() -> None:
    seen: list[int] = []
    read([1, 2], seen.append, passes=2)
    assert seen == [1, 2, 1, 2]


def test_a_pass_over_nothing_is_an_error_that_says_what_to_look_at() -> None:
    with pytest.raises(ValueError, match="^the loader delivered no batch; with drop_last, batch_size must not exceed"):
        read([])


def test_waits_are_told_by_their_quantiles() -> None:
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


def test_what_belongs_together_in_a_round_fits_together(measured: Measured) -> None:
    (case,) = measured("mine:Numbers", "--round-time", "0")["benchmarks"]
    rounds = {name: column[0] for name, column in case["extra_info"]["rounds"].items()}
    assert (rounds["samples"], rounds["batches"]) == (20, 3)
    assert rounds["wait_p05_s"] <= rounds["wait_p50_s"] <= rounds["wait_p95_s"] <= rounds["wait_max_s"]
    assert rounds["wait_max_s"] <= rounds["wait_s"] <= rounds["seconds"]


OWN = """
from loaderbench.benches.harness.clock import Epoch

def bench_own(measure, dataset, loader, device):
    pids = set()
    measure(Epoch(dataset, loader, device=device, step=lambda batch: pids.update(batch.tolist())))
    measure.benchmark.extra_info["facts"]["processes"] = len(pids)
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
        return int(case["extra_info"]["facts"]["processes"])

    return run


def test_steady_workers_live_through_all_rounds(processes: Callable[[str], int], no_strays: None) -> None:
    assert processes("on") == 1


def test_cold_workers_are_new_in_every_round(processes: Callable[[str], int], no_strays: None) -> None:
    assert processes("off") == 3
