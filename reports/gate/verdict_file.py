"""``verdict.json``: a comparison as a file, with every sample of every block in the order in which it was measured."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from loaderbench.reports.gate.comparison import Comparison, Reliability, verdict_numbers
from loaderbench.reports.gate.sequential import Plan
from loaderbench.reports.gate.verdicts import VerdictName
from loaderbench.reports.records.reading import convert, read

NAME = "verdict.json"

# 1  loaderbench 0.1.0: revisions, plan, seed, machine, verdicts, blocks with every sample in order.
SCHEMA = 1

RevisionName = Literal["base", "head"]
Count = Annotated[int, msgspec.Meta(ge=0)]
Number = float | None  # null where it is not finite: JSON has no infinity


class MissedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A case that a revision could not measure."""

    case: str
    revision: RevisionName
    status: Literal["failed", "skipped"]
    reason: str


class BlockRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh pair of processes: its environment, what else happened on the machine, and every sample."""

    block: Count
    seconds: float
    environment: dict[str, str]
    telemetry: dict[str, dict[str, float]]  # of each revision
    faults: dict[str, str]  # how a revision's process broke
    missed: list[MissedRecord]
    samples: list[dict[str, str | float | None]]  # case, revision, round, place in the order, began_s, and its metrics
    machine: dict[str, Any]
    loaded: RevisionName | Literal[""] = ""  # the revision with a background load, where one was asked for


class VerdictRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with the numbers of its estimate; those are absent where nothing was measured."""

    case: str
    metric: str
    verdict: VerdictName
    why: str
    tolerance: float
    scale: str = ""
    blocks: Count = 0
    base: Number = None
    head: Number = None
    effect: Number = None
    low: Number = None
    high: Number = None
    error: Number = None
    freedom: Number = None
    p_regressed: Number = None
    p_improved: Number = None
    exact_up: Number = None
    exact_down: Number = None
    detectable: Number = None


class ValuesRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What recorded runs have of one metric of a case, in the order of the runs."""

    case: str
    metric: str
    revision: RevisionName
    values: list[float]


class VerdictFile(msgspec.Struct, frozen=True, kw_only=True):
    """All of ``verdict.json``."""

    schema: int
    kind: Literal["gate", "compare"]
    base: str
    head: str
    command: list[str]
    seed: Count
    controlled: bool
    started: str
    prepared_s: float
    version: str
    machine: dict[str, Any]
    reliability: Reliability | None
    strict: bool
    accept_gone: bool
    plan: Plan
    looks: list[Count]
    spent_s: float
    headline: str
    exit_code: int
    is_interrupted: bool
    faults: list[str]
    moved: list[str]
    verdicts: list[VerdictRecord]
    blocks: list[BlockRecord]
    values: list[ValuesRecord]


def contents(comparison: Comparison) -> VerdictFile:
    """Return what stands in ``verdict.json``."""
    fields = {
        "schema": SCHEMA,
        **asdict(comparison.setup),
        "plan": asdict(comparison.plan),
        **{
            name: getattr(comparison, name)
            for name in (
                "looks", "spent_s", "headline", "exit_code", "is_interrupted", "faults", "moved", "blocks", "values",
            )
        },
        "verdicts": [verdict_numbers(verdict) for verdict in comparison.verdicts],
    }  # fmt: skip
    return convert(fields, VerdictFile)


def encode(comparison: Comparison) -> bytes:
    """Return ``verdict.json``, in ASCII whatever a text holds; what is not finite is null."""
    plain = json.dumps(msgspec.to_builtins(contents(comparison)))
    return json.dumps(json.loads(plain, parse_constant=lambda _name: None)).encode() + b"\n"


def read_verdict(file: Path) -> VerdictFile:
    """Read a ``verdict.json``; raises MalformedError, in one line, where it is not what was written."""
    return read(file, VerdictFile, schema=SCHEMA, what="verdict")
