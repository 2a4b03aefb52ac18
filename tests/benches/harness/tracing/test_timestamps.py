"""Timestamps: which events of a batch a traced loader records, and in which order they happened."""

import pickle
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from torch.utils.data import Dataset, IterableDataset, Subset, default_collate, get_worker_info

from loaderbench.benches.harness.loading.loader import LoaderConfig, WithoutGetitems
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.tracing.timestamps import (
    EVENTS,
    BatchTrace,
    PassTrace,
    Timestamps,
    trace_pass,
    traced_loader,
)
from loaderbench.datasets.synthetic.known_cost import Busy

SAMPLES = 8
SENT = ("pickling", "pickled", "unpickling", "unpickled")


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(SAMPLES))


class Doubling(Dataset[int]):
    def __init__(self) -> None:
        self.transform: Callable[[int], int] = lambda number: 2 * number

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> int:
        return self.transform(range(SAMPLES)[index])


class WholeBatches(Busy):
    def __getitems__(self, indices: list[int]) -> list[int]:
        return [100 + index for index in indices]


def traced(dataset: Any, *, sends_batches: bool = True, **arguments: Any) -> list[Any]:
    """The batches that a loader of four samples a batch delivers, with their timestamps."""
    config = LoaderConfig(batch_size=4, timeout=60 if arguments.get("num_workers") else 0, **arguments)
    return list(traced_loader(dataset, config, default_collate, sends_batches=sends_batches))


def shift(_worker_id: int) -> None:
    """A ``worker_init_fn`` as torch's documentation has it: it changes the dataset of its worker."""
    worker: Any = get_worker_info()
    worker.dataset.start = 100


class Shifted(IterableDataset[int]):
    start = 0

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.start + 4))


def test_a_worker_init_fn_meets_the_user_s_dataset() -> None:
    batches = traced(Shifted(), num_workers=1, multiprocessing_context="fork", worker_init_fn=shift)
    assert numbers(batches) == [[100, 101, 102, 103]]


def numbers(batches: list[Any]) -> list[list[int]]:
    return [traced_batch.batch.tolist() for traced_batch in batches]


@pytest.fixture(scope="module")
def sent() -> list[Any]:
    """Batches from a forked worker."""
    return traced(Busy(SAMPLES, 0.0), num_workers=1, multiprocessing_context="fork")


def test_batches_are_those_of_the_plain_loader(sent: list[Any]) -> None:
    assert numbers(sent) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [batch.timestamps.samples for batch in sent] == [4, 4]


def test_events_are_in_order(sent: list[Any]) -> None:
    for batch in sent:
        assert all(before <= after for before, after in pairwise(batch.timestamps.in_order()))


def test_a_worker_sends_its_batches_and_no_thread_pins_them(sent: list[Any]) -> None:
    for batch in sent:
        assert all(getattr(batch.timestamps, event) for event in SENT)
        assert not batch.timestamps.pinned


def test_dataset_and_collate_fn_still_share_a_recorder_once_they_are_sent_to_a_worker() -> None:
    loader = traced_loader(Busy(SAMPLES, 0.0), LoaderConfig(batch_size=4), default_collate)
    dataset, collate_fn = pickle.loads(pickle.dumps((loader.dataset, loader.collate_fn)))
    received = pickle.loads(pickle.dumps(collate_fn(dataset.__getitems__([0, 1]))))
    assert received.batch.tolist() == [0, 1]
    assert all(getattr(received.timestamps, event) for event in ("fetching", "fetched", "collated", *SENT))


def test_without_workers_nothing_is_sent() -> None:
    for batch in traced(Busy(SAMPLES, 0.0)):
        assert not any(getattr(batch.timestamps, event) for event in SENT)
        assert batch.timestamps.in_order()[-1] == batch.timestamps.collated


def test_a_batch_that_stays_in_its_worker_leaves_only_its_timestamps() -> None:
    kept = traced(Busy(SAMPLES, 0.0), num_workers=1, multiprocessing_context="fork", sends_batches=False)
    assert [(traced_batch.batch, traced_batch.timestamps.samples) for traced_batch in kept] == [(None, 4), (None, 4)]


def test_a_stream_is_timed_sample_by_sample() -> None:
    batches = traced(Stream())
    assert numbers(batches) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [batch.timestamps.samples for batch in batches] == [4, 4]
    assert all(batch.timestamps.fetching <= batch.timestamps.fetched for batch in batches)


def test_a_dataset_that_makes_whole_batches_still_does() -> None:
    assert numbers(traced(WholeBatches(SAMPLES, 0.0))) == [[100, 101, 102, 103], [104, 105, 106, 107]]


@pytest.mark.parametrize(
    "narrow",
    [lambda whole: whole, lambda whole: Subset(whole, range(SAMPLES)), WithoutGetitems],
    ids=["whole", "subset", "one of ours around it"],
)
def test_a_transform_is_timed_on_a_copy(narrow: Callable[[Any], Any]) -> None:
    dataset = Doubling()
    transform = dataset.transform
    batches = traced(narrow(dataset))
    assert numbers(batches) == [[0, 2, 4, 6], [8, 10, 12, 14]]
    assert all(batch.timestamps.transform_s > 0 for batch in batches)
    assert dataset.transform is transform


class Unguarded(Dataset[int]):
    """A wrapper that cannot be copied, as its ``__getattr__`` asks for itself where there is no ``inner`` yet."""

    def __init__(self) -> None:
        self.inner = Doubling()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> int:
        return self.inner[index]


def test_a_transform_of_an_inner_dataset_is_not_claimed() -> None:
    batches = traced(Unguarded())
    assert numbers(batches) == [[0, 2, 4, 6], [8, 10, 12, 14]]
    assert all(batch.timestamps.transform_s == 0 for batch in batches)


def test_the_loop_steps_and_drains_once() -> None:
    calls: list[Any] = []
    loader = traced_loader(Busy(SAMPLES, 0.0), LoaderConfig(batch_size=4), default_collate)
    trace = trace_pass(loader, step=lambda batch: calls.append(batch.tolist()), drain=lambda: calls.append("drained"))
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], "drained"]
    assert trace.samples == SAMPLES
    for batch in trace.batches:
        assert batch.requested <= batch.timestamps.fetching <= batch.received <= batch.finished


def test_what_did_not_happen_has_the_time_of_the_event_before() -> None:
    times = Timestamps(fetching=1.0, fetched=2.0, collated=4.0, pinning=5.0, pinned=6.0).in_order()
    assert dict(zip(EVENTS, times, strict=True)) == {
        "fetching": 1.0, "fetched": 2.0, "collated": 4.0, "pickling": 4.0, "pickled": 4.0, "unpickling": 4.0,
        "unpickled": 4.0, "pinning": 5.0, "pinned": 6.0,
    }  # fmt: skip


def test_samples_of_a_pass_are_those_of_its_batches() -> None:
    batches = [
        BatchTrace(requested=0.0, received=1.0, finished=1.0, timestamps=Timestamps(samples=count)) for count in (4, 3)
    ]
    assert PassTrace(batches=batches).samples == 7


@pytest.mark.skipif(len(available()) == 1, reason="batches are pinned only where there is an accelerator")
def test_pinning_is_recorded() -> None:
    for batch in traced(Busy(SAMPLES, 0.0), num_workers=1, pin_memory=True):
        assert batch.timestamps.unpickled <= batch.timestamps.pinning <= batch.timestamps.pinned
