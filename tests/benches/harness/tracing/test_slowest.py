"""The slowest samples: their indices in the user's dataset, and their shares of the time."""

from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any

from torch.utils.data import IterableDataset

from loaderbench.benches.harness.samples.parts import part_of
from loaderbench.benches.harness.tracing.slowest import slow_samples, timed
from loaderbench.reports.records.slow_samples import MOST_SAMPLES


def clock(waits_s: list[float]) -> Any:
    """A clock by which each sample takes so long, and nothing passes in between."""
    ends = list(accumulate(waits_s))
    return iter([*chain.from_iterable(zip([0.0, *ends], ends, strict=False)), ends[-1], ends[-1]]).__next__


def test_the_longest_waits_count_as_shares_of_all() -> None:
    waits_s = [1.0, 2.0, 5.0, 2.5, 0.5, 4.0, 5.0]
    slowest = timed(enumerate(waits_s), clock(waits_s))
    assert [(sample.index, sample.seconds) for sample in slowest] == [(2, 5), (6, 5), (5, 4), (3, 2.5), (1, 2)]
    assert [sample.share for sample in slowest][:2] == [0.25, 0.25]
    assert len(slowest) == MOST_SAMPLES


def test_of_no_sample_none_is_named() -> None:
    assert timed([]) == ()


class Counted:
    def __init__(self) -> None:
        self.indices: list[int] = []

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> int:
        self.indices.append(index)
        return index


class Letters(IterableDataset[str]):
    def __iter__(self) -> Iterator[str]:
        return iter("abc")


def test_indices_are_those_in_the_whole_dataset() -> None:
    dataset = Counted()
    slowest = slow_samples(part_of(dataset, 128))
    assert len(dataset.indices) == 128
    assert {sample.index for sample in slowest} <= {*dataset.indices}


def test_of_a_stream_they_are_places() -> None:
    assert {sample.index for sample in slow_samples(Letters())} == {0, 1, 2}
