"""bench_startup: to the first batch, to the next epoch's, and to the end of the workers."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.bench_startup import Startup
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.subject import subject_of
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


def test_the_first_batch_comes_after_the_start_and_before_the_end(startup: dict[str, dict[str, Any]]) -> None:
    for case in startup.values():
        rounds = case["rounds"]
        times = zip(rounds["start_s"], rounds["first_batch_s"], rounds["shutdown_s"], rounds["seconds"], strict=True)
        assert all(0 <= start <= first < whole and 0 <= end < whole for start, first, end, whole in times)


def test_both_epochs_are_told(startup: dict[str, dict[str, Any]]) -> None:
    assert all(min(case["rounds"]["next_first_batch_s"]) > 0 for case in startup.values())


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.usefixtures("no_leaks")
def test_no_worker_outlives_a_round(persistent: bool) -> None:
    config = LoaderConfig(num_workers=2, batch_size=4, persistent_workers=persistent, multiprocessing_context="fork")
    with Startup(subject_of(Busy(1000, 1e-4)), config) as work:
        work.run(1)


def test_epochs_are_cut_to_a_few_batches() -> None:
    work = Startup(subject_of(Busy(1000, 1e-4)), LoaderConfig(num_workers=2, batch_size=4))
    assert len(list(work.config.build(work.dataset).sampler)) == 2 * 2 * 4
