"""The share of a rank: samples, streams of Hugging Face's library, and the epoch that each pass is told."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from types import ModuleType
from typing import Any

import pytest
from torch.utils.data import DataLoader, DistributedSampler

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.loader import LoaderConfig, WrappedIterable
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.ranks.rank_place import RankPlace
from loaderbench.benches.harness.ranks.sharding import EpochByEpoch, share_of
from loaderbench.benches.harness.samples.parts import StreamPart


def place(rank: int, world_size: int = 3) -> RankPlace:
    return RankPlace(rank=rank, world_size=world_size, local_rank=rank, local_world_size=world_size, host="host")


def drawn(subject: Subject, rank: int, *, pad: bool, sampling: str = "sequential") -> list[int]:
    config = LoaderConfig(batch_size=4, shuffle=sampling == "shuffle")
    _, own = share_of(subject, config, place(rank), sampling=sampling, pad=pad)
    return list(own.build(subject.dataset).sampler)


def test_ranks_are_padded_to_the_same_number_of_samples(subject: Subject) -> None:
    shares = [drawn(subject, rank, pad=True) for rank in range(3)]
    assert [len(share) for share in shares] == [11, 11, 11]
    assert sorted(chain(*shares)) == [0, *range(32)]


def test_or_the_last_samples_are_left_out(subject: Subject) -> None:
    shares = [drawn(subject, rank, pad=False) for rank in range(3)]
    assert sorted(chain(*shares)) == list(range(30))


def test_shuffled_ranks_draw_from_one_permutation(subject: Subject) -> None:
    shares = [drawn(subject, rank, pad=False, sampling="shuffle") for rank in range(3)]
    assert len(set(chain(*shares))) == 30


def test_a_way_of_sampling_that_ranks_cannot_share_is_refused(subject: Subject) -> None:
    with pytest.raises(RefusedError, match="--sampling blocks: ranks share samples by DistributedSampler"):
        share_of(subject, LoaderConfig(batch_size=4), place(0), sampling="blocks", pad=True)


def test_a_sampler_of_the_user_s_own_is_taken_as_given(subject: Subject) -> None:
    config = LoaderConfig(batch_size=4, sampler=[1, 2, 3])
    assert share_of(subject, config, place(0), sampling=None, pad=True) == (subject, config)


def test_each_pass_is_an_epoch_of_its_own(subject: Subject) -> None:
    sampler: DistributedSampler[Any] = DistributedSampler(subject.dataset, num_replicas=2, rank=0, seed=1)
    loader = EpochByEpoch(DataLoader(subject.dataset, batch_sampler=None, sampler=sampler, batch_size=4))
    epochs = []
    for _ in range(3):
        list(loader)
        epochs.append(sampler.epoch)
    assert epochs == [0, 1, 2]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type:
    """Hugging Face's library, as far as ranks need it."""

    class Rows:
        _distributed = None

        def __init__(self, rows: list[int]) -> None:
            self.rows = rows

        def __iter__(self) -> Iterator[int]:
            return iter(self.rows)

    Rows.__module__ = "datasets.iterable_dataset"
    distributed: Any = ModuleType("datasets.distributed")
    distributed.split_dataset_by_node = lambda rows, rank, world_size: Rows(rows.rows[rank::world_size])
    monkeypatch.setitem(sys.modules, "datasets", ModuleType("datasets"))
    monkeypatch.setitem(sys.modules, "datasets.distributed", distributed)
    return Rows


@pytest.mark.parametrize("is_part", [False, True])
def test_a_stream_of_hugging_face_s_is_split_by_their_own_function(
    subject: Subject, library: type, is_part: bool
) -> None:
    whole: Any = WrappedIterable(library(list(range(12))))
    stream = replace(subject, dataset=StreamPart(whole, 6) if is_part else whole)
    own, _ = share_of(stream, LoaderConfig(batch_size=4), place(1), sampling="sequential", pad=True)
    assert list(own.dataset) == ([1, 4] if is_part else [1, 4, 7, 10])  # type: ignore[call-overload]
