"""``loaderbench run``: the benches, by pytest."""

import argparse
import sys

HELP = "measure how fast a dataset and its DataLoader are; every option is pytest's or the benches' own"
EXAMPLE = "run --quick --dataset my.data:Train"
PYTEST_OPTIONS = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the benches declare their options, and pytest shows their help."""


def run(options: argparse.Namespace) -> int:
    """Run ``pytest --pyargs loaderbench.benches`` with our plugin and return pytest's exit code."""
    import pytest

    if "" not in sys.path:  # as `python -m pytest` would: the user's own dataset is imported from here
        sys.path.insert(0, "")
    plugin = ("-p", "loaderbench.benches.harness.plugin")
    benches = ("--import-mode=importlib", "--pyargs", "loaderbench.benches")
    return int(pytest.main([*plugin, *benches, *options.pytest_options]))
