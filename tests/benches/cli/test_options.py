"""Options that several commands share: what they read, and how they refuse."""

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.cli import options
from loaderbench.reports.vocabulary import SETTINGS, WORKLOAD_OPTIONS, swept


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(exit_on_error=False)


def test_every_setting_and_option_of_a_subject_can_be_declared(parser: argparse.ArgumentParser) -> None:
    options.add(parser, *swept(), *WORKLOAD_OPTIONS)
    assert vars(parser.parse_args([])) == {
        **{name: SETTINGS[name].default for name in swept()},
        **{name: entry.default for name, entry in WORKLOAD_OPTIONS.items()},
    }
    assert all(SETTINGS[name].help.split()[0] in parser.format_help() for name in swept())


def test_a_setting_is_read_as_the_vocabulary_says(parser: argparse.ArgumentParser) -> None:
    options.add(parser, "num_workers", "persistent_workers", "dataset", defaults={"num_workers": 2})
    read = parser.parse_args(["--persistent-workers", "on", "--dataset", "my.data:Train"])
    assert (read.num_workers, read.persistent_workers, read.dataset) == (2, True, "my.data:Train")


def test_a_value_that_cannot_be_is_refused_with_what_is_taken(parser: argparse.ArgumentParser) -> None:
    options.add(parser, "num_workers")
    with pytest.raises(argparse.ArgumentError, match="argument --num-workers: takes whole numbers >= 0, got 'two'"):
        parser.parse_args(["--num-workers", "two"])


def test_lists_hold_each_value_once(parser: argparse.ArgumentParser) -> None:
    options.add_lists(parser, num_workers=(0, 2), batch_size=(32,))
    read = parser.parse_args(["--batch-size", "8, 16,8"])
    assert (read.num_workers, read.batch_size) == ((0, 2), (8, 16))
    with pytest.raises(argparse.ArgumentError, match="--batch-size: takes whole numbers >= 1 or none, got '0'"):
        parser.parse_args(["--batch-size", "8,0"])


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (options.time, "20ms", 0.02), (options.time, "5m", 300), (options.size, "150kB", 150_000),
        (options.share, "3%", 0.03), (options.share, "0.5", 0.5), (options.whole(1), "3", 3),
        (options.number(0.1), "0.5", 0.5),
    ],
)  # fmt: skip
def test_times_sizes_shares_and_numbers(read: Callable[[str], Any], text: str, value: float) -> None:
    assert read(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "text", "fault"),
    [
        (options.time, "soon", "expected a time such as"), (options.time, "0s", "must be more than 0"),
        (options.size, "8 apples", "expected a size such as"), (options.share, "3", "takes a share such as 3%"),
        (options.share, "much", "takes a share"), (options.whole(1), "0", "takes a whole number >= 1, got '0'"),
        (options.whole(), "-1", "takes a whole number >= 0"), (options.number(0.1), "nan", "takes a number >= 0.1"),
    ],
)  # fmt: skip
def test_what_is_none_of_these_is_refused_in_a_line(read: Callable[[str], Any], text: str, fault: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=fault):
        read(text)
