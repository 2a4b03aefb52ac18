"""How many samples a pass reads: what is read to estimate it, and where a stream ends."""

import sys
from collections.abc import Callable, Iterator

import pytest
from torch.utils.data import IterableDataset

from loaderbench.benches.harness.samples import pass_length
from loaderbench.benches.harness.samples.pass_length import PROBES, UnreadableSampleError, affordable_samples

FOREVER_S = 1e9  # no test ends by it


class Items:
    """`length` samples; a made-up clock goes on by a second with each that is read."""

    def __init__(self, length: int, clock: list[float], fault: Callable[[], object] | None = None) -> None:
        self.length, self.clock, self.fault = length, clock, fault
        self.read: list[int] = []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        if self.fault and index:
            self.fault()
        self.read.append(index)
        self.clock[0] += 1.0
        return index


class Stream(IterableDataset[int]):
    def __init__(self, samples: int, clock: list[float]) -> None:
        self.samples, self.clock = samples, clock

    def __iter__(self) -> Iterator[int]:
        for index in range(self.samples):
            self.clock[0] += 1.0
            yield index


class Stated(Stream):
    def __len__(self) -> int:
        return 320


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(pass_length, "perf_counter", lambda: now[0])
    return now


def test_a_few_samples_spread_over_the_dataset_tell_how_many_are_read_in_time(clock: list[float]) -> None:
    dataset = Items(3_500_000_000, clock)
    assert affordable_samples(dataset, 5000.0, least=1) == 4096
    assert len(dataset.read) == PROBES + 1


def test_it_is_never_less_than_the_least(clock: list[float]) -> None:
    assert affordable_samples(Items(10_000, clock), 100.0, least=1000) == 1000


def test_no_more_samples_are_tried_than_the_time_allows(clock: list[float]) -> None:
    dataset = Items(10_000, clock)
    affordable_samples(dataset, 2.0, least=1)
    assert len(dataset.read) == 3


def test_a_stream_that_ends_in_time_is_read_whole(clock: list[float]) -> None:
    assert affordable_samples(Stream(100, clock), FOREVER_S, least=1) == 0


def test_a_stream_that_does_not_end_in_time_is_read_in_part(clock: list[float]) -> None:
    assert affordable_samples(Stream(10**9, clock), 100.0, least=1) == 64


def test_a_stream_that_goes_on_beyond_its_length_is_read_up_to_it(clock: list[float]) -> None:
    assert affordable_samples(Stated(10**9, clock), FOREVER_S, least=1) == 320
    assert affordable_samples(Stated(10**9, clock), 100.0, least=1000) == 320
    assert affordable_samples(Stated(320, clock), FOREVER_S, least=1) == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [(lambda: 1 // 0, "sample 9375 raised ZeroDivisionError: "), (sys.exit, "sample 9375 raised SystemExit")],
)
def test_a_sample_that_cannot_be_read_is_named(clock: list[float], fault: Callable[[], object], message: str) -> None:
    with pytest.raises(UnreadableSampleError, match=message):
        affordable_samples(Items(10_000, clock, fault), 100.0, least=1)


@pytest.mark.parametrize(("longest_s", "samples"), [(1000.0, 1000), (450.0, 400), (50.0, 200)])
def test_a_pass_of_slow_samples_is_shortened_to_whole_rounds_of_its_workers(
    clock: list[float], longest_s: float, samples: int
) -> None:
    """A sample takes a second, and each worker's batch is part of 200 samples."""
    assert affordable_samples(Items(10_000, clock), 100.0, 1000, fewest=200, longest_s=longest_s) == samples
