"""How a case ended, in a few words: what it measured, or why it was skipped; why it failed: see ``failures/``."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import pytest

from loaderbench.benches.harness.failures.failure_line import shortened


def result(extra_info: Mapping[str, Any]) -> str:
    """Return throughput over all rounds, or the median of what else was measured."""
    rounds = extra_info.get("rounds", {})
    if "samples" in rounds:
        return f"{sum(rounds['samples']) / sum(rounds['seconds']):,.0f} samples/s"
    if "truth" in rounds:
        ratio = median(measured / truth for measured, truth in zip(rounds["measured"], rounds["truth"], strict=True))
        return f"{ratio - 1:+.2%} of the known value"
    if "pss_bytes" in rounds:
        added = median(pss - base for pss, base in zip(rounds["pss_bytes"], rounds["base_pss_bytes"], strict=True))
        return f"{added / 2**20:z,.0f} MiB added"
    return f"{median(rounds['seconds']):.3f} s" if "seconds" in rounds else ""


def skip_reason(report: pytest.TestReport) -> str:
    """Return what ``pytest.skip`` or a skip mark said, in one line."""
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return shortened(text.removeprefix("Skipped: "))
