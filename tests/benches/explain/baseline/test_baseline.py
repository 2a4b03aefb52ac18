"""What an epoch is, of a dataset whose pass was read for a while."""

from dataclasses import replace
from typing import Any

import pytest

from loaderbench.benches.explain.baseline.baseline import epoch_samples


@pytest.mark.parametrize(
    ("read", "is_cut", "length", "is_stream", "epoch"),
    [
        (32, False, 32, False, (32, True)),
        (32, True, 1000, False, (1000, True)),
        (32, False, None, True, (32, True)),
        (32, True, None, True, (32, False)),
        (32, True, 1000, True, (1000, True)),
        (32, True, 20, True, (20, True)),
        (32, False, 20, True, (20, True)),
        (32, False, 40, True, (32, True)),
    ],
    ids=[
        "a dataset", "a part of one", "a stream", "one without end", "the beginning of one with a length",
        "one that goes on beyond its length", "one that ends beyond it", "one that ends before it",
    ],
)  # fmt: skip
def test_an_epoch_is_what_a_dataset_says_it_is_or_what_a_stream_delivers(
    baseline: Any, read: int, is_cut: bool, length: int | None, is_stream: bool, epoch: tuple[int, bool]
) -> None:
    passes = replace(baseline().passes, samples=read, is_cut=is_cut)
    assert epoch_samples(passes, length, is_stream=is_stream) == epoch
