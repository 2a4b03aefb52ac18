"""Datasets of known cost: what they take, and where they fail."""

import multiprocessing
import os
import pickle
from time import perf_counter, process_time
from typing import Any

import psutil
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from loaderbench.datasets.synthetic.known_cost import (
    Busy,
    Bytes,
    Duplicated,
    Hanging,
    Killed,
    LeakingSharedMemory,
    Raising,
    Resident,
    Sleeping,
    Straggler,
)

ALL = [
    Busy(3, 0.0),
    Bytes(3, 10),
    Duplicated(3),
    Hanging(3, 1),
    LeakingSharedMemory(3, 10),
    Killed(3, 1),
    Raising(3, 1),
    Resident(3, 10),
    Sleeping(3, 0.0),
    Straggler(3, 0.0, 1, 0.0),
]
INDEXED = [dataset for dataset in ALL if not isinstance(dataset, (Bytes, Duplicated, Raising))]


def name(dataset: object) -> str:
    return type(dataset).__name__


def seconds(dataset: Dataset[int], index: int) -> float:
    """The least of eight readings: whatever else the machine does can only add."""

    def once() -> float:
        began_s = perf_counter()
        _ = dataset[index]
        return perf_counter() - began_s

    return min(once() for _ in range(8))


@pytest.mark.parametrize("dataset", ALL, ids=name)
def test_each_tells_its_length(dataset: Dataset[int]) -> None:
    assert len(dataset) == 3


@pytest.mark.parametrize("dataset", ALL, ids=name)
def test_each_is_picklable(dataset: Dataset[int]) -> None:
    assert pickle.loads(pickle.dumps(dataset)) == dataset


@pytest.mark.parametrize("dataset", INDEXED, ids=name)
def test_in_the_main_process_a_sample_is_its_index(dataset: Dataset[int]) -> None:
    assert [dataset[index] for index in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("dataset", [*INDEXED, Bytes(3, 10)], ids=name)
def test_an_index_past_the_end_raises(dataset: Dataset[int]) -> None:
    with pytest.raises(IndexError):
        _ = dataset[3]


@pytest.mark.parametrize("dataset", [Busy(1, 0.02), Sleeping(1, 0.02)], ids=name)
def test_a_sample_takes_the_time_it_says(dataset: Dataset[int]) -> None:
    assert seconds(dataset, 0) == pytest.approx(0.02, rel=0.01)


def test_only_the_straggler_takes_longer() -> None:
    dataset = Straggler(2, busy_s=0.005, straggler_index=1, straggler_s=0.02)
    assert [seconds(dataset, index) for index in range(2)] == pytest.approx([0.005, 0.02], rel=0.02)


def test_a_busy_sample_keeps_the_core() -> None:
    began_s = process_time()
    _ = Busy(1, 0.05)[0]
    assert process_time() - began_s > 0.02  # under load a neighbour takes its turn meanwhile


def test_a_sleeping_sample_leaves_it() -> None:
    began_s = process_time()
    _ = Sleeping(1, 0.2)[0]
    assert process_time() - began_s < 0.05


def test_a_sample_has_the_bytes_it_says() -> None:
    sample = Bytes(300, 1000)[257]
    assert (sample.nbytes, sample.unique().tolist()) == (1000, [1])


def test_a_process_that_read_a_sample_holds_the_bytes() -> None:
    dataset = Resident(1, 64 << 20)
    process = psutil.Process()
    before = process.memory_info().rss
    _ = dataset[0]
    assert process.memory_info().rss - before == pytest.approx(64 << 20, rel=0.05)


def test_it_holds_them_once() -> None:
    dataset = Resident(2, 1000)
    assert (dataset[0], len(dataset._held), dataset[1], len(dataset._held)) == (0, 1000, 1, 1000)


def test_a_forked_process_holds_bytes_of_its_own() -> None:
    dataset = Resident(1, 1000)
    _ = dataset[0]
    inherited = dataset._held

    def reads() -> None:
        _ = dataset[0]
        os._exit(dataset._held is inherited)

    process = multiprocessing.get_context("fork").Process(target=reads)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_a_pickle_leaves_the_bytes_behind() -> None:
    dataset = Resident(1, 100_000)
    _ = dataset[0]
    assert len(pickle.dumps(dataset)) < 1000


def loader(dataset: Dataset[int], num_workers: int = 1, timeout: float = 0) -> DataLoader[int]:
    return DataLoader(
        dataset, batch_size=None, num_workers=num_workers, timeout=timeout, multiprocessing_context="fork"
    )


def test_every_worker_repeats_a_stream_that_none_splits() -> None:
    assert sorted(loader(Duplicated(3), num_workers=2)) == [0, 0, 1, 1, 2, 2]


def test_a_broken_sample_raises_in_the_loader() -> None:
    with pytest.raises(ValueError, match="sample 1 is broken on purpose"):
        list(loader(Raising(3, fault_index=1)))


def test_a_killed_worker_is_missed_by_the_loader() -> None:
    with pytest.raises(RuntimeError, match=r"killed by signal|exited unexpectedly"):
        list(loader(Killed(3, fault_index=1)))


def test_a_worker_that_hangs_runs_into_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)  # how long it is waited for
    with pytest.raises(RuntimeError, match="timed out"):
        list(loader(Hanging(3, fault_index=1), timeout=0.2))


def test_a_worker_hoards_shared_memory() -> None:
    batches: Any = iter(loader(LeakingSharedMemory(4, 8 << 20)))
    _ = [next(batches) for _ in range(4)]
    (worker,) = batches._workers
    parts = psutil.Process(worker.pid).memory_maps()
    hoarded = sum(part.rss for part in parts if "/torch_" in part.path)
    assert hoarded == 32 << 20


def test_in_the_main_process_nothing_is_hoarded() -> None:
    dataset = LeakingSharedMemory(1, 10)
    assert (dataset[0], dataset._hoard) == (0, [])


def test_the_bytes_of_a_batch_are_those_of_its_samples() -> None:
    (batch,) = DataLoader(Bytes(4, 1000), batch_size=4)
    assert isinstance(batch, torch.Tensor)
    assert batch.nbytes == 4000
