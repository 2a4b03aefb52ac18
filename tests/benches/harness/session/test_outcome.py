"""What goes wrong with real workers: a failed case with the worker's own reason, and nothing left behind."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from small_disk import on_small_disk

from loaderbench.benches.harness.session.outcome import result

EPOCH = "loaderbench.benches.bench_epoch"
KNOWN = "loaderbench.datasets.synthetic.known_cost"
FAULTS = ("Raising", "Killed", "Hanging")
SOUND = """
from loaderbench.datasets.synthetic.known_cost import Duplicated

class Sound:
    def __init__(self, samples, fault_index):
        self.samples = samples

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        return range(self.samples)[index]

class Repeated(Duplicated):
    def __init__(self, samples, fault_index):
        super().__init__(samples)

def slipshod(samples, fault_index):
    return list(range(samples))
"""
ASKED = (
    *("--batch-size", "8", "--num-workers", "0,2", "--start-method", "fork"),
    *("--loader-timeout", "2"),
    *("--rounds", "1", "--round-time", "0", "--dataset-args", '{"samples": 64, "fault_index": 41}'),
)
ONE_ROUND = ("--rounds", "1", "--round-time", "0")
DATASETS = ",".join([*(f"{KNOWN}:{name}" for name in FAULTS), "sound:Sound", "sound:Repeated"])


@dataclass(frozen=True)
class World:
    """What is left after the suite met every fault, beside sound cases."""

    ended: Any
    left: list[Any]
    shared: set[str]

    def reason(self, dataset: str, workers: int) -> str:
        return str(self.ended.failed[f"bench_epoch[{dataset}-workers={workers}]"])


@pytest.fixture(scope="module")
def world(places: Callable[[str], Any]) -> World:
    place = replace(places("faults"), benches=EPOCH).write(sound=SOUND)
    before = set(os.listdir("/dev/shm"))
    ended = place.run("--dataset", DATASETS, *ASKED)
    left = [] if place.emptied() else place.processes()
    return World(ended=ended, left=left, shared=set(os.listdir("/dev/shm")) - before)


def test_a_worker_that_raises_fails_its_case_in_its_own_words(world: World) -> None:
    message = world.reason(f"{KNOWN}.Raising", 2)
    assert message.startswith("ValueError: sample 41 is broken on purpose (")
    assert re.search(r"in worker 1, .*known_cost\.py:\d+\)$", message)


def test_the_main_process_that_raises_fails_its_case_too(world: World) -> None:
    message = world.reason(f"{KNOWN}.Raising", 0)
    assert message.startswith("ValueError: sample 41 is broken on purpose (")
    assert re.search(r"known_cost\.py:\d+\)$", message)


def test_a_worker_that_is_killed_fails_its_case_and_says_so(world: World) -> None:
    message = world.reason(f"{KNOWN}.Killed", 2)
    assert message.startswith("RuntimeError: DataLoader worker (pid")
    assert "(sample 41, in worker 1, " in message


def test_a_worker_that_hangs_fails_its_case_after_the_timeout(world: World) -> None:
    message = world.reason(f"{KNOWN}.Hanging", 2)
    assert message.startswith("RuntimeError: DataLoader timed out after 2.0 seconds (sample 41, in worker 1, ")
    assert re.search(r"known_cost\.py:\d+\)$", message)


def test_a_stream_that_its_workers_repeat_is_not_fast_but_failed(world: World) -> None:
    assert world.reason("sound.Repeated", 2).startswith("DeliveryError: 2 workers delivered 128 samples, 64 of them")


def test_cases_without_a_fault_are_measured_all_the_same(world: World) -> None:
    assert set(world.ended.benchmarks) == {
        "bench_epoch[sound.Sound-workers=0]",
        "bench_epoch[sound.Sound-workers=2]",
        "bench_epoch[sound.Repeated-workers=0]",
        f"bench_epoch[{KNOWN}.Killed-workers=0]",
        f"bench_epoch[{KNOWN}.Hanging-workers=0]",
    }


def test_a_failed_case_makes_the_run_fail_at_its_end(world: World) -> None:
    assert world.ended.ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_with_failed_cases_is_complete(world: World) -> None:
    assert world.ended.ours["complete"] is True
    assert world.ended.ours["planned"] == 10


def test_a_failed_case_is_recorded_with_all_its_settings(world: World) -> None:
    case = next(case for case in world.ended.ours["failed"] if case["settings"]["dataset"] == f"{KNOWN}:Killed")
    assert case["bench"] == "epoch"
    assert case["phase"] == "call"
    assert case["settings"]["num_workers"] == 2


def test_every_reason_is_one_line(world: World) -> None:
    assert all(len(why.splitlines()) == 1 for why in world.ended.failed.values())


def test_each_failure_is_one_line_on_the_screen_as_it_happens(world: World) -> None:
    lines = [line for line in world.ended.out.splitlines() if "FAILED" in line]
    for name, why in world.ended.failed.items():
        assert lines.count(f"{name} FAILED: {why}") == 1
    assert "Traceback" not in world.ended.out
    assert "DataLoader.__next__" not in world.ended.out


def test_no_worker_outlives_the_run(world: World) -> None:
    assert world.left == []


def test_no_shared_memory_outlives_the_run(world: World) -> None:
    """A file is named for the process that made it: those of live ones are other tests', run beside this one."""
    names = [name for name in world.shared if name.startswith("torch_") and (Path("/dev/shm") / name).exists()]
    assert not [name for name in names if not psutil.pid_exists(int(name.split("_")[1]))]


