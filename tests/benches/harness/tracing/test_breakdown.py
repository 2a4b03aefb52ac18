"""The ledger, on datasets whose cost is known: each second stands under its heading, and they add up."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, default_collate

from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.tracing.breakdown import Ledger
from loaderbench.benches.harness.tracing.timestamps import stamped
from loaderbench.datasets.synthetic.known_cost import Busy, Sleeping, Straggler

Read = Callable[..., Ledger]


@pytest.fixture
def read() -> Read:
    """Read a dataset of known cost to its end, twice: the ledger of the second pass, workers already running."""

    def run(dataset: Any, collate_fn: Any = default_collate, *, step: Any = None, **arguments: Any) -> Ledger:
        workers = {"persistent_workers": True} if arguments.get("num_workers") else {}
        loader = stamped(dataset, LoaderConfig(batch_size=4, **workers, **arguments), collate_fn)
        Ledger().read(loader)
        return Ledger().read(loader, step)

    return run


def slow_collate(samples: list[Any]) -> Any:
    time.sleep(0.02)
    return default_collate(samples)


class Pictures(Dataset[torch.Tensor]):
    """Samples of 4 MB that cost little to make, and much to hand over."""

    made = torch.zeros(1 << 20)

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.made


class Flow(IterableDataset[int]):
    def __iter__(self) -> Any:
        for number in range(16):
            time.sleep(0.005)
            yield number


class Turned(Dataset[int]):
    """Half of a sample's time is in its transform."""

    def __init__(self) -> None:
        self.transform = lambda number: time.sleep(0.004) or number

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> int:
        time.sleep(0.004)
        return self.transform(range(16)[index])


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_fetching_takes_what_the_samples_cost(read: Read, num_workers: int) -> None:
    read_s = [read(Sleeping(samples=32, sleep_s=0.005), num_workers=num_workers).done()["fetch_s"] for _ in range(3)]
    assert median(read_s) == pytest.approx(32 * 0.005, rel=0.05)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("step_s", [0.0, 0.01])
def test_the_parts_add_up_to_the_pass(read: Read, num_workers: int, step_s: float) -> None:
    ledger = read(Busy(samples=32, busy_s=0.003), step=lambda _: time.sleep(step_s), num_workers=num_workers)
    assert abs(ledger.closure()) < 0.05
    assert ledger.samples == 32


def test_a_slow_collate_fn_is_what_is_waited_for(read: Read) -> None:
    waited = read(Sleeping(samples=16, sleep_s=0.0005), slow_collate, num_workers=1).waited()
    assert max(waited, key=lambda name: waited[name]) == "wait_collate_s"


def test_a_slow_sample_is_what_is_waited_for(read: Read) -> None:
    waited = read(Sleeping(samples=16, sleep_s=0.01), num_workers=1).waited()
    assert max(waited, key=lambda name: waited[name]) == "wait_fetch_s"


def test_without_workers_nothing_is_handed_over(read: Read) -> None:
    ledger = read(Busy(samples=16, busy_s=0.001))
    assert {ledger.done()[f"{stage}_s"] for stage in ("queue", "pickle", "transit", "unpickle", "pin")} == {0.0}


def test_a_slow_step_is_the_steps_and_hides_the_loader(read: Read) -> None:
    waited = read(Sleeping(samples=32, sleep_s=0.001), step=lambda _: time.sleep(0.03), num_workers=2).waited()
    assert waited["step_s"] > 10 * sum(taken for name, taken in waited.items() if name.startswith("wait"))


def test_a_straggler_holds_back_batches_that_are_ready(read: Read) -> None:
    straggling = Straggler(samples=32, busy_s=0.001, straggler_index=0, straggler_s=0.2)
    even = Busy(samples=32, busy_s=0.001)
    blocked, free = (read(dataset, num_workers=2).blocked_s() for dataset in (straggling, even))
    assert blocked > 0.1
    assert free < blocked / 4


def test_large_batches_cost_most_in_being_handed_over(read: Read) -> None:
    small, large = (read(dataset, num_workers=1).done() for dataset in (Busy(samples=32, busy_s=0.0), Pictures()))
    assert large["collate_s"] > small["collate_s"]  # a worker collates into shared memory
    assert large["unpickle_s"] + large["pickle_s"] > 0


def test_a_stream_has_a_ledger_too(read: Read) -> None:
    ledger = read(Flow(), num_workers=1)
    assert ledger.samples == 16
    assert ledger.done()["fetch_s"] == pytest.approx(16 * 0.005, rel=0.2)


@pytest.mark.parametrize("narrow", [lambda whole: whole, lambda whole: Subset(whole, range(16))], ids=["it", "a part"])
def test_the_transform_is_told_apart(read: Read, narrow: Callable[[Any], Any]) -> None:
    done = read(narrow(Turned()), num_workers=1).done()
    assert done["transform_s"] == pytest.approx(done["fetch_s"] / 2, rel=0.2)


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_stamps_cross_to_workers_however_they_start(read: Read, start_method: str) -> None:
    ledger = read(Sleeping(samples=8, sleep_s=0.005), num_workers=1, multiprocessing_context=start_method)
    assert ledger.done()["fetch_s"] == pytest.approx(8 * 0.005, rel=0.2)
    assert ledger.done()["pickle_s"] > 0


def test_a_batch_that_is_kept_in_its_worker_is_not_handed_over() -> None:
    loader = stamped(Pictures(), LoaderConfig(batch_size=4, num_workers=1), default_collate, handed=False)
    assert {each.batch for each in loader} == {None}


def test_what_is_waited_for_without_a_cpu_is_told_apart(read: Read) -> None:
    slept, worked = (
        read(dataset, num_workers=1).done()
        for dataset in (Sleeping(samples=8, sleep_s=0.02), Busy(samples=16, busy_s=0.005))
    )
    assert slept["off_cpu_s"] > 0.7 * slept["fetch_s"]  # it spins for the last milliseconds
    assert worked["off_cpu_s"] < 0.5 * worked["fetch_s"]


def test_what_a_device_still_does_after_the_last_batch_belongs_to_the_step() -> None:
    loader = stamped(Sleeping(samples=8, sleep_s=0.0), LoaderConfig(batch_size=4), default_collate)
    ledger = Ledger().read(loader, step=lambda _: None, drain=lambda: time.sleep(0.05))
    assert ledger.waited()["step_s"] >= 0.05
    assert abs(ledger.closure()) < 0.05
