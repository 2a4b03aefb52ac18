"""``loaderbench run``: the benches, by pytest."""

import argparse
import sys
from typing import TYPE_CHECKING

from loaderbench.benches.cli.output import INTERRUPTED, REFUSED

if TYPE_CHECKING:
    import pytest

HELP = "measure how fast a dataset and its DataLoader are; every option is pytest's or the benches' own"
EXAMPLE = "run --quick --dataset my.data:Train"
PYTEST_OPTIONS = "all"
OUR_BENCHES = "loaderbench.benches"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the benches declare their options, and pytest shows their help."""


def run(options: argparse.Namespace) -> int:
    """Run our benches, or those that are named, by pytest with our plugin; return its exit code, or ours."""
    import pytest

    if "" not in sys.path:  # as `python -m pytest` would: the user's own dataset is imported from here
        sys.path.insert(0, "")
    # `addopts` of the project are for its tests: --benchmark-skip, -n, -x … would leave nothing to report.
    plugin = ("-o", "addopts=", "-p", "loaderbench.benches.harness.plugin")
    benches = ("--import-mode=importlib", "--pyargs", OUR_BENCHES)
    session = _Session()
    code = int(pytest.main([*plugin, *benches, *options.pytest_options], plugins=[session]))
    if session.interrupted:
        return INTERRUPTED
    return REFUSED if code == pytest.ExitCode.USAGE_ERROR else code


class _Session:
    """A plugin that leaves our benches out where others are named, and that notes Ctrl-C.

    pytest's own exit code for Ctrl-C is also that of an error during collection.
    """

    def __init__(self) -> None:
        self.interrupted = False

    def pytest_configure(self, config: "pytest.Config") -> None:
        if len(config.args) > 1:
            config.args.remove(OUR_BENCHES)

    def pytest_keyboard_interrupt(self, excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
        self.interrupted = excinfo.type is KeyboardInterrupt
