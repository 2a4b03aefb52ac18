"""What can be varied on a loader, and what would crash."""

import argparse
from typing import Any

import pytest

from loaderbench.benches.cli.shared.option_types import checked
from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.harness.loading.subject import subject_of
from loaderbench.benches.tune.factors import Feasible, read_fixed, values_of
from loaderbench.reports.check.preflight import Demand
from loaderbench.reports.tune.tune_record import TuneLimits


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("num_workers=4", ("num_workers", 4)),
        ("prefetch-factor=8", ("prefetch_factor", 8)),
        ("in_order=on", ("in_order", True)),
        ("collate_fn=packed", ("collate_fn", "packed")),
        ("keep_memory=off", ("keep_memory", False)),
    ],
)
def test_a_fixed_value_is_read(text: str, pair: tuple[str, Any]) -> None:
    assert read_fixed(text) == pair


@pytest.mark.parametrize("text", ["num_workers", "num_workers=many", "zeal=3", "collate_fn=mine", "batch_size=3"])
def test_what_is_no_fixed_value_is_refused_with_what_is_taken(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="takes"):
        checked(read_fixed)(text)


def feasible(limit: TuneLimits | None = None, **demand: Any) -> Feasible:
    facts: dict[str, Any] = {
        "num_workers": 2, "prefetch_factor": 2, "start_method": "fork", "storages": 1, "storage_bytes": 1000,
        "pickled_bytes": 10, "pickle_error": None, **demand,
    }  # fmt: skip
    return Feasible(
        subject=subject_of(list(range(8))),
        config=loader_config(num_workers=1, batch_size=4, collate_fn=list),
        demand=Demand(**facts),
        dtypes=1,
        limit=limit or TuneLimits(),
        cpus=2,
    )


def values(**given: Any) -> dict[str, Any]:
    return {**values_of(loader_config(num_workers=1, batch_size=4, collate_fn=list), 2), **given}


def test_what_fits_has_no_fault() -> None:
    assert feasible().fault(values()) == ""


@pytest.mark.parametrize(
    ("limit", "demand", "given", "words"),
    [
        (TuneLimits(shm_bytes=4000), {}, {}, "shared memory"),
        (TuneLimits(memory_bytes=4000), {}, {}, "memory"),
        (TuneLimits(workers=1), {}, {}, "2 workers are more than --max-workers 1"),
        (TuneLimits(shm_bytes=20_000), {}, {"batch_size": 400}, "shared memory"),
        (TuneLimits(memory_bytes=20_000), {"storage_bytes": 0, "object_bytes": 1000}, {"batch_size": 400}, "memory"),
        (TuneLimits(), {"worker_error": "it died"}, {}, "workers: it died"),
        (TuneLimits(), {"pickle_error": "no pickle"}, {"start_method": "spawn"}, "pickle: no pickle"),
        (TuneLimits(), {"repeated": (64, 64)}, {}, "stream"),
        (TuneLimits(), {"storages": 10**7}, {}, "file descriptors"),
    ],
)  # fmt: skip
def test_what_would_crash_or_exceed_a_limit_is_not_tried(
    limit: TuneLimits, demand: dict[str, Any], given: dict[str, Any], words: str
) -> None:
    assert words in feasible(limit, **demand).fault(values(**given))


@pytest.mark.parametrize(
    "demand",
    [{"worker_error": "it died"}, {"pickle_error": "no pickle"}, {"repeated": (64, 64)}],
    ids=lambda d: next(iter(d)),
)
def test_what_fails_with_workers_is_tried_without(demand: dict[str, Any]) -> None:
    assert feasible(**demand).fault(values(num_workers=0)) == ""


def test_a_fault_that_two_workers_showed_does_not_rule_out_one() -> None:
    assert feasible(worker_error="it died").fault(values(num_workers=1)) == ""


def test_many_tensors_fit_when_they_are_packed() -> None:
    assert feasible(storages=10**7).fault(values(collate_fn="packed")) == ""