@pytest.mark.usefixtures("no_leaks")
def test_no_fault_leaves_a_process_shared_memory_or_a_descriptor(suite: Callable[..., pytest.RunResult]) -> None:
    faults = ",".join(f"{KNOWN}:{name}" for name in FAULTS)
    suite("--pyargs", EPOCH, "--dataset", faults, *ASKED, "--num-workers", "2").assert_outcomes(failed=len(FAULTS))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small /dev/shm needs root")
def test_a_worker_that_fills_shared_memory_fails_its_case_and_says_so(place: Any) -> None:
    asked = ("--batch-size", "8", "--num-workers", "0,2", "--loader-timeout", "10")
    arguments = '{"samples": 64, "sample_bytes": 1000000}'
    leaking = ("--dataset", f"{KNOWN}:LeakingSharedMemory", "--dataset-args", arguments)
    suite = replace(place, benches=EPOCH).command("--run-dir", "run", *asked, *leaking, *ONE_ROUND)
    ended = place.call(on_small_disk("/dev/shm", "8m", suite))
    assert list(ended.benchmarks) == [f"bench_epoch[{KNOWN}.LeakingSharedMemory-workers=0]"]
    (message,) = ended.failed.values()
    assert "shared memory" in message or "No space left on device" in message
    assert ended.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        ({"seconds": [1.0, 3.0], "samples": [2000.0, 4000.0]}, "1,500 samples/s"),
        ({"seconds": [1.0] * 3, "measured": [1.01, 1.02, 9.0], "truth": [1.0] * 3}, "+2.00% of the known value"),
        ({"seconds": [1.0, 1.0], "pss_bytes": [2.0**31] * 2, "base_pss_bytes": [2.0**30] * 2}, "1,024 MiB added"),
        ({"seconds": [1.0], "pss_bytes": [2.0**20], "base_pss_bytes": [3 * 2.0**20]}, "-2 MiB added"),
        ({"seconds": [0.25, 0.5, 4.0]}, "0.500 s"),
        ({}, ""),
    ],
)
def test_a_case_is_described_by_the_quantity_it_is_about(rounds: dict[str, list[float]], words: str) -> None:
    assert result({"rounds": rounds}) == words
