"""Ways of drawing samples."""

from typing import Any

import pytest
from torch.utils.data import BatchSampler, SequentialSampler

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.samples.sampling import FirstDrawn, sampler_of, sampling_arguments
from loaderbench.reports.vocabulary import SETTINGS

TEN = list(range(10))


def listed(samples: list[Any]) -> list[Any]:
    return samples


@pytest.mark.parametrize("name", SETTINGS["sampling"].choices)
def test_two_builds_with_one_seed_draw_the_same(name: str) -> None:
    first, second = (_sampled(name, seed=3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["shuffle", "weighted", "blocks"])
def test_another_seed_draws_another_order(name: str) -> None:
    assert _sampled(name, seed=3) != _sampled(name, seed=4)


def _sampled(name: str, seed: int, batch_size: int = 3, *, drop_last: bool = False) -> list[list[int]]:
    sampling = sampling_arguments(name, TEN, batch_size, seed, drop_last=drop_last)
    arguments = {"batch_size": batch_size, "drop_last": drop_last, **sampling}
    config = LoaderConfig(**arguments, collate_fn=listed, seed=seed)
    return list(config.build(TEN))


def test_sequential_draws_in_order() -> None:
    assert _sampled("sequential", 0) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_shuffle_draws_each_once_in_another_order() -> None:
    batches = _sampled("shuffle", 0)
    assert sum(batches, []) != TEN
    assert sorted(sum(batches, [])) == TEN


@pytest.mark.parametrize("name", SETTINGS["sampling"].choices)
def test_drop_last_leaves_the_incomplete_batch_out(name: str) -> None:
    assert [len(batch) for batch in _sampled(name, 0, drop_last=True)] == [3, 3, 3]


def test_weighted_draws_as_many_as_there_are_with_replacement() -> None:
    batches = _sampled("weighted", 0)
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    assert len(set(sum(batches, []))) < 10


def test_batches_are_handed_out_whole_and_in_order() -> None:
    assert _sampled("batches", 0) == list(BatchSampler(SequentialSampler(TEN), 3, drop_last=False))


def test_blocks_are_contiguous_and_in_another_order() -> None:
    batches = _sampled("blocks", 1)
    assert sorted(batches) == _sampled("sequential", 0)
    assert batches != sorted(batches)


@pytest.mark.parametrize(
    ("drawn", "first"), [(TEN, [0, 1, 2, 3]), ([[5, 1], [2, 3, 4], [9]], [[5, 1], [2, 3, 4]]), (TEN[:2], [0, 1])]
)
def test_the_first_draws_are_as_many_as_it_takes(drawn: list[Any], first: list[Any]) -> None:
    assert list(FirstDrawn(drawn, 4)) == first


def test_a_sampler_that_draws_only_once_is_refused() -> None:
    assert list(sampler_of(range, 3)) == list(sampler_of([0, 1, 2], None))
    for once in (iter(TEN), lambda dataset: (index for index in dataset)):
        with pytest.raises(RefusedError, match="the sampler is a [a-z_]+, which ends after one epoch: give a list, or"):
            sampler_of(once, TEN)
