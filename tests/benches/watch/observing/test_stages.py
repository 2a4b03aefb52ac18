"""What a batch costs where it is made, in this process and in workers of every kind."""

import faulthandler
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, get_worker_info

from loaderbench.benches.watch.observing import carrier, stages, worker_state
from loaderbench.benches.watch.observing.hooks import watched
from loaderbench.benches.watch.observing.recorder import WatchRecorder
from loaderbench.benches.watch.results import watched_record
from loaderbench.reports.watch.watch_record import WatchedLoader


class Sleepy(Dataset[int]):
    """Sample 7 takes longer than the others."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> int:
        time.sleep(0.05 if index == 7 else 0.0)
        return index


class Counting(IterableDataset[int]):
    """Ten samples, in each worker."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(10))


class WithLoader(Sleepy):
    """Reads a loader of its own for each sample."""

    def __getitem__(self, index: int) -> int:
        return int(
            sum(batch.sum() for batch in DataLoader(TensorDataset(torch.arange(4)), batch_size=2) for batch in batch)
        )


class Whole(Sleepy):
    """Makes its batches itself."""

    def __getitems__(self, indices: list[int]) -> list[int]:
        assert type(indices) is list
        return indices


def seen(folder: Path, dataset: Any, passes: int = 1, **arguments: Any) -> WatchedLoader:
    """Read a loader within a watch, and return what was seen of it."""
    recorder = WatchRecorder(folder=folder)
    with watched(recorder):
        loader: DataLoader[Any] = DataLoader(dataset, **arguments)
        for _ in range(passes):
            list(loader)
    facts = {"started": "", "script": "a test"}
    return watched_record(recorder, seconds=1.0, facts=facts).loaders[0]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_batch_is_found_by_its_pass_and_its_place(tmp_path: Path, num_workers: int) -> None:
    loader = seen(tmp_path, Sleepy(), passes=2, batch_size=4, num_workers=num_workers)
    assert [(batch.epoch, batch.task) for batch in loader.made] == [
        (pass_, task) for pass_ in (0, 1) for task in range(3)
    ]
    assert {batch.samples for batch in loader.made} == {4}
    for batch in loader.made:
        assert batch.fetching_s <= batch.fetched_s <= batch.collated_s
        assert batch.collated_s <= loader.epochs[batch.epoch].received_s[batch.task]


