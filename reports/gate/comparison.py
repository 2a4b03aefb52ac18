"""The judgement: every verdict of a comparison, what it rests on, and what a CI job is to make of it.

``verdict.json`` is this, with every raw sample, so that it can be judged again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loaderbench.reports.gate.estimate import Estimate, Word
from loaderbench.reports.gate.sequential import Plan, Trial, Verdict
from loaderbench.reports.vocabulary import METRICS

# Schema of verdict.json.
# 1 (0.2.0): sides, plan, seed, machine, blocks with every sample in order (of recorded runs: values), verdicts.
SCHEMA = 1

WORDS: tuple[Word, ...] = (
    "regressed", "failed", "gone", "unproven", "inconclusive", "improved", "new", "unchanged",
)  # fmt: skip

PASSED, REGRESSED, BROKEN, INCONCLUSIVE = 0, 1, 2, 3  # exit codes


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One verdict: a metric of a case or, where nothing could be measured, a case alone."""

    case: str
    word: Word
    metric: str = ""
    why: str = ""
    estimate: Estimate | None = None
    tolerance: float = 0.0  # the effect that is practically too small to care about

    @property
    def label(self) -> str:
        """What a reader calls the metric."""
        return METRICS[self.metric].label if self.metric else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What ``loaderbench calibrate`` measured of the gate itself, on a machine like this one."""

    measured: str  # the day
    blocks: int  # of identical code
    false_cases: int  # called changed,
    of_cases: int  # of so many
    needed_s: Mapping[str, float]  # the budget in which a change is found, by the change: "0.05"


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What was compared, how, and where."""

    kind: str  # gate or compare
    base: str  # the sides, for the reader
    head: str
    command: tuple[str, ...] = ()
    seed: int = 0
    controlled: bool = True
    started: str = ""  # ISO 8601
    version: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    noise: Noise | None = None  # where this kind of machine was calibrated
    strict: bool = False
    accept_gone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """Everything that a comparison came to; `rows` are in the order of `WORDS`, the greatest change first."""

    about: About
    plan: Plan
    rows: tuple[Row, ...]
    moved: tuple[str, ...] = ()  # controls that no change to the code can move
    looks: tuple[int, ...] = ()  # after how many blocks
    blocks: tuple[Mapping[str, Any], ...] = ()
    values: tuple[Mapping[str, Any], ...] = ()  # of recorded runs, in the place of blocks: case, metric, side, values
    spent_s: float = 0.0

    @property
    def counts(self) -> dict[Word, int]:
        """How many rows have each verdict, in the order of `WORDS`."""
        found = Counter(row.word for row in self.rows)
        return {word: found[word] for word in WORDS if found[word]}

    @property
    def faults(self) -> list[str]:
        """Why this could not be judged, or not wholly; a judgement with one is never a pass."""
        return list(_faults(self))

    @property
    def exit_code(self) -> int:
        """0 no regression, 1 regression, 2 could not judge, 3 inconclusive where that is an error."""
        if "regressed" in self.counts:
            return REGRESSED
        if self.faults:
            return BROKEN
        return INCONCLUSIVE if self.about.strict and "inconclusive" in self.counts else PASSED

    @property
    def headline(self) -> str:
        """The answer, in a few words."""
        counts = self.counts
        if "regressed" in counts:
            named = sorted({row.label for row in self.rows if row.word == "regressed"})
            return f"{counts['regressed']} regressed: {', '.join(named)}"
        if self.faults:
            partly = not self.moved and {"unchanged", "improved", "inconclusive"} & counts.keys()
            return f"not all could be judged: {self.faults[0]}" if partly else "could not be judged"
        unsure = counts.get("inconclusive", 0)
        return f"no regression found, {unsure} inconclusive" if unsure else "no regression"

    def document(self) -> dict[str, Any]:
        """``verdict.json``."""
        return {
            "schema": SCHEMA,
            **asdict(self.about),
            "plan": asdict(self.plan),
            "looks": list(self.looks),
            "spent_s": self.spent_s,
            "headline": self.headline,
            "exit_code": self.exit_code,
            "faults": self.faults,
            "moved": list(self.moved),
            "verdicts": [_plain(row) for row in self.rows],
            "blocks": list(self.blocks),
            "values": list(self.values),
        }


def judgement(trial: Trial, about: About, *, new: Sequence[str] = (), gone: Sequence[str] = ()) -> Judgement:
    """What a finished trial comes to."""
    rows = [_row(verdict, trial.plan) for verdict in trial.verdicts()]
    rows += _unmeasured(trial.blocks, {row.case for row in rows})
    rows += [Row(case=name, word="new", why="base does not have it") for name in new]
    rows += [Row(case=name, word="gone", why="head does not have it") for name in gone]
    return Judgement(
        about=about,
        plan=trial.plan,
        rows=ordered(rows),
        moved=tuple(trial.moved),
        looks=tuple(trial.looks),
        blocks=tuple(trial.blocks),
        spent_s=trial.spent_s,
    )


def ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """By verdict, then the greatest change first."""
    return tuple(
        sorted(rows, key=lambda row: (WORDS.index(row.word), -abs(row.estimate.effect) if row.estimate else 0))
    )


def _row(verdict: Verdict, plan: Plan) -> Row:
    estimate = verdict.estimate
    return Row(
        case=estimate.case,
        metric=estimate.metric,
        word=verdict.word,
        why=verdict.why,
        estimate=estimate,
        tolerance=estimate.tolerance(plan.margin),
    )


def _unmeasured(blocks: Sequence[Mapping[str, Any]], measured: set[str]) -> Iterator[Row]:
    """Cases that a side failed in any block; a case that both sides skip is none."""
    reasons: dict[str, dict[str, tuple[str, str]]] = {}
    for block in blocks:
        for missed in block["missed"]:
            reasons.setdefault(missed["case"], {})[missed["side"]] = (missed["status"], missed["reason"])
    for case, sides in reasons.items():
        if {status for status, _ in sides.values()} == {"skipped"} and len(sides) > 1:
            continue
        where = "both sides" if len(sides) > 1 else next(iter(sides))
        later = " in some blocks" if case in measured else ""
        yield Row(case=case, word="failed", why=f"{where}{later}: {next(iter(sides.values()))[1]}")


def _faults(held: Judgement) -> Iterator[str]:
    judged = [row for row in held.rows if row.metric]
    if not judged:
        yield "no case was compared"
    if held.moved:
        yield f"a control moved, which no change to the code can do: {', '.join(held.moved)}"
    for word, what in (("failed", "failed"), ("gone", "vanished from head; --accept-gone lets that pass")):
        if (count := held.counts.get(word, 0)) and not (word == "gone" and held.about.accept_gone):  # type: ignore[call-overload]
            yield f"{count} case{'s' if count > 1 else ''} {what}"
    if judged and not held.looks and held.about.kind == "gate":
        yield f"the budget of {held.plan.budget_s:.0f} s holds no {held.plan.first} blocks: give more, or fewer cases"


def _plain(row: Row) -> dict[str, Any]:
    estimate = row.estimate
    described = {
        "case": row.case,
        "metric": row.metric,
        "verdict": row.word,
        "why": row.why,
        "tolerance": row.tolerance,
    }
    if estimate is None:
        return described
    numbers = {name: value for name, value in asdict(estimate).items() if name not in described}
    return {**described, "scale": estimate.quantity.scale, **numbers, "detectable": estimate.detectable}
