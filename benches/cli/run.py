"""``loaderbench run``: an answer about a dataset within a budget; or the benches, by pytest."""

import argparse
import sys
from pathlib import Path

from loaderbench.benches.cli.output import INTERRUPTED, REFUSED

HELP = "measure how fast a dataset and its DataLoader are: the answer in a minute, or benches with pytest's options"
EXAMPLE = "run --dataset my.data:Train"
PYTEST_OPTIONS = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: the benches declare their options, and pytest shows their help."""


def run(options: argparse.Namespace) -> int:
    """Run our benches, or those that are named, by pytest with our plugin; return its exit code, or ours.

    With a budget the report is written and said as well.
    """
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
    if budgeted.interrupted:
        return INTERRUPTED
    return REFUSED if code == pytest.ExitCode.USAGE_ERROR else code


def _report(record: Path) -> None:
    from loaderbench.benches.cli import report

    report.run(argparse.Namespace(runs=[record.parent], out=None, history=None, explain=[]))
