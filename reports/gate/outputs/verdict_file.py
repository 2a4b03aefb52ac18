"""``verdict.json``: a comparison as a file, with every sample of every block in the order in which it was measured.

Its keys are the fields of `Setup`, `RESULTS`, and::

    "schema": 1, "plan": {…}, "allocation": {"pairs": {case: 12, …}, "block_s", "after", "between", "within"},
    "forecast": {"margin", "needed_s", "budget_s", "settled"},
    "verdicts": [{"case", "metric", "verdict", "why", "tolerance", "candidate", and the numbers of its estimate}, …],
    "blocks":   [{"block", "seconds", "environment", "telemetry", "faults", "missed", "samples", …}, …]

A sample has its case, revision, round, place in the order, when it began, and its metrics. What is not finite is null.
"""

import json
from dataclasses import asdict
from typing import Any

from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.verdicts import CaseVerdict

FILE_NAME = "verdict.json"

# 1  loaderbench 0.1.0: revisions, plan, seed, machine, verdicts, blocks with every sample in order.
SCHEMA = 1

# What is written of a `Comparison` as it is; `values` are those of recorded runs, in place of blocks.
RESULTS = ("analyses", "spent_s", "headline", "exit_code", "is_interrupted", "faults", "moved", "blocks", "values")


def encode(comparison: Comparison) -> bytes:
    """Return ``verdict.json``, in ASCII whatever a text holds."""
    document = {
        "schema": SCHEMA,
        **asdict(comparison.setup),
        "plan": asdict(comparison.plan),
        "allocation": asdict(comparison.allocation) if comparison.allocation else None,
        "forecast": asdict(comparison.forecast) if comparison.forecast else None,
        "verdicts": [_numbers(verdict) for verdict in comparison.verdicts],
        **{name: getattr(comparison, name) for name in RESULTS},
    }
    return json.dumps(json.loads(json.dumps(document), parse_constant=lambda _name: None)).encode() + b"\n"


def _numbers(verdict: CaseVerdict) -> dict[str, Any]:
    described = {
        name: getattr(verdict, name) for name in ("case", "metric", "verdict", "why", "tolerance", "candidate")
    }
    return {**(verdict.estimate.numbers() if verdict.estimate else {}), **described}
