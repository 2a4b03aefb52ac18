"""Parts: contiguous blocks of a dataset, in order; the beginning of a stream."""

import pickle
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from loaderbench.benches.harness.loading.loader import LoaderConfig, as_dataset
from loaderbench.benches.harness.samples.parts import (
    MOST_BLOCKS,
    SHORTEST_BLOCK,
    Blocks,
    Part,
    StreamPart,
    part_of,
    samples_of,
    share,
)

MANY = 3_500_000_000


class Huge(Dataset[int]):
    def __len__(self) -> int:
        return MANY

    def __getitem__(self, index: int) -> int:
        return range(MANY)[index]


class Endless(IterableDataset[int]):
    start = 0

    def __iter__(self) -> Iterator[int]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        return iter(count(self.start + number, workers))


class Stated(Endless):
    def __len__(self) -> int:
        return 320


@given(data=st.data(), length=st.integers(1, 5000))
def test_blocks_ascend_within_the_dataset_without_repeating(data: st.DataObject, length: int) -> None:
    samples = data.draw(st.integers(1, length))
    indices = list(Blocks(samples, length))
    assert len(indices) == samples
    assert all(before < after for before, after in pairwise(indices))
    assert 0 <= indices[0] <= indices[-1] < length


@pytest.mark.parametrize("samples", [1, 100, 1024, 1 << 20])
def test_blocks_are_few_long_and_spread(samples: int) -> None:
    blocks = Blocks(samples, MANY)
    assert len(blocks.starts) <= MOST_BLOCKS
    assert blocks.block_samples >= min(samples, SHORTEST_BLOCK)
    assert blocks.starts[-1] >= MANY * (blocks.blocks - 1) // blocks.blocks


def test_neither_a_part_nor_its_pickle_grows_with_the_dataset() -> None:
    part = Part(Huge(), 1 << 20)
    assert len(part) == 1 << 20
    assert part[0] == 0
    assert len(pickle.dumps(part)) < 500


def test_a_part_asks_for_whole_batches_where_the_dataset_offers_them() -> None:
    class Batches(Huge):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [-index for index in indices]

    config = LoaderConfig(batch_size=3, collate_fn=list)
    assert next(iter(config.build(Part(Batches(), 128)))) == [0, -1, -2]
    assert next(iter(config.build(Part(Huge(), 128)))) == [0, 1, 2]


def test_a_sampler_alone_shuffles_a_part() -> None:
    part = Part(Huge(), 128)
    in_order = [index for batch in LoaderConfig(batch_size=32, collate_fn=list).build(part) for index in batch]
    shuffled = [
        index for batch in LoaderConfig(batch_size=32, shuffle=True, collate_fn=list).build(part) for index in batch
    ]
    assert in_order == sorted(shuffled) == list(part.indices)
    assert in_order != shuffled


def test_a_part_of_more_than_there_is_is_the_whole() -> None:
    dataset: Any = [1, 2, 3]
    assert part_of(dataset, 3) is dataset
    assert part_of(dataset, None) is dataset


def test_a_part_of_a_part_is_cut_from_the_whole() -> None:
    shorter = part_of(part_of(Huge(), 1024), 128)
    assert isinstance(shorter.dataset, Huge)
    assert part_of(StreamPart(Endless(), 100), 200).samples == 100


def test_a_stream_ends_after_its_part_in_every_pass() -> None:
    part = StreamPart(Endless(), 5)
    assert list(part) == list(part) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("samples", [10, 3, 1])
def test_workers_share_a_part_of_a_stream(samples: int, no_strays: None) -> None:
    config = LoaderConfig(batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert sorted(config.build(StreamPart(Endless(), samples))) == list(range(samples))


def test_shares_differ_by_one_sample_at_most() -> None:
    assert [share(10, number, 4) for number in range(4)] == [3, 3, 2, 2]


@pytest.mark.parametrize(
    ("dataset", "samples"),
    [
        (Huge(), MANY), (Part(Huge(), 128), 128), (StreamPart(Endless(), 7), 7), (Endless(), None), (Stated(), 320),
        (as_dataset(range(3)), 3),
    ],
)  # fmt: skip
def test_the_samples_of_a_pass_are_known_where_someone_says_them(dataset: Any, samples: int | None) -> None:
    assert samples_of(dataset) == samples


def test_a_part_says_what_it_is() -> None:
    assert str(Part(Huge(), 1024)) == "1024 of 3500000000 samples: 16 blocks of 64"
    assert str(StreamPart(Endless(), 9)) == "the first 9 samples of the stream"


def begin_at_100(_worker_id: int) -> None:
    """A ``worker_init_fn`` as torch's documentation has it: it changes the dataset of its worker."""
    worker: Any = get_worker_info()
    worker.dataset.start = 100


def test_a_worker_init_fn_meets_the_user_s_dataset_not_the_part(no_strays: None) -> None:
    config = LoaderConfig(batch_size=None, num_workers=1, multiprocessing_context="fork", worker_init_fn=begin_at_100)
    assert list(config.build(StreamPart(Endless(), 2))) == [100, 101]
