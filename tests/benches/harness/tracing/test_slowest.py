"""The slowest sample: its index in the user's dataset, and its share of the time."""

from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any

from torch.utils.data import IterableDataset

from loaderbench.benches.harness.parts import part_of
from loaderbench.benches.harness.tracing.slowest import slowest, slowest_sample


def clock(waits_s: list[float]) -> Any:
    """A clock by which each sample takes so long, and nothing passes in between."""
    ends = list(accumulate(waits_s))
    return iter([*chain.from_iterable(zip([0.0, *ends], ends, strict=False)), ends[-1], ends[-1]]).__next__


def test_the_longest_wait_counts_as_a_share_of_all() -> None:
    assert slowest(range(4), clock([1.0, 2.0, 5.0, 2.0])) == (2, 0.5)


def test_of_alike_samples_the_first_is_the_slowest() -> None:
    assert slowest(range(4), clock([1.0, 1.0, 1.0, 1.0])) == (0, 0.25)


def test_of_no_sample_none_has_a_share() -> None:
    assert slowest([]) == (0, 0.0)


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


def test_the_index_is_that_in_the_whole_dataset() -> None:
    dataset = Counted()
    found = slowest_sample(part_of(dataset, 128))
    assert len(dataset.indices) == 128
    assert found["slowest_sample"] in dataset.indices
    assert 0 < found["slowest_share"] <= 1


def test_of_a_stream_it_is_the_place() -> None:
    assert slowest_sample(Letters())["slowest_sample"] in (0, 1, 2)
