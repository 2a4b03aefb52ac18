"""bench_startup: to the first batch, to the next epoch's, and to the end of the workers."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.bench_startup import Startup, shortened
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.tracing.startup import PARTS
from loaderbench.datasets.synthetic.known_cost import Busy

Benches = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def startup(benches: Benches) -> dict[str, dict[str, Any]]:
    return benches("startup")


def test_workers_are_started_anew_or_kept(startup: dict[str, dict[str, Any]]) -> None:
    assert set(startup) == {
        "[project.Rows-workers=0]",
        "[project.Rows-workers=1]",
        "[project.Rows-workers=1-persistent]",
    }


def test_every_round_starts_from_a_loader_that_does_not_exist_yet(startup: dict[str, dict[str, Any]]) -> None:
    assert not any(case["facts"]["steady"] for case in startup.values())


def test_the_start_is_recorded_whole_and_in_parts(startup: dict[str, dict[str, Any]]) -> None:
    whole = {"seconds", "start_s", "first_batch_s", "next_first_batch_s", "gap_s", "shutdown_s"}
    for case in startup.values():
        assert {*whole, *PARTS} <= set(case["rounds"])


def test_a_start_is_timed_with_small_and_large_datasets(benches: Benches) -> None:
    payloads = {case["facts"]["payload_bytes"] for case in benches("startup_payload").values()}
    assert payloads == {0, 64_000_000}


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.usefixtures("no_leaks")
def test_no_worker_outlives_a_round(persistent: bool) -> None:
    config = LoaderConfig(num_workers=2, batch_size=4, persistent_workers=persistent, multiprocessing_context="fork")
    with Startup(Busy(1000, 1e-4), config) as work:
        work.run(1)


def test_epochs_are_cut_to_a_few_batches_of_the_whole_dataset() -> None:
    dataset = Busy(1000, 1e-4)
    loader = shortened(LoaderConfig(num_workers=2, batch_size=4), dataset).build(dataset)
    assert len(list(loader.sampler)) == 2 * 2 * 4
    assert loader.dataset is dataset
