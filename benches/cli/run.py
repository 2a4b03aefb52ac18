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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the benches declare their options, and pytest shows their help."""


def run(options: argparse.Namespace) -> int:
    """Run ``pytest --pyargs loaderbench.benches`` with our plugin; return pytest's exit code, or ours if it has one."""
    import pytest

    if "" not in sys.path:  # as `python -m pytest` would: the user's own dataset is imported from here
        sys.path.insert(0, "")
    plugin = ("-p", "loaderbench.benches.harness.plugin")
    benches = ("--import-mode=importlib", "--pyargs", "loaderbench.benches")
    interrupts = _Interrupts()
    code = int(pytest.main([*plugin, *benches, *options.pytest_options], plugins=[interrupts]))
    if interrupts.happened:
        return INTERRUPTED
    return REFUSED if code == pytest.ExitCode.USAGE_ERROR else code


class _Interrupts:
    """A plugin that notes Ctrl-C: pytest's own exit code for it is also that of an error during collection."""

    def __init__(self) -> None:
        self.happened = False

    def pytest_keyboard_interrupt(self, excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
        self.happened = excinfo.type is KeyboardInterrupt
