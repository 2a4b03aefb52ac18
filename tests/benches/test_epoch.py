"""bench_epoch: one pass over the dataset, with no model."""

from collections.abc import Callable
from typing import Any

import pytest

Benches = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def epoch(benches: Benches) -> dict[str, dict[str, Any]]:
    return benches("epoch")


def test_there_is_a_case_for_each_number_of_workers(epoch: dict[str, dict[str, Any]]) -> None:
    assert set(epoch) == {"[project.Rows-workers=0]", "[project.Rows-workers=1]"}


def test_every_round_reads_every_sample(epoch: dict[str, dict[str, Any]]) -> None:
    assert all(case["rounds"]["samples"] == [64, 64] for case in epoch.values())


def test_workers_are_alive_when_the_clock_starts(epoch: dict[str, dict[str, Any]]) -> None:
    assert all(case["facts"]["steady"] for case in epoch.values())


def test_the_facts_say_what_a_sample_and_a_batch_are(epoch: dict[str, dict[str, Any]]) -> None:
    facts = epoch["[project.Rows-workers=0]"]["facts"]
    assert facts["name"] == "Rows"
    assert facts["dataset_samples"] == 64
    assert (facts["batch_tensors"], facts["batch_bytes"]) == (2, 10 * (3 * 4 + 8))


def test_the_settings_are_scalars_a_column_each(epoch: dict[str, dict[str, Any]]) -> None:
    assert epoch["[project.Rows-workers=1]"]["settings"] == {
        "device": "cpu",
        "dataset": "project:Rows",
        "num_workers": 1,
        "batch_size": 10,
        "collate_fn": "default",
        "pin_memory": False,
        "prefetch_factor": 2,
        "persistent_workers": True,
        "start_method": "fork",
        "sampling": "shuffle",
        "fetch": "getitems",
        "in_order": True,
        "drop_last": False,
        "sampler": None,
        "batch_sampler": None,
        "worker_init_fn": None,
        "model": "project:Net",
    }
