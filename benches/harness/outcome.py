"""How a case ended, in a few words: what it measured, or why it failed or was skipped."""

import re
from collections.abc import Mapping
from statistics import median
from typing import Any

import pytest

_IN_WORKER = re.compile(r"^Caught (?P<type>\S+) in (?P<where>.*?process (?P<worker>\d+))\.\n", re.MULTILINE)
_LONGEST = 500


def result(extra_info: Mapping[str, Any]) -> str:
    """Return throughput over all rounds, or the median of what else was measured."""
    rounds = extra_info.get("rounds", {})
    if "samples" in rounds:
        return f"{sum(rounds['samples']) / sum(rounds['seconds']):,.0f} samples/s"
    if "truth" in rounds:
        ratio = median(reading / truth for reading, truth in zip(rounds["reading"], rounds["truth"], strict=True))
        return f"{ratio - 1:+.2%} of the known value"
    if "pss_bytes" in rounds:
        added = median(pss - base for pss, base in zip(rounds["pss_bytes"], rounds["base_pss_bytes"], strict=True))
        return f"{added / 2**20:z,.0f} MiB added"
    return f"{median(rounds['seconds']):.3f} s" if "seconds" in rounds else ""


def reason(error: BaseException) -> str:
    """Return the exception's type and message in one line; of one raised in a DataLoader worker, the original's."""
    text = str(error).strip()
    if caught := _IN_WORKER.match(text):
        return _short(f"{text.splitlines()[-1].strip()} (in worker {caught['worker']})")
    return _short(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def skip_reason(report: pytest.TestReport) -> str:
    """Return what ``pytest.skip`` or a skip mark said, in one line."""
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return _short(text.removeprefix("Skipped: "))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
