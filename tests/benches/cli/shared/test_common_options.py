"""Options that several commands share: what they read, and how they refuse."""

import argparse

import pytest

from loaderbench.benches.cli.shared import common_options
from loaderbench.reports.vocabulary import SETTINGS, WORKLOAD_OPTIONS, swept


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(exit_on_error=False)


def test_every_setting_and_option_of_a_subject_can_be_declared(parser: argparse.ArgumentParser) -> None:
    common_options.add(parser, *swept(), *WORKLOAD_OPTIONS)
    assert vars(parser.parse_args([])) == {
        **{name: SETTINGS[name].default for name in swept()},
        **{name: entry.default for name, entry in WORKLOAD_OPTIONS.items()},
    }
    assert all(SETTINGS[name].help.split()[0] in parser.format_help() for name in swept())


def test_a_setting_is_read_as_the_vocabulary_says(parser: argparse.ArgumentParser) -> None:
    common_options.add(parser, "num_workers", "persistent_workers", "dataset", defaults={"num_workers": 2})
    read = parser.parse_args(["--persistent-workers", "on", "--dataset", "my.data:Train"])
    assert (read.num_workers, read.persistent_workers, read.dataset) == (2, True, "my.data:Train")


def test_a_value_that_cannot_be_is_refused_with_what_is_taken(parser: argparse.ArgumentParser) -> None:
    common_options.add(parser, "num_workers")
    with pytest.raises(argparse.ArgumentError, match="argument --num-workers: takes whole numbers >= 0, got 'two'"):
        parser.parse_args(["--num-workers", "two"])


def test_lists_hold_each_value_once(parser: argparse.ArgumentParser) -> None:
    common_options.add_lists(parser, num_workers=(0, 2), batch_size=(32,))
    read = parser.parse_args(["--batch-size", "8, 16,8"])
    assert (read.num_workers, read.batch_size) == ((0, 2), (8, 16))
    with pytest.raises(argparse.ArgumentError, match="--batch-size: takes whole numbers >= 1 or none, got '0'"):
        parser.parse_args(["--batch-size", "8,0"])
