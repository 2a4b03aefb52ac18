"""How a case ended: its entry in the record, and a few words; why it failed: see ``failures/``."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import pytest

from loaderbench.benches.harness.failures.failure_line import reason, shortened


def ending(
    item: pytest.Item, described: Mapping[str, Any], report: pytest.TestReport, call: pytest.CallInfo[None]
) -> tuple[str, dict[str, Any], str]:
    """Return how a case ended (one of `ENDINGS`), its entry in the record, and what to say of it."""
    named = {"name": item.name, **described}
    if report.passed:
        stats = item.funcargs["benchmark"].stats  # type: ignore[attr-defined]
        entry = stats.as_dict(include_data=True) if stats else {}
        return "benchmark", entry, result(entry["extra_info"]) if entry else "ran once"
    if report.skipped or call.excinfo is None:
        why = skip_reason(report)
        return "skipped", {**named, "reason": why}, f"skipped: {why}"
    why = reason(call.excinfo.value)
    return "failed", {**named, "reason": why, "phase": str(report.when)}, f"FAILED: {why}"


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
