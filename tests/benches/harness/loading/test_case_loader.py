"""The loader of a case: every argument of DataLoader from the command line, as a setting of the case."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.case_loader import case_loader, cut, loader_object
from loaderbench.benches.harness.loading.loader import WrappedIterable
from loaderbench.benches.harness.loading.subject import Subject, subject_of

THEIRS = """
import torch
from torch.utils.data import IterableDataset, get_worker_info

class Span(IterableDataset):
    def __init__(self, begin=0, end=60):
        self.begin, self.end = begin, end

    def __iter__(self):
        return iter(range(self.begin, self.end))

def split(worker_id):
    worker = get_worker_info()
    size = -(-(worker.dataset.end - worker.dataset.begin) // worker.num_workers)
    worker.dataset.begin += worker_id * size
    worker.dataset.end = min(worker.dataset.end, worker.dataset.begin + size)

def backwards(dataset):
    return range(len(dataset))[::-1]

in_threes = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]

class Init:
    def __call__(self, worker_id):
        pass

class Quick:
    '''Sixty-four numbers.'''
    def __len__(self):
        return 64
    def __getitem__(self, index):
        return range(64)[index]
"""
TEN = list(range(10))
ALONE = {"num_workers": 0, "batch_size": 4}
Measured = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _theirs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(theirs_of_loader=THEIRS)
    pytester.syspathinsert()
    loader_object.cache_clear()


@pytest.fixture
def ten() -> Subject:
    return subject_of(TEN)


def listed(loaded: tuple[Subject, Any]) -> list[list[int]]:
    subject, config = loaded
    return [batch.tolist() for batch in config.build(subject.dataset)]


def of_case(subject: Subject, **settings: Any) -> tuple[Subject, Any]:
    return case_loader(subject, {**ALONE, **settings}, seed=0, timeout_s=9)


def test_a_sampler_is_called_with_the_dataset(ten: Subject) -> None:
    assert listed(of_case(ten, sampler="theirs_of_loader:backwards")) == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]


def test_a_batch_sampler_may_be_an_object_and_decides_the_batches(ten: Subject) -> None:
    assert listed(of_case(ten, batch_sampler="theirs_of_loader:in_threes")) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_a_sampler_draws_of_the_whole_dataset_as_many_as_the_part_has(ten: Subject) -> None:
    assert listed(of_case(ten.part(6), sampler="theirs_of_loader:backwards")) == [[9, 8, 7, 6], [5, 4]]
    assert listed(of_case(ten.part(5), batch_sampler="theirs_of_loader:in_threes")) == [[0, 1, 2], [3, 4, 5]]


def test_a_pass_is_cut_to_fewer_samples_whoever_draws_them(ten: Subject) -> None:
    for settings in ({}, {"sampler": "theirs_of_loader:backwards"}, {"sampling": "batches"}):
        assert [len(batch) for batch in listed(cut(*of_case(ten, **settings), 8))] == [4, 4]


def test_without_a_batch_size_samples_come_as_they_are(ten: Subject) -> None:
    subject, config = of_case(ten, batch_size=None, sampling="sequential")
    assert list(config.build(subject.dataset)) == TEN


def test_drop_last_leaves_the_last_batch_out(ten: Subject) -> None:
    assert [len(batch) for batch in listed(of_case(ten, drop_last=True))] == [4, 4]


def test_arguments_that_need_workers_are_left_out_without_any(ten: Subject) -> None:
    _, config = of_case(ten, worker_init_fn="theirs_of_loader:split", prefetch_factor=4, start_method="fork")
    assert (config.worker_init_fn, config.prefetch_factor, config.timeout) == (None, None, 0)


def test_a_worker_init_fn_runs_beside_the_placement_of_a_comparison(ten: Subject) -> None:
    started: list[Any] = []
    settings = {"num_workers": 1, "batch_size": 4, "worker_init_fn": "theirs_of_loader:Init"}
    _, config = case_loader(ten, settings, seed=0, timeout_s=9, placement=started.append)  # type: ignore[arg-type]
    config.worker_init_fn(3)
    assert started == [3]


def test_a_way_of_sampling_that_cannot_be_had_is_refused(ten: Subject) -> None:
    with pytest.raises(RefusedError, match=r"^--sampling blocks needs a --batch-size$"):
        of_case(ten, sampling="blocks", batch_size=None)
    stream = replace(ten, dataset=WrappedIterable(TEN))
    with pytest.raises(RefusedError, match=r"^--sampling shuffle: list is a stream, which is read in its own order$"):
        of_case(stream, sampling="shuffle")
    for option in ("sampler", "batch_sampler"):
        refused = f"^--{option.replace('_', '-')}: list is a stream, which is read in its own order$"
        with pytest.raises(RefusedError, match=refused):
            of_case(stream, **{option: "theirs_of_loader:backwards"})
    assert not of_case(stream)[1].shuffle


def test_what_is_none_of_these_is_refused_by_its_option() -> None:
    with pytest.raises(RefusedError, match=r"^--sampler theirs_of_loader:nothing: .* Name it as module:attribute$"):
        loader_object("sampler", "theirs_of_loader:nothing")


def test_a_stream_split_by_its_worker_init_fn_is_whole(measured: Measured) -> None:
    split = ("--num-workers", "0,2", "--worker-init-fn", "theirs_of_loader:split")
    cases = measured("theirs_of_loader:Span", *split)["benchmarks"]
    assert {samples % 60 for case in cases for samples in case["extra_info"]["rounds"]["samples"]} == {0}
    assert {case["extra_info"]["settings"]["worker_init_fn"] for case in cases} == {None, "theirs_of_loader:split"}


def test_the_settings_of_a_case_say_who_draws_its_samples(measured: Measured) -> None:
    drawn = ("--batch-sampler", "theirs_of_loader:in_threes", "--batch-size", "8,16", "--drop-last", "on")
    (case,) = measured("theirs_of_loader:Quick", *drawn)["benchmarks"]
    settings = case["extra_info"]["settings"]
    assert [settings[name] for name in ("batch_sampler", "batch_size", "sampling", "drop_last")] == [
        "theirs_of_loader:in_threes", None, None, False
    ]  # fmt: skip
    assert {samples % 10 for samples in case["extra_info"]["rounds"]["samples"]} == {0}


def test_batches_may_be_off(measured: Measured) -> None:
    (case,) = measured("theirs_of_loader:Quick", "--batch-size", "none")["benchmarks"]
    rounds = case["extra_info"]["rounds"]
    assert rounds["batches"] == rounds["samples"]
