"""The calibration: how often the gate errs on this machine, and how long it takes to see a change of known size.

Blocks of identical code and of injected regressions are recorded once, and gates are replayed on them many times; whole
gates, measured from start to end, are counted beside that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pandas as pd

from loaderbench.reports.gate.budget import RENEWED_AFTER
from loaderbench.reports.gate.calibration.replayed_gates import (
    GateRun,
    Outcome,
    Pool,
    Rate,
    RecordedBlock,
    Rng,
    counted,
    coverage,
    needed_s,
    outcome,
    spreads,
)
from loaderbench.reports.gate.comparison import Reliability
from loaderbench.reports.gate.estimate import FEWEST
from loaderbench.reports.gate.paired_effects import effects
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.rounds_per_block import spans
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.records.json_files import content_of, convert, in_file, parse, read
from loaderbench.reports.records.schema import SAME_MACHINE

# What stands in a calibration's folder.
ABOUT, SIZES, BLOCKS, GATES = "about.json", "sizes.json", "blocks.jsonl", "gates.jsonl"
FILE_NAME = "calibration.json"

# 1  loaderbench 0.1.0: machine, command, reliability, sizes, replayed, whole, faults, coverage, spreads.
SCHEMA = 1

IDENTICAL = "identical"
WITHOUT_LOAD = (IDENTICAL, "identical, other benches")  # with no background load
CHANGES = (0.05, 0.10)
IDENTICAL_PLANS = (Plan(budget_s=120.0, margin=0.05), Plan(budget_s=300.0), Plan(budget_s=900.0, margin=0.01))
CHANGE_PLANS = (Plan(budget_s=60.0), Plan(budget_s=150.0), Plan(budget_s=300.0), Plan(budget_s=900.0, margin=0.01))
COVERED_BLOCKS = (6, 18)
INTERVALS = 32  # to be drawn for their coverage, for each gate that is replayed

T = TypeVar("T")
Sizes = dict[str, dict[str, tuple[float, float, float]]]  # by regression and function: median and quartiles


class CalibrationAbout(msgspec.Struct, frozen=True, kw_only=True):
    """``about.json``: when, how and on what machine a calibration was begun."""

    version: str
    started: str
    command: list[str]
    seed: int
    machine: dict[str, Any]


class BlockLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of ``blocks.jsonl``: a block of one comparison, and the verdict that it should lead to."""

    regression: str
    expected: str
    metric: str
    seconds: float  # but those to start fork servers
    spans: dict[str, float]  # seconds that each case took
    effects: list[dict[str, str | float]]
    loaded: str = ""  # the revision with a background load
    renewed_s: float = 0.0  # to start fork servers, where that was due
    budget_s: float = 120.0  # of a gate whose blocks have as many rounds


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate reads of ``calibration.json``."""

    schema: int
    machine: dict[str, Any]
    reliability: Reliability


def block_record(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a measured block: its effects, and how long each of its cases took."""
    return {
        "seconds": document["seconds"],
        "loaded": document.get("loaded", ""),
        "spans": spans(document),
        "effects": effects([document]).drop(columns="block").to_dict("records"),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class GateCalibration:
    """A machine's calibration: what was recorded, and what it comes to."""

    about: CalibrationAbout
    sizes: Sizes  # of injected regressions by themselves, with no loader around them
    pools: tuple[Pool, ...]
    replayed: tuple[Outcome, ...]
    whole: tuple[Outcome, ...]
    faults: tuple[GateRun, ...]
    needed_s: Mapping[float, float]  # by change: the budget in which it is found
    coverage: Mapping[int, Mapping[str, Rate]]  # by blocks, and metric

    @property
    def reliability(self) -> Reliability:
        """Return what a gate on a machine like this one states of itself."""
        identical = [entry for entry in self.replayed if entry.name in WITHOUT_LOAD]
        return Reliability(
            measured=self.about.started[:10],
            blocks=sum(len(pool.blocks) for pool in self.pools if pool.name in WITHOUT_LOAD),
            false_cases=sum(entry.hits.count for entry in identical),
            of_cases=sum(entry.hits.of for entry in identical),
            needed_s={f"{change:g}": taken for change, taken in self.needed_s.items() if np.isfinite(taken)},
        )

    def encode(self) -> bytes:
        """Return ``calibration.json``."""
        document = {
            "schema": SCHEMA,
            **msgspec.structs.asdict(self.about),
            "reliability": self.reliability,
            "sizes": self.sizes,
            "replayed": self.replayed,
            "whole": self.whole,
            "faults": self.faults,
            "needed_s": {f"{change:g}": taken for change, taken in self.needed_s.items()},
            "coverage": self.coverage,
            "spreads": {pool.name: spreads(pool).to_dict("records") for pool in self.pools},
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def reliability_on(machine: Mapping[str, Any], file: Path) -> Reliability | None:
    """Return what the calibration in `file` says of a `machine`; None where it was made on an unlike one.

    Raises MalformedError, in one line, where it is no calibration.
    """
    calibrated = read(file, CalibrationFile, schema=SCHEMA, what="calibration")
    there, here = (machine_facts(facts) for facts in (calibrated.machine, machine))
    return calibrated.reliability if all(there.get(name) == here.get(name) for name in SAME_MACHINE) else None


def read_folder(folder: Path, draws: int) -> GateCalibration:
    """Work out what was recorded in a calibration's folder; raises MalformedError where it cannot be read."""
    sizes = folder / SIZES
    return calibration(
        convert(parse(content_of(folder / ABOUT)), CalibrationAbout),
        _lines(folder / BLOCKS, BlockLine),
        _lines(folder / GATES, GateRun),
        sizes=convert(parse(content_of(sizes)), Sizes) if sizes.exists() else {},
        draws=draws,
    )


def _lines(file: Path, kind: type[T]) -> list[T]:
    """Read a file of a JSON object a line; one that was never begun is empty."""
    lines = content_of(file).splitlines() if file.exists() else []
    converted = []
    for number, line in enumerate(lines, start=1):
        with in_file(f"{file.name}, line {number}"):
            converted.append(convert(parse(line), kind))
    return converted


def calibration(
    about: CalibrationAbout, blocks: Sequence[BlockLine], gates: Sequence[GateRun], *, sizes: Sizes, draws: int
) -> GateCalibration:
    """Work out what was recorded: `draws` gates are replayed of every comparison, by the plans that suit it.

    They have at least the budget that its blocks were measured for; a later one is used only where more was recorded
    than the one before it can use.
    """
    rng = np.random.default_rng(about.seed)
    pools = tuple(_pools(blocks))
    changes = {pool.name: pool.changes for pool in pools}
    whole: dict[tuple[str, float], list[GateRun]] = {}
    for gate in gates:
        whole.setdefault((gate.name, gate.budget_s), []).append(gate)
    identical = next((pool for pool in pools if pool.name == IDENTICAL), None)
    unloaded = [pool for name in reversed(WITHOUT_LOAD) for pool in pools if pool.name == name]
    return GateCalibration(
        about=about,
        sizes=sizes,
        pools=pools,
        replayed=tuple(_replayed(pools, draws, rng)),
        whole=tuple(counted(same, changes[name]) for (name, _), same in whole.items() if name in changes),
        faults=tuple(gate for (name, _), same in whole.items() for gate in same if name not in changes),
        needed_s={change: needed_s(identical, Plan(), change, draws, rng) for change in CHANGES} if identical else {},
        coverage={count: _covered(unloaded, count, rng, draws) for count in COVERED_BLOCKS} if unloaded else {},
    )


def plans_of(expected: str, budget_s: float) -> list[Plan]:
    """Return the plans of gates on code that is to be called `expected`, or nothing, in this budget or a longer one."""
    return [plan for plan in (CHANGE_PLANS if expected else IDENTICAL_PLANS) if plan.budget_s >= budget_s]


def _pools(lines: Sequence[BlockLine]) -> Iterator[Pool]:
    """Yield the blocks of each comparison."""
    for name in dict.fromkeys(line.regression for line in lines):
        of_name = [line for line in lines if line.regression == name]
        blocks = tuple(
            RecordedBlock(
                seconds=line.seconds,
                renewed_s=line.renewed_s,
                spans=line.spans,
                effects=pd.DataFrame(line.effects),
            )
            for line in of_name
            if line.effects  # a process may have died before it had measured anything
        )
        if not blocks:
            continue
        first = of_name[0]
        yield Pool(name=name, expected=first.expected, metric=first.metric, budget_s=first.budget_s, blocks=blocks)


def _replayed(pools: Sequence[Pool], draws: int, rng: Rng) -> Iterator[Outcome]:
    for pool in pools:
        if len(pool.blocks) < FEWEST:
            continue
        recorded_s = sum(block.seconds for block in pool.blocks) + len(pool.blocks) / RENEWED_AFTER * pool.renewed_s
        plans = plans_of(pool.expected, pool.budget_s)
        for before_s, plan in zip((0.0, *(plan.budget_s for plan in plans)), plans, strict=False):
            if recorded_s > before_s:
                yield outcome(pool, plan, draws, rng)


def _covered(unloaded: Sequence[Pool], count: int, rng: Rng, draws: int) -> dict[str, Rate]:
    """Return the coverage by metric; of a metric that several pools have, the last one's."""
    return {metric: rate for pool in unloaded for metric, rate in coverage(pool, count, rng, INTERVALS * draws).items()}
