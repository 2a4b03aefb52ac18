"""Where a command's answer goes, and what else is printed."""

import os
import sys

import pytest

from loaderbench.benches.cli.shared.output import STDOUT, prints_to_stderr
from loaderbench.benches.harness.system.child import in_child


def test_what_user_code_prints_goes_to_stderr_and_the_answer_alone_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    with prints_to_stderr():
        sys.stdout.write("here\n")
        in_child(lambda: sys.stdout.write("in a forked process\n"))
        os.write(STDOUT, b"not by Python\n")
    sys.stdout.write("the answer\n")
    printed = capfd.readouterr()
    assert printed.out == "the answer\n"
    assert sorted(printed.err.splitlines()) == ["here", "in a forked process", "not by Python"]
