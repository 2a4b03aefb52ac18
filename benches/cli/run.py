"""``loaderbench run``: an answer about a dataset within a budget; or the benches, by pytest."""

import argparse
import sys
from pathlib import Path
from typing import Any

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.reports.vocabulary import ExitCode

HELP = "measure how fast a dataset and its DataLoader are: the answer in a minute, or benches with pytest's options"
EXAMPLE = "run --dataset my.data:Train"
PYTEST_OPTIONS = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the benches declare their options, and pytest shows their help."""


class _OptionsOfPytest:
    """The two methods of `pytest.Parser` by which options are declared, for a parser of argparse."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.addoption = parser.add_argument

    def getgroup(self, *_: str) -> "_OptionsOfPytest":
        """Return itself: it has one group."""
        return self


def _print_help() -> None:
    """Print the options of our benches; pytest's own help has hundreds more."""
    from loaderbench.benches.harness.cases import pytest_options
    from loaderbench.benches.run.budgeted import BudgetedRun

    parser = argparse.ArgumentParser(
        prog="loaderbench run",
        usage="%(prog)s [options of the benches, of pytest and of pytest-benchmark] [FILE ...]",
        description=f"{HELP[:1].upper()}{HELP[1:]}",
        epilog=f"example:\n  $ loaderbench {EXAMPLE}\n\nThe options of pytest and pytest-benchmark: pytest --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    declared: Any = _OptionsOfPytest(parser)
    BudgetedRun(began=0.0).pytest_addoption(declared)
    pytest_options.declare(declared)
    parser.print_help()


def run(options: argparse.Namespace) -> int:
    """Run our benches, or those that are named, by pytest with our plugin; return its exit code, or ours.

    With a budget the report is written and its path printed as well.
    """
    if {"-h", "--help"} & set(options.pytest_options):
        _print_help()
        return ExitCode.FINE
    import pytest

    from loaderbench.benches.run.budgeted import OUR_BENCHES, BudgetedRun

    if "" not in sys.path:  # as `python -m pytest` would: the user's own dataset is imported from here
        sys.path.insert(0, "")
    # `addopts` of the project are for its tests: --benchmark-skip, -n, -x … would leave nothing to report.
    # hypothesis's plugin has nothing to do here, and imports for seconds at the end.
    plugin = ("-o", "addopts=", "-p", "no:hypothesispytest", "-p", "loaderbench.benches.harness.plugin")
    benches = ("--import-mode=importlib", "--pyargs", OUR_BENCHES)
    budgeted = BudgetedRun(began=options.began)
    code = int(pytest.main([*plugin, *benches, *options.pytest_options], plugins=[budgeted]))
    if budgeted.budget_s and budgeted.record_path is not None:
        _report(budgeted.record_path)
    if budgeted.fault:
        raise RefusedError(budgeted.fault)
    if budgeted.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.REFUSED if code == pytest.ExitCode.USAGE_ERROR else code


def _report(record: Path) -> None:
    from loaderbench.benches.cli import report

    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    report.run(parser.parse_args([str(record.parent.absolute())]))
