"""Preflight by numbers: what a loader needs, beside what a machine has; and a prediction beside what came of it."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from loaderbench.benches.explain.preflight import IDLE_DESCRIPTORS, Demand, Finding, Limits, findings, storages
from loaderbench.benches.harness.system import processes

ROOM = Limits(
    shm_bytes=1 << 30, memory_bytes=8 << 30, descriptors=1024, cpus=4, cpus_affinity=4, start_method="fork"
)  # fmt: skip
MODEST = {
    "num_workers": 2, "prefetch_factor": 2, "start_method": "", "storages": 2, "storage_bytes": 1 << 20,
    "pickled_bytes": 1000, "pickle_error": None,
}  # fmt: skip


def found(what: str, limits: Limits = ROOM, **changed: Any) -> Finding:
    every = {finding.what: finding for finding in findings(Demand(**{**MODEST, **changed}), limits)}
    return every[what]


def limits(**changed: Any) -> Limits:
    return Limits(**{**{name: getattr(ROOM, name) for name in Limits.__slots__}, **changed})


def test_a_modest_loader_on_a_machine_with_room_needs_nothing_done() -> None:
    every = list(findings(Demand(**MODEST), ROOM))
    assert {finding.level for finding in every} == {"fine"}
    assert not any(finding.remedy for finding in every)


@pytest.mark.parametrize(
    ("what", "changed", "number"),
    [
        ("shared memory", {"num_workers": 8, "prefetch_factor": 4, "storage_bytes": 100 << 20}, 33 * (100 << 20)),
        ("file descriptors", {"num_workers": 16, "storages": 114}, IDLE_DESCRIPTORS + 33 * 114),
        ("memory", {"num_workers": 8, "start_method": "spawn", "pickled_bytes": 2 << 30}, (16 << 30) + (17 << 20)),
    ],
    ids=["shared memory is full", "out of descriptors", "out of memory"],
)
def test_what_would_crash_is_wrong_with_its_number_and_what_to_do(
    what: str, changed: dict[str, Any], number: float
) -> None:
    finding = found(what, **changed)
    assert finding.level == "wrong"
    assert finding.number == number
    assert finding.remedy


def test_more_than_half_of_a_limit_is_worth_a_word() -> None:
    assert found("shared memory", limits(shm_bytes=8 << 20)).level == "note"


def test_without_workers_nothing_goes_to_shared_memory() -> None:
    assert found("shared memory", limits(shm_bytes=1), num_workers=0).number == 0


def test_a_quota_below_the_affinity_is_what_counts() -> None:
    finding = found("CPUs", limits(cpus=2, cpus_affinity=64), num_workers=8)
    assert finding.level == "note"
    assert "torch warns only above 64" in finding.why
    assert "num_workers=2" in finding.remedy


@pytest.mark.parametrize(
    ("asked", "usual", "level"),
    [("", "fork", "note"), ("spawn", "fork", "wrong"), ("", "forkserver", "wrong"), ("fork", "forkserver", "note")],
)
def test_what_cannot_be_pickled_is_wrong_where_workers_are_given_it_by_pickle(
    asked: str, usual: str, level: str
) -> None:
    broken = {"pickled_bytes": None, "pickle_error": "TypeError: cannot pickle '_io.BufferedReader' object"}
    finding = found("pickle", limits(start_method=usual), start_method=asked, **broken)
    assert finding.level == level
    assert "BufferedReader" in finding.why


@pytest.mark.parametrize(("both", "level"), [(0, "fine"), (10, "note"), (64, "wrong")])
def test_a_stream_that_every_worker_repeats_is_wrong(both: int, level: str) -> None:
    assert found("stream", repeated=(both, 64)).level == level


def test_a_view_counts_with_all_that_it_is_a_view_of() -> None:
    whole = torch.zeros(1000)
    assert storages({"a": whole[:1], "b": [whole[1:2], "text"]}) == (1, 4000)


class Pictures(Dataset[torch.Tensor]):
    """Samples of 100 kB."""

    def __len__(self) -> int:
        return 512

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((25_000,), float(index))


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="no /dev/shm here")
def test_shared_memory_is_predicted_as_it_comes() -> None:
    count, size = storages(torch.stack([Pictures()[index] for index in range(32)]))
    predicted = found("shared memory", num_workers=2, prefetch_factor=4, storages=count, storage_bytes=size).number
    before = processes.memory().shm_bytes
    iterator = iter(DataLoader(Pictures(), batch_size=32, num_workers=2, prefetch_factor=4))
    first = next(iterator)
    used = max(_soon(before) for _ in range(50))
    del first, iterator
    assert predicted is not None
    assert 0.8 * predicted <= used <= 1.05 * predicted


def _soon(before: int) -> int:
    """What is used a moment later: workers fill their queues by themselves."""
    time.sleep(0.02)
    return processes.memory().shm_bytes - before