def test_persistent_workers_count_their_passes(tmp_path: Path) -> None:
    loader = seen(tmp_path, Sleepy(), passes=3, batch_size=4, num_workers=2, persistent_workers=True)
    assert [(batch.epoch, batch.task) for batch in loader.made] == [(n, task) for n in range(3) for task in range(3)]
    assert all(epoch.began_s <= epoch.started_s <= epoch.received_s[0] for epoch in loader.epochs)


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_workers_that_are_not_forked_are_timed_too(tmp_path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    loader = seen(tmp_path, Sleepy(), batch_size=6, num_workers=1, multiprocessing_context=context)
    assert [batch.task for batch in loader.made] == [0, 1]
    assert loader.made[1].costliest == 7


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_costliest_sample_is_named_by_its_index_in_the_users_dataset(tmp_path: Path, num_workers: int) -> None:
    part: Subset[int] = Subset(Sleepy(), [3, 7, 5])
    (batch,) = seen(tmp_path, part, batch_size=3, num_workers=num_workers).made
    assert batch.costliest == 7
    assert batch.costliest_s >= 0.05


def test_a_stream_is_counted_by_what_each_worker_made_of_it(tmp_path: Path) -> None:
    loader = seen(tmp_path, Counting(), batch_size=4, num_workers=2)
    assert sum(batch.samples for batch in loader.made) == 20
    assert {batch.costliest for batch in loader.made} == {stages.UNKNOWN}


def test_a_dataset_that_makes_its_batches_gets_the_very_list_of_indices(tmp_path: Path) -> None:
    loader = seen(tmp_path, Whole(), batch_size=4)
    assert {batch.costliest for batch in loader.made} == {stages.UNKNOWN}
    assert sum(batch.samples for batch in loader.made) == 12


def test_a_loader_within_a_dataset_is_not_taken_for_the_workers(tmp_path: Path) -> None:
    loader = seen(tmp_path, WithLoader(), batch_size=4, num_workers=1)
    assert [batch.task for batch in loader.made] == [0, 1, 2]


def test_what_a_worker_knows_of_itself_is_untouched(tmp_path: Path) -> None:
    def collate(samples: list[int]) -> list[Any]:
        info = get_worker_info()
        assert info is not None
        return [type(info.dataset).__name__, multiprocessing.parent_process().name, type(samples).__name__]  # type: ignore[union-attr]

    with watched(WatchRecorder(folder=tmp_path)):
        kinds = list(DataLoader(Sleepy(), batch_size=12, num_workers=1, collate_fn=collate))
    assert kinds == [["Sleepy", "MainProcess", "list"]]
    assert type(multiprocessing.current_process().name) is str


def test_a_file_holds_the_rows_of_a_worker_and_no_others(tmp_path: Path) -> None:
    rows = [(1, task, 0.5, 1.0, 2.0, 0.5, 4, 7, 0.25) for task in range(stages.ROWS_AT_ONCE + 1)]
    file = stages.RowFile(tmp_path / "1.bin")
    for row in rows:
        file.append(row)
    assert stages.rows_of(tmp_path / "1.bin") == rows


def test_a_worker_that_cannot_write_makes_its_batches_all_the_same(tmp_path: Path) -> None:
    loader = seen(tmp_path / "not there", Sleepy(), batch_size=6, num_workers=1)
    assert (len(loader.epochs[0].received_s), loader.made) == (2, ())


def test_a_carrier_is_a_text_that_unpickles_as_one(tmp_path: Path) -> None:
    carried = carrier.Carrier("MainProcess", str(tmp_path), os.getpid())
    assert carried.__reduce__() == (str, ("MainProcess",))  # in a batch, say
    multiprocessing.context.set_spawning_popen(object())  # type: ignore[attr-defined]
    make, arguments = carried.__reduce__()
    multiprocessing.context.set_spawning_popen(None)  # type: ignore[attr-defined]
    assert carried == "MainProcess"
    assert (make, arguments) == (carrier.arrived, ("MainProcess", str(tmp_path), os.getpid()))
    assert type(arguments[0]) is str


@pytest.mark.parametrize(
    ("indices", "last"),
    [([7, 8], 8), (["a", "b"], stages.UNKNOWN), ([None], stages.UNKNOWN), ([1 << 70], stages.UNKNOWN)],
)
def test_the_samples_of_a_batch_are_handed_on_unchanged_and_the_last_one_is_known(
    tmp_path: Path, indices: list[Any], last: int
) -> None:
    state = worker_state.WorkerState(str(tmp_path))
    state.batch(1, 3, 10, 0.5)
    timed = stages.TimedIndices(indices, state)
    assert list(timed) == indices
    stopped = worker_state.stopped_at(tmp_path, os.getpid())
    faulthandler.cancel_dump_traceback_later()
    assert stopped is not None
    assert (stopped.task, stopped.place, stopped.index) == (3, len(indices) - 1, last)
    assert (stopped.sample_of_stream, stopped.since) == (10 + len(indices) - 1, timed.requested[-1])


def test_cheap_samples_of_the_own_process_are_timed_until_that_is_known_and_again_after_a_slow_one() -> None:
    sink, indices = stages.Sink("", os.getpid(), cheap=stages.CHEAP_BATCHES - 1), [1, 2]
    assert stages.is_timed_singly(sink, indices)
    sink.cheap += 1
    assert not stages.is_timed_singly(sink, indices)
