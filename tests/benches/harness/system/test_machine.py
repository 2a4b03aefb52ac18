"""The machine: what a figure depends on."""

import os

import pytest
import torch

from loaderbench.benches.harness.system import machine


@pytest.mark.parametrize(("quota", "cpus"), [(None, 8), (2.5, 2), (0.5, 1), (64.0, 8)])
def test_usable_cpus_are_the_affinity_cut_down_by_the_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, cpus: int
) -> None:
    monkeypatch.setattr(machine, "affinity", lambda: 8)
    monkeypatch.setattr(machine, "quota", lambda: quota)
    assert machine.usable_cpus() == cpus


def test_affinity_is_what_this_process_may_run_on() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.affinity() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_the_facts_name_what_makes_two_runs_comparable() -> None:
    facts = machine.facts()
    assert facts["torch"] == torch.__version__
    assert facts["cpus_affinity"] == len(os.sched_getaffinity(0))
    assert {"cpu_model", "cpus", "cpus_quota", "memory_bytes", "shm_bytes", "python", "start_method"} <= set(facts)
    assert "accelerator" in facts


def test_what_the_allocator_was_told_is_a_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TOP_PAD_", "67108864")
    assert machine.facts()["environment"]["MALLOC_TOP_PAD_"] == "67108864"
