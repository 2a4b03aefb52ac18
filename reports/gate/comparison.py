"""The comparison: every verdict, what it rests on, and what a CI job is to make of it. ``verdict.json`` is this."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from loaderbench.reports.gate.budget import REPORT_S
from loaderbench.reports.gate.forecast import Forecast
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.rounds_per_block import BlockPlan
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.gate.verdicts import VERDICTS, CaseVerdict, VerdictName
from loaderbench.reports.units import count, duration
from loaderbench.reports.vocabulary import ExitCode


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """What ``loaderbench calibrate`` measured of the gate itself, on a machine like this one."""

    measured: str  # the day
    blocks: int  # of identical code
    false_cases: int  # called changed
    of_cases: int  # judged in all
    needed_s: Mapping[str, float]  # the budget in which a change is found, by the change: "0.05"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What was compared, how, and where."""

    kind: Literal["gate", "compare"]
    base: str  # the revisions, for the reader
    head: str
    command: tuple[str, ...] = ()
    seed: int = 0
    fixed_environment: bool = True
    started: str = ""  # ISO 8601
    prepared_s: float = 0.0  # to check out and set up both revisions, which is not in the budget
    version: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    reliability: Reliability | None = None  # where this kind of machine was calibrated
    strict: bool = False
    accept_gone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Everything that a comparison came to; `verdicts` are in the order of `VERDICTS`, the greatest change first."""

    setup: Setup
    plan: Plan
    verdicts: tuple[CaseVerdict, ...]
    moved: tuple[str, ...] = ()  # controls that differ, which no change to the code can make them do
    analyses: tuple[int, ...] = ()  # after how many blocks
    allocation: BlockPlan | None = None  # of pairs of rounds to the blocks
    forecast: Forecast | None = None  # what the budget was enough for
    blocks: tuple[Mapping[str, Any], ...] = ()
    values: tuple[Mapping[str, Any], ...] = ()  # of recorded runs, in place of blocks: case, metric, revision, values
    spent_s: float = 0.0
    is_interrupted: bool = False
    stopped: str = ""  # why no further block could be measured

    @property
    def counts(self) -> dict[VerdictName, int]:
        """Return how many verdicts there are of each kind, the worst first."""
        counts = Counter(verdict.verdict for verdict in self.verdicts)
        return {name: counts[name] for name in VERDICTS if counts[name]}

    @property
    def faults(self) -> list[str]:
        """Return why this could not be judged, or not wholly; a comparison with a fault is never a pass."""
        return list(_faults(self))

    @property
    def exit_code(self) -> ExitCode:
        """Return what the command ends with: bad is a regression, refused what could not be judged."""
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        if "regressed" in self.counts:
            return ExitCode.BAD_ANSWER
        if self.faults:
            return ExitCode.REFUSED
        is_inconclusive = self.setup.strict and "inconclusive" in self.counts
        return ExitCode.INCONCLUSIVE if is_inconclusive else ExitCode.FINE

    @property
    def headline(self) -> str:
        """Return the answer, in a few words."""
        counts = self.counts
        if "regressed" in counts:
            labels = sorted({verdict.label for verdict in self.verdicts if verdict.verdict == "regressed"})
            return f"{counts['regressed']} regressed: {', '.join(labels)}"
        if self.faults:
            partly = not self.moved and {"unchanged", "improved", "inconclusive"} & counts.keys()
            return "not all could be judged" if partly else "could not be judged"
        unsure = counts.get("inconclusive", 0)
        if regressed := sum(verdict.candidate == "regressed" for verdict in self.verdicts):
            return f"no regression confirmed; {regressed} of {unsure} inconclusive look regressed"
        return f"no regression found, {unsure} inconclusive" if unsure else "no regression"


def of_test(
    test: SequentialTest,
    blocks: Sequence[Mapping[str, Any]],
    setup: Setup,
    *,
    new: Iterable[str] = (),
    gone: Iterable[str] = (),
    is_interrupted: bool = False,
) -> Comparison:
    """Return what a sequential test of `blocks` came to, with the cases that only head (`new`) or base (`gone`) has."""
    verdicts = test.verdicts(is_interrupted=is_interrupted)
    verdicts += _unmeasured(blocks, {verdict.case for verdict in verdicts})
    verdicts += lacking(new, gone)
    return Comparison(
        setup=setup,
        plan=test.plan,
        verdicts=worst_first(verdicts),
        moved=test.moved,
        analyses=tuple(test.analyses),
        allocation=test.allocation,
        forecast=test.forecast,
        blocks=tuple(blocks),
        spent_s=test.spent_s,
        is_interrupted=is_interrupted,
        stopped=test.stopped,
    )


def worst_first(verdicts: Iterable[CaseVerdict]) -> tuple[CaseVerdict, ...]:
    """Sort verdicts: the worst kind first, and of a kind the greatest change."""
    rank = list(VERDICTS).index
    return tuple(
        sorted(verdicts, key=lambda v: (rank(v.verdict), -abs(v.estimate.effect) if v.estimate is not None else 0))
    )


def lacking(new: Iterable[str], gone: Iterable[str]) -> list[CaseVerdict]:
    """Return the verdicts on cases that one revision lacks."""
    return [
        *(CaseVerdict(case=case, verdict="new", why="base does not have it") for case in new),
        *(CaseVerdict(case=case, verdict="gone", why="head does not have it") for case in gone),
    ]


def _unmeasured(blocks: Sequence[Mapping[str, Any]], measured: set[str]) -> Iterator[CaseVerdict]:
    """Yield the cases that a revision failed in any block; one that both revisions skip is left out."""
    by_case: dict[str, dict[str, tuple[str, str]]] = {}
    for block in blocks:
        for missed in block["missed"]:
            by_case.setdefault(missed["case"], {})[missed["revision"]] = (missed["status"], missed["reason"])
    for case, revisions in by_case.items():
        if {status for status, _ in revisions.values()} == {"skipped"} and len(revisions) > 1:
            continue
        where = "base and head" if len(revisions) > 1 else next(iter(revisions))
        later = " in some blocks" if case in measured else ""
        _, reason = next(iter(revisions.values()))
        yield CaseVerdict(case=case, verdict="failed", why=f"{where}{later}: {reason}")


def _faults(comparison: Comparison) -> Iterator[str]:
    plan, counts = comparison.plan, comparison.counts
    compares = any(verdict.metric for verdict in comparison.verdicts)
    if comparison.is_interrupted:
        yield "interrupted: undecided cases are inconclusive"
    if comparison.stopped:
        measured = count(len(comparison.blocks), "block")
        yield f"after {measured} no further one could be measured: {comparison.stopped}"
    if not compares:
        yield "no case was compared"
    if comparison.moved:
        yield f"a control moved, which no change to the code can do: {', '.join(comparison.moved)}"
    if failed := counts.get("failed"):
        yield f"{count(failed, 'case')} failed"
    if (gone := counts.get("gone")) and not comparison.setup.accept_gone:
        yield f"head lacks {count(gone, 'case')} of base; --accept-gone accepts that"
    is_cut_short = comparison.is_interrupted or comparison.stopped
    if compares and not comparison.analyses and comparison.setup.kind == "gate" and not is_cut_short:
        block_s = comparison.spent_s / max(1, len(comparison.blocks))
        enough = math.ceil((plan.first_analysis * block_s + REPORT_S) / 60)
        few = f"the budget of {duration(plan.budget_s)} is too short for {plan.first_analysis} blocks"
        yield f"{few} of {duration(block_s)}: give --budget {enough}m, or measure fewer cases"
