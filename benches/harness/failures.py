"""Why a case failed or was skipped: one line, in the worker's own words where a worker spoke."""

import re

import pytest

_IN_WORKER = re.compile(r"^Caught (?P<type>\S+) in (?P<where>.*?process (?P<worker>\d+))\.\n", re.MULTILINE)
_LONGEST = 500


def reason(error: BaseException) -> str:
    """The exception's type and message; for one raised in a DataLoader worker, the original's."""
    text = str(error).strip()
    if caught := _IN_WORKER.match(text):
        return _short(f"{text.splitlines()[-1].strip()} (in worker {caught['worker']})")
    return _short(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def skip_reason(report: pytest.TestReport) -> str:
    """What ``pytest.skip`` or a skip mark said."""
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return _short(text.removeprefix("Skipped: "))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
