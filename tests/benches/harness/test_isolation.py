"""Each case has a process of its own, forked from one that has built the dataset and read nothing of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

EPOCH = "loaderbench.benches.bench_epoch"
BRIEF = ("--rounds", "2", "--round-time", "0", "--batch-size", "8", "--persistent-workers", "on")

RECORDING = """
import os
import signal
from concurrent.futures import ThreadPoolExecutor

STATE = []  # of the module


def note(name, *words):
    with open(name, "a") as file:
        print(*words, file=file)


class Recording:
    \"\"\"Opens a file and makes a thread pool at its first read, keeps what it has read, and notes who reads it.\"\"\"

    def __init__(self):
        self.cache, self.file, self.pool = {}, None, None
        note("built.txt", os.getpid())

    def __len__(self):
        return 64

    def __getitem__(self, index):
        if self.file is None:
            note("first_reads.txt", os.getpid(), len(self.cache), len(STATE))
            self.file, self.pool = open(__file__, "rb"), ThreadPoolExecutor(1)
        STATE.append(index)
        return self.cache.setdefault(index, self.pool.submit(range(64).__getitem__, index).result())


class Deadly:
    \"\"\"Kills the process that reads more than one pass of it.\"\"\"

    reads = 0

    def __len__(self):
        return 64

    def __getitem__(self, index):
        self.reads += 1
        if self.reads > 64:
            os.kill(os.getpid(), signal.SIGKILL)
        return range(64)[index]
"""


@dataclass(frozen=True)
class World:
    """What a run of several cases left."""

    ended: Any
    left: list[Any]

    def noted(self, name: str) -> list[list[int]]:
        lines = (Path(self.ended.folder).parent / name).read_text().splitlines()
        return [[int(word) for word in line.split()] for line in lines]


@pytest.fixture(scope="module")
def world(places: Callable[[str], Any]) -> World:
    place = replace(places("isolation"), benches=EPOCH).write(recording=RECORDING)
    datasets = ("--dataset", "recording:Recording,recording:Deadly")
    ended = place.run(*datasets, *BRIEF, "--num-workers", "0,1", "--start-method", "fork,spawn")
    return World(ended=ended, left=[] if place.emptied() else place.processes())


def test_a_file_and_a_thread_pool_made_at_the_first_read_work_forked_and_pickled(world: World) -> None:
    measured = {name for name in world.ended.benchmarks if "Recording" in name}
    assert measured == {
        "bench_epoch[recording.Recording-workers=0]",
        "bench_epoch[recording.Recording-workers=1-fork]",
        "bench_epoch[recording.Recording-workers=1-spawn]",
    }


def test_the_process_that_forks_and_pickles_the_dataset_never_reads_it(world: World) -> None:
    (builder,) = {pid for (pid,) in world.noted("built.txt")}
    assert builder not in {pid for pid, _, _ in world.noted("first_reads.txt")}


def test_every_reader_begins_with_an_empty_cache_and_a_module_as_it_was_imported(world: World) -> None:
    first_reads = world.noted("first_reads.txt")
    readers = {pid: (cached, state) for pid, cached, state in reversed(first_reads)}  # the first of each process
    assert len(readers) >= 3  # one for each case, beside those that check
    assert set(readers.values()) == {(0, 0)}


def test_a_case_whose_process_is_killed_fails_and_the_others_go_on(world: World) -> None:
    (reason,) = (why for name, why in world.ended.failed.items() if name.endswith("[recording.Deadly-workers=0]"))
    assert "its process was killed by SIGKILL" in reason
    assert len(world.ended.benchmarks) >= 3
    assert world.ended.ours["complete"] is True


def test_pytest_benchmark_times_as_many_rounds_as_the_record_has(world: World) -> None:
    for case in world.ended.benchmarks.values():
        assert case["stats"]["rounds"] == len(case["extra_info"]["rounds"]["seconds"]) == 2


def test_no_process_of_a_case_outlives_the_run(world: World) -> None:
    assert world.left == []
