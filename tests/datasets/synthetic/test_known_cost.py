"""Datasets of known cost: what they ask of the clock, what they hold, and where they fail."""

import multiprocessing
import os
import pickle
from typing import Any

import psutil
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from loaderbench.datasets.synthetic import known_cost
from loaderbench.datasets.synthetic.known_cost import (
    Busy,
    Bytes,
    Duplicated,
    Hanging,
    Killed,
    LeakingSharedMemory,
    Payload,
    Raising,
    Resident,
    Sleeping,
    SlowCollate,
    Straggler,
)

DATASETS = [
    Busy(3, 0.0),
    Bytes(3, 10),
    Duplicated(3),
    Hanging(3, 1),
    Killed(3, 1),
    LeakingSharedMemory(3, 10),
    Payload(3, 10),
    Raising(3, 1),
    Resident(3, 10),
    Sleeping(3, 0.0),
    Straggler(3, 0.0, 1, 0.0),
]
OF_INDICES = [dataset for dataset in DATASETS if not isinstance(dataset, (Bytes, Duplicated, Raising))]


def class_name(dataset: object) -> str:
    return type(dataset).__name__


@pytest.mark.parametrize("dataset", DATASETS, ids=class_name)
def test_a_pickled_copy_is_equal_and_as_long(dataset: Dataset[int]) -> None:
    copy = pickle.loads(pickle.dumps(dataset))
    assert (copy, len(copy)) == (dataset, 3)


@pytest.mark.parametrize("dataset", OF_INDICES, ids=class_name)
def test_in_the_main_process_a_sample_is_its_index(dataset: Dataset[int]) -> None:
    assert [dataset[index] for index in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("dataset", [*OF_INDICES, Bytes(3, 10)], ids=class_name)
def test_an_index_past_the_end_raises(dataset: Dataset[int]) -> None:
    with pytest.raises(IndexError):
        _ = dataset[3]


class Clock:
    """A clock that advances by a sleep, and by 0.1 ms whenever it is read."""

    def __init__(self) -> None:
        self.ticks = 0
        self.slept_s = 0.0

    def read(self) -> float:
        self.ticks += 1
        return self.ticks * 1e-4 + self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(known_cost, "perf_counter", clock.read)
    monkeypatch.setattr(known_cost.time, "sleep", clock.sleep)
    return clock


@pytest.mark.parametrize(
    ("read", "spun_s", "slept_s"),
    [
        (lambda: Busy(1, 0.02)[0], 0.02, 0.0),
        (lambda: Sleeping(1, 0.02)[0], 0.002, 0.018),
        (lambda: Sleeping(1, 0.001)[0], 0.001, 0.0),
        (lambda: Straggler(2, 0.005, straggler_index=1, straggler_s=0.02)[0], 0.005, 0.0),
        (lambda: Straggler(2, 0.005, straggler_index=1, straggler_s=0.02)[1], 0.02, 0.0),
        (lambda: SlowCollate(0.02)([1, 2]), 0.02, 0.0),
    ],
    ids=["busy", "sleeping", "a short sleep", "another sample", "the straggler", "collate"],
)
def test_the_core_is_busy_or_free_for_the_seconds_given(clock: Clock, read: Any, spun_s: float, slept_s: float) -> None:
    read()
    assert clock.ticks * 1e-4 == pytest.approx(spun_s, abs=2.5e-4)
    assert clock.slept_s == pytest.approx(slept_s, abs=2.5e-4)  # less what has passed since the sample was asked for


def test_a_sample_has_the_bytes_given() -> None:
    sample = Bytes(300, 1000)[257]
    assert (sample.nbytes, sample.unique().tolist()) == (1000, [1])
    (batch,) = DataLoader(Bytes(4, 1000), batch_size=4)
    assert isinstance(batch, torch.Tensor)
    assert batch.nbytes == 4000


def test_a_payload_is_part_of_the_pickle() -> None:
    assert len(pickle.dumps(Payload(1, 100_000))) == pytest.approx(100_000, abs=500)


def test_a_process_that_read_a_sample_holds_the_bytes() -> None:
    dataset = Resident(1, 64 << 20)
    process = psutil.Process()
    before = process.memory_info().rss
    _ = dataset[0]
    assert process.memory_info().rss - before == pytest.approx(64 << 20, rel=0.05)


def test_it_holds_them_once_and_does_not_pickle_them() -> None:
    dataset = Resident(2, 100_000)
    _ = dataset[0]
    memory = dataset._memory
    _ = dataset[1]
    assert dataset._memory is memory
    assert len(dataset._memory) == 100_000
    assert len(pickle.dumps(dataset)) < 1000


def test_a_forked_process_holds_bytes_of_its_own() -> None:
    dataset = Resident(1, 1000)
    _ = dataset[0]
    inherited = dataset._memory

    def read() -> None:
        _ = dataset[0]
        os._exit(dataset._memory is inherited)

    process = multiprocessing.get_context("fork").Process(target=read)
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.fixture(autouse=True)
def _short_status_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the DataLoader look after 0.2 s, not 5 s, whether its workers are alive."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)


def loader(dataset: Dataset[int], num_workers: int = 1, timeout: float = 0) -> DataLoader[int]:
    return DataLoader(
        dataset, batch_size=None, num_workers=num_workers, timeout=timeout, multiprocessing_context="fork"
    )


def test_every_worker_repeats_a_stream_that_is_not_split() -> None:
    assert sorted(loader(Duplicated(3), num_workers=2)) == [0, 0, 1, 1, 2, 2]


def test_a_broken_sample_raises_in_the_loader() -> None:
    with pytest.raises(ValueError, match="sample 1 is broken on purpose"):
        list(loader(Raising(3, fault_index=1)))


def test_the_loader_notices_a_killed_worker() -> None:
    with pytest.raises(RuntimeError, match=r"killed by signal|exited unexpectedly"):
        list(loader(Killed(3, fault_index=1)))


def test_a_worker_that_hangs_exceeds_the_loaders_timeout() -> None:
    with pytest.raises(RuntimeError, match="timed out"):
        list(loader(Hanging(3, fault_index=1), timeout=0.2))


def test_a_worker_keeps_shared_memory_of_each_sample_and_the_main_process_does_not() -> None:
    batches: Any = iter(loader(LeakingSharedMemory(4, 8 << 20)))
    _ = [next(batches) for _ in range(4)]
    (worker,) = batches._workers
    mappings = psutil.Process(worker.pid).memory_maps()
    assert sum(mapping.rss for mapping in mappings if "/torch_" in mapping.path) == 32 << 20
    dataset = LeakingSharedMemory(1, 10)
    assert (dataset[0], dataset._kept) == (0, [])
