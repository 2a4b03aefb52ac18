"""Preflight by numbers: what a loader needs, beside what a machine has."""

from dataclasses import replace
from typing import Any

import pytest

from loaderbench.reports.check.preflight import IDLE_DESCRIPTORS, Demand, Finding, Limits, findings

AMPLE = Limits(shm_bytes=1 << 30, memory_bytes=8 << 30, descriptors=1024, cpus=4, cpus_affinity=4)
MODEST = Demand(
    num_workers=2, prefetch_factor=2, start_method="fork", storages=2, storage_bytes=1 << 20, pickled_bytes=1000,
    pickle_error=None,
)  # fmt: skip


def finding(name: str, limits: Limits = AMPLE, **demand: Any) -> Finding:
    (only,) = (entry for entry in findings(replace(MODEST, **demand), limits) if entry.name == name)
    return only


def test_a_modest_loader_on_an_ample_machine_needs_nothing_done() -> None:
    every = list(findings(MODEST, AMPLE))
    assert {finding.level for finding in every} == {"fine"}
    assert not any(finding.remedy for finding in every)


@pytest.mark.parametrize(
    ("name", "demand", "needed"),
    [
        ("shared memory", {"num_workers": 8, "prefetch_factor": 4, "storage_bytes": 100 << 20}, 33 * (100 << 20)),
        ("file descriptors", {"num_workers": 16, "storages": 114}, IDLE_DESCRIPTORS + 33 * 114),
        ("memory", {"num_workers": 8, "start_method": "spawn", "pickled_bytes": 2 << 30}, (16 << 30) + (17 << 20)),
    ],
    ids=["shared memory is full", "out of descriptors", "out of memory"],
)
def test_what_would_crash_is_wrong_with_its_number_and_what_to_do(
    name: str, demand: dict[str, Any], needed: float
) -> None:
    crash = finding(name, **demand)
    assert crash.level == "wrong"
    assert crash.needed == needed
    assert crash.remedy


def test_more_than_half_of_a_limit_is_worth_a_note() -> None:
    assert finding("shared memory", replace(AMPLE, shm_bytes=8 << 20)).level == "note"


def test_without_workers_nothing_goes_to_shared_memory() -> None:
    assert finding("shared memory", replace(AMPLE, shm_bytes=1), num_workers=0).needed == 0
    for name in ("shared memory", "file descriptors"):
        assert finding(name, num_workers=0).why.endswith("sent: there are no workers")
    assert finding("memory", num_workers=0).why.startswith("no copies of the dataset in workers, and one batch;")


def test_objects_of_a_batch_take_memory_too() -> None:
    assert finding("memory", object_bytes=3 << 20).needed == 5 * (4 << 20)


@pytest.mark.parametrize(
    ("open_files", "samples", "needed"),
    [(1.0, 600, None), (1.0, 2000, IDLE_DESCRIPTORS + 2000.0), (0.25, 9000, None), (1.0, None, None)],
    ids=["few samples", "one for each sample", "one for each shard", "an endless stream"],
)
def test_files_that_samples_leave_open_are_worth_a_note_where_they_exceed_the_limit(
    open_files: float, samples: int | None, needed: float | None
) -> None:
    entries = findings(replace(MODEST, open_files=open_files, samples=samples), AMPLE)
    noted = [entry for entry in entries if entry.name == "open files"]
    assert [entry.level for entry in noted] == ["note"] * (needed is not None or samples is None)
    assert [entry.needed for entry in noted] == [needed] * len(noted)


def test_a_machine_without_dev_shm_has_no_limit_of_it() -> None:
    assert finding("shared memory", replace(AMPLE, shm_bytes=None)).level == "fine"


def test_a_quota_below_the_affinity_is_what_counts() -> None:
    cpus = finding("CPUs", replace(AMPLE, cpus=2, cpus_affinity=64), num_workers=8)
    assert cpus.level == "note"
    assert "torch warns only above 64" in cpus.why
    assert "num_workers=2" in cpus.remedy


@pytest.mark.parametrize(("method", "level"), [("fork", "note"), ("spawn", "wrong"), ("forkserver", "wrong")])
def test_what_cannot_be_pickled_is_wrong_where_workers_are_sent_it_by_pickle(method: str, level: str) -> None:
    error = "TypeError: cannot pickle '_io.BufferedReader' object"
    pickle = finding("pickle", start_method=method, pickled_bytes=None, pickle_error=error)
    assert pickle.level == level
    assert "BufferedReader" in pickle.why


def test_a_large_dataset_that_is_sent_to_every_worker_is_worth_a_note() -> None:
    assert finding("pickle", start_method="spawn", pickled_bytes=100 << 20).level == "note"


@pytest.mark.parametrize(("both", "level"), [(0, "fine"), (10, "note"), (64, "wrong")])
def test_a_stream_that_every_worker_repeats_is_wrong(both: int, level: str) -> None:
    assert finding("stream", repeated=(both, 64)).level == level


def test_tensors_shared_by_name_take_no_descriptor() -> None:
    descriptors = finding("file descriptors", num_workers=16, storages=114, shared_by_name=True)
    assert (descriptors.level, descriptors.needed) == ("fine", IDLE_DESCRIPTORS)
    assert "shared by name" in descriptors.why


@pytest.mark.parametrize("fault", ["batch", "import", "workers"])
def test_what_was_seen_to_go_wrong_is_wrong_with_its_reason(fault: str) -> None:
    name = {"workers": "worker_error"}.get(fault, f"{fault}_error")
    assert finding(fault, **{name: "IndexError: list index out of range"}).why == "IndexError: list index out of range"
    assert finding(fault, start_method="spawn", **{name: "IndexError"}).level == "wrong"


def test_what_only_spawned_workers_would_meet_is_a_note_under_fork() -> None:
    note = finding("import", start_method="fork", import_error="it trains")
    assert note.level == "note"
    assert note.remedy == "workers started by spawn and forkserver import the dataset's module anew"


@pytest.mark.parametrize(("method", "fails"), [("fork", False), ("spawn", True)])
def test_workers_that_are_known_to_fail_need_not_be_started(method: str, fails: bool) -> None:
    for fault in ("pickle_error", "import_error"):
        assert replace(MODEST, start_method=method, **{fault: "it raised"}).fails_to_start is fails
    assert replace(MODEST, start_method=method, batch_error="it raised").fails_to_start
