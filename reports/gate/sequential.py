"""The trial: which blocks to measure, when to look, and what to say at the end.

Looks are planned before the first effect is seen, from what a block takes, and the error is spent over them. What looks
changed at one of them is *suspected*, and is believed only if blocks measured after that say the same by themselves:
the data that raised a suspicion cannot also confirm it. A case whose metrics are all settled is not measured any more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from loaderbench.reports.gate.estimate import EXACT, FEWEST, Estimate, Word, estimate, is_control, suspects
from loaderbench.reports.gate.paired_effects import effects

Block = dict[str, Any]
Measure = Callable[[set[str] | None], Block]
Name = tuple[str, str]  # case, metric

CONTROLS_RATE = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a trial is conducted."""

    margin: float = 0.03  # what is practically too small to care about
    budget_s: float = 600.0
    rate: float = 0.2  # of false suspicions, over all looks
    fresh: int = 3  # blocks that confirm a suspicion, or as many again
    error: float = 0.05  # of a confirmation
    first: int = FEWEST  # blocks before the first look
    growth: float = 1.4  # from look to look
    most: int = 200  # blocks

    def __post_init__(self) -> None:
        for name in ("margin", "budget_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")

    def looks(self, block_s: float) -> list[int]:
        """After how many blocks to look, where one takes `block_s`; room is left to confirm what the last one finds."""
        affordable = min(self.most, int(self.budget_s / max(block_s, 1e-9)))
        last = max(affordable - self.fresh, min(affordable, self.first))
        found, count = [], float(self.first)
        while round(count) < last:
            found.append(round(count))
            count *= self.growth
        return [*found, last] if last >= self.first else []


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The last word on one metric of one case."""

    word: Word
    estimate: Estimate
    why: str = ""


@dataclass(slots=True)
class Case:
    """Where one metric of one case stands."""

    estimate: Estimate
    word: Word = "inconclusive"
    suspected: Word | None = None
    since: int = 0  # blocks when it was suspected: only later ones confirm it
    settled: bool = False
    why: str = ""


def _silent(_trial: "Trial") -> None:
    """Tell no one how far a trial is."""


def _effects_of(block: Block) -> pd.DataFrame:
    return effects([block])


@dataclass(kw_only=True)
class Trial:
    """A trial under way. `measure` makes the next block of the cases it is given (None: all)."""

    plan: Plan
    measure: Measure
    tell: Callable[["Trial"], None] = _silent
    effects_of: Callable[[Block], pd.DataFrame] = _effects_of
    blocks: list[Block] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    cases: dict[Name, Case] = field(default_factory=dict)
    spent_s: float = 0.0
    shown: list[pd.DataFrame] = field(default_factory=list)  # the effects of each block

    def run(self) -> None:
        """Measure until everything is settled, or the budget is spent."""
        self._next(None)
        self.looks = self.plan.looks(self.spent_s)
        while self._goes_on():
            self._next(self._open())
            self._look()
        self._end()

    def verdicts(self) -> list[Verdict]:
        """One for each metric of each case; the controls are not among them."""
        moved = self.moved
        return [
            Verdict(
                word="unproven" if moved and case.word in ("regressed", "improved") else case.word,
                estimate=case.estimate,
                why=f"a control moved: {', '.join(moved)}" if moved and case.suspected else case.why,
            )
            for case in self.cases.values()
        ]

    @property
    def moved(self) -> list[str]:
        """Controls that differ between the sides, which no change to the code can do."""
        found = {(each.case, each.metric): each for each in estimate(self._effects()) if is_control(each.case)}
        called = suspects(list(found.values()), self.plan.margin, CONTROLS_RATE)
        return [name[0] for name, word in called.items() if found[name].exact(word) <= EXACT]

    def _goes_on(self) -> bool:
        if not self.looks or not self._compares or (self.cases and not self._open()):
            return False
        next_s = self.blocks[-1]["seconds"]
        return self.spent_s + next_s <= self.plan.budget_s and len(self.blocks) < self.plan.most

    @property
    def _compares(self) -> bool:
        """Whether the first block, which is of all cases, compared any: where all are skipped, more do not help."""
        return not self.shown[0]["case"].map(is_control).all()

    def _next(self, keys: set[str] | None) -> None:
        self.blocks.append(self.measure(keys))
        self.spent_s += self.blocks[-1]["seconds"]
        self.shown.append(self.effects_of(self.blocks[-1]))
        self.tell(self)

    def _open(self) -> set[str] | None:
        """Cases with a metric that is not settled; None for all, before the first look."""
        return {name for (name, _), case in self.cases.items() if not case.settled} if self.cases else None

    def _look(self) -> None:
        count = len(self.blocks)
        if count in self.looks:
            self._suspect()
        for name, case in self.cases.items():
            if case.suspected is not None and not case.settled:
                self._confirm(name, case, case.suspected)

    def _suspect(self) -> None:
        """Judge all blocks so far, with this look's share of the error."""
        found = [each for each in estimate(self._effects()) if not is_control(each.case)]
        for each in found:
            self.cases.setdefault((each.case, each.metric), Case(estimate=each))
        called = suspects(found, self.plan.margin, self.plan.rate / len(self.looks))
        for each in found:
            case = self.cases[each.case, each.metric]
            if case.settled or case.suspected:
                continue
            case.estimate = each
            case.suspected = called.get((each.case, each.metric))
            case.since = len(self.blocks)
            if not case.suspected and each.is_within(self.plan.margin):
                case.word, case.why, case.settled = "unchanged", "", True

    def _confirm(self, name: Name, case: Case, word: Word, *, is_last: bool = False) -> None:
        """After `fresh` blocks, and once more after twice as many or the last: do they say the same by themselves?"""
        fresh = len(self.blocks) - case.since
        second = self.plan.fresh < fresh and (fresh == 2 * self.plan.fresh or is_last)
        if not ((fresh == self.plan.fresh and not is_last) or second):
            return
        every = self._effects()
        anew = _of(name, estimate(self._effects(case.since), like=every))
        case.estimate = whole = _of(name, estimate(every))
        if (
            anew.chance(word) <= self.plan.error / 2
            and anew.is_beyond(word, self.plan.margin / 2)
            and whole.is_beyond(word, self.plan.margin)
            and whole.exact(word) <= EXACT
        ):
            case.word, case.why, case.settled = word, "", True
        elif second:  # it is open again: later looks may suspect it anew, and it then takes fresh blocks anew
            case.why, case.suspected = f"looked {word}, and fresh blocks did not confirm it", None

    def _end(self) -> None:
        """What the budget left open."""
        known = {(each.case, each.metric): each for each in estimate(self._effects()) if not is_control(each.case)}
        for name, each in known.items():
            case = self.cases.setdefault(name, Case(estimate=each))
            if case.suspected and not case.settled:
                self._confirm(name, case, case.suspected, is_last=True)
            if case.settled:
                continue
            case.estimate = each
            if case.suspected:
                case.why = f"looks {case.suspected}, and the budget left no room to confirm it"
            elif each.is_within(self.plan.margin) and each.blocks >= self.plan.first:
                case.word, case.why = "unchanged", ""
            else:
                case.why = case.why or _too_wide(each, self.plan.margin)

    def _effects(self, since: int = 0) -> pd.DataFrame:
        shown = self.shown[since:]
        return pd.concat(shown, ignore_index=True) if shown else effects([])


def _of(name: Name, estimates: list[Estimate]) -> Estimate:
    return next(each for each in estimates if (each.case, each.metric) == name)


def _too_wide(each: Estimate, margin: float) -> str:
    if each.blocks < FEWEST:
        return f"{each.blocks} blocks; a verdict needs {FEWEST}"
    tolerance = each.tolerance(margin)
    return (
        f"the interval is wider than the margin: it takes a change of {each.detectable / tolerance:.1f} margins to tell"
    )
