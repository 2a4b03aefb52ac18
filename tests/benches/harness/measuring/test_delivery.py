"""A loader that repeats or loses samples is never called fast."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from torch.utils.data import IterableDataset, get_worker_info

from loaderbench.benches.harness.loading.loader import AsIs, LoaderConfig
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.measuring.delivery import Delivered, DeliveryError, audit, prepare_audit, stream_fault
from loaderbench.benches.harness.samples.parts import StreamPart
from loaderbench.benches.harness.samples.sampling import sampling_arguments
from loaderbench.datasets.synthetic.known_cost import Duplicated
from loaderbench.reports.vocabulary import SETTINGS

TEN = list(range(10))


class Split(IterableDataset[float]):
    """Ten samples, dealt out to the workers by `deal`, each changed by `change` when it is read."""

    def __init__(self, deal: Callable[[int, int, int], bool], change: Callable[[int], float] = float) -> None:
        self.deal, self.change = deal, change

    def __iter__(self) -> Iterator[float]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        return (self.change(index) for index in TEN if self.deal(index, number, workers))


def fairly(index: int, worker: int, workers: int) -> bool:
    return index % workers == worker


def wastefully(index: int, worker: int, workers: int) -> bool:
    """As if there were one worker more, where there is any."""
    return index % (workers + (workers > 1)) == worker


def augmented(index: int) -> float:
    return index + random.random()


def read(config: LoaderConfig, dataset: Any, passes: int = 1, *, deterministic: bool = True) -> int:
    """Samples that an audit finds in so many whole passes."""
    audited = audit(config, dataset, deterministic=deterministic)
    return audited.samples([sum(1 for _ in audited.loader) for _ in range(passes)])


def workers(count: int, **arguments: Any) -> LoaderConfig:
    return LoaderConfig(num_workers=count, multiprocessing_context="fork", **{"batch_size": 3, **arguments})


def test_whole_passes_count_every_sample() -> None:
    assert read(LoaderConfig(batch_size=3, shuffle=True), TEN, passes=4) == 40


def test_workers_count_as_one_loader(no_strays: None) -> None:
    assert read(workers(2, shuffle=True, persistent_workers=True), TEN, passes=2) == 20


def test_single_samples_are_counted_too() -> None:
    assert read(LoaderConfig(batch_size=None), TEN) == 10


def test_drop_last_is_not_a_loss() -> None:
    assert read(LoaderConfig(batch_size=3, drop_last=True), TEN, passes=2) == 18


@pytest.mark.parametrize("sampling", SETTINGS["sampling"].choices)
def test_every_way_of_sampling_is_accounted_for(sampling: str) -> None:
    config = LoaderConfig(**{"batch_size": 5, **sampling_arguments(sampling, TEN, 5, seed=0)}, seed=0)
    assert read(config, TEN, passes=2) == 20


def test_a_user_s_sampler_may_leave_samples_out() -> None:
    assert read(LoaderConfig(batch_size=2, sampler=range(4)), TEN) == 4


def test_a_loader_that_loses_batches_is_refused() -> None:
    audited = audit(LoaderConfig(batch_size=3), TEN)  # type: ignore[arg-type]
    for _ in audited.loader:
        pass
    with pytest.raises(
        DeliveryError, match="^the loader delivered 3 batches of the 4 that its sampler drew: a dataset whose"
    ):
        audited.samples([3])


def test_a_pass_cut_short_is_refused() -> None:
    audited = audit(LoaderConfig(batch_size=3), TEN)  # type: ignore[arg-type]
    cut = sum(1 for _ in islice(audited.loader, 2))
    with pytest.raises(DeliveryError, match="drew 6 indices, 6 of them unique, for 10 samples"):
        audited.samples([cut])


def test_passes_that_are_whole_only_on_average_are_refused() -> None:
    audited = audit(LoaderConfig(batch_size=5), TEN)  # type: ignore[arg-type]
    for _ in range(2):
        list(audited.loader)
    with pytest.raises(DeliveryError):
        audited.samples([3, 1])


def test_a_stream_that_splits_itself_among_workers_passes(no_strays: None) -> None:
    assert read(workers(2), Split(fairly), passes=2) == 20


def test_a_stream_that_every_worker_repeats_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(DeliveryError) as refused:
        read(workers(2), Duplicated(10))
    assert str(refused.value) == (
        "2 workers delivered 20 samples, 10 of them unique, where one process alone delivers 10, 10 unique: "
        "split the stream among workers by torch.utils.data.get_worker_info() in its __iter__"
    )


def test_a_stream_that_loses_samples_is_refused() -> None:
    with pytest.raises(DeliveryError, match="^2 workers delivered 7 samples, 7 of them unique, where one process"):
        read(workers(2), Split(wastefully))


def test_a_stream_is_judged_by_number_alone_where_samples_are_random() -> None:
    assert read(workers(2), Split(fairly, augmented), deterministic=False) == 10


def test_a_random_stream_that_is_repeated_is_refused_by_its_number() -> None:
    with pytest.raises(DeliveryError, match="2 workers delivered 20 samples"):
        read(workers(2), Split(lambda *_: True, augmented), deterministic=False)


def test_a_stream_that_delivers_less_when_timed_is_refused() -> None:
    audited = audit(LoaderConfig(batch_size=3), Duplicated(10))
    with pytest.raises(DeliveryError, match="^the stream delivered 3 batches, 4 when surveyed: its __iter__ must"):
        audited.samples([4, 3])


def test_incomplete_batches_that_each_worker_drops_are_not_a_loss() -> None:
    assert read(workers(2, drop_last=True), Split(fairly)) == 6


def delivered(*samples: range) -> Delivered:
    """What workers delivered together: a range of numbers each."""
    return Delivered(1, Counter(bytes([sample]) for worker in samples for sample in worker))


PARTS = {
    "strided": (delivered(range(0, 100, 2), range(1, 100, 2)), delivered(range(100)), True),
    "in halves of the stream": (delivered(range(50), range(120, 170)), delivered(range(100)), True),
    "the share of one ends early": (delivered(range(50), range(120, 130)), delivered(range(100)), True),
    "repeated by each": (delivered(range(50), range(50)), delivered(range(100)), False),
    "repeated, and ended": (delivered(range(60), range(60)), delivered(range(100)), False),
}


@pytest.mark.parametrize(("together", "alone", "is_right"), PARTS.values(), ids=PARTS)
def test_of_a_part_workers_may_read_other_samples_but_not_the_same(
    together: Delivered, alone: Delivered, is_right: bool
) -> None:
    fault = stream_fault(together, alone, workers(2), deterministic=True, is_part=True)
    assert (fault is None) is is_right


def test_a_part_of_a_stream_is_counted(no_strays: None) -> None:
    assert read(workers(2), StreamPart(Split(fairly), 6), passes=2) == 12


def test_a_stream_is_surveyed_in_a_process_of_its_own() -> None:
    seen: list[int] = []

    class Watched(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            seen.append(1)
            return iter(TEN)

    audited = audit(LoaderConfig(batch_size=3), Watched())
    assert seen == []
    assert audited.samples([4]) == 10


class Unreadable(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        raise AssertionError("it was read")


def test_a_stream_is_surveyed_before_its_audit_but_not_where_its_loader_is_read_as_it_is() -> None:
    with pytest.raises(AssertionError, match="it was read"):
        prepare_audit(LoaderConfig(), Unreadable(), deterministic=True)
    as_is = AsIs(named=NamedObject(option="--from-loader", target="my:loader"), kind="Mine", arguments={})
    prepare_audit(LoaderConfig(loader_class=as_is), Unreadable(), deterministic=True)
