"""What the values of options are read as, and how they are refused."""

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.cli.shared.option_types import number, share, size, time, whole


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (time, "20ms", 0.02), (time, "5m", 300), (size, "150kB", 150_000),
        (share, "3%", 0.03), (share, "0.5", 0.5), (whole(1), "3", 3),
        (number(0.1), "0.5", 0.5),
    ],
)  # fmt: skip
def test_times_sizes_shares_and_numbers(read: Callable[[str], Any], text: str, value: float) -> None:
    assert read(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "text", "fault"),
    [
        (time, "soon", "expected a time such as"), (time, "0s", "must be more than 0"),
        (size, "8 apples", "expected a size such as"), (share, "3", "takes a share such as 3%"),
        (share, "much", "takes a share"), (whole(1), "0", "takes a whole number >= 1, got '0'"),
        (whole(), "-1", "takes a whole number >= 0"), (number(0.1), "nan", "takes a number >= 0.1"),
    ],
)  # fmt: skip
def test_what_is_none_of_these_is_refused_in_a_line(read: Callable[[str], Any], text: str, fault: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=fault):
        read(text)
