"""Resampling: gates played with recorded blocks, which costs no measuring, and what they found.

What is drawn for a gate is drawn without replacement: a suspicion and its confirmation never share a block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

import numpy as np
import pandas as pd
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.gate.estimate import CHANGED, estimate, is_control
from loaderbench.reports.gate.sequential import Block, Plan, Trial

THROUGHPUT = "samples_per_s"
BUDGETS_S = (60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0, 900.0, 1800.0)
GOAL = 0.95  # of planted changes, to be found
DRAWS = 4000  # of intervals, for their coverage

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """So many of so many."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """As a fraction; NaN of none."""
        return self.count / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, 95 % (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934), were all independent."""
        if not self.of:
            return (0.0, 1.0)
        found = stats.binomtest(self.count, self.of).proportion_ci(method="exact")
        return (float(found.low), float(found.high))


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Recorded blocks of one comparison; `word` and `metric` say what it is to be called, if anything."""

    name: str
    word: str = ""
    metric: str = THROUGHPUT
    blocks: tuple[Block, ...] = ()

    @cached_property
    def frames(self) -> list[pd.DataFrame]:
        """The effects of each block."""
        return [pd.DataFrame(block["effects"]).assign(block=number) for number, block in enumerate(self.blocks)]

    @cached_property
    def whole(self) -> pd.DataFrame:
        """The effects of all blocks."""
        return pd.concat(self.frames, ignore_index=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """A whole gate, measured from start to end: the word for each metric of each case."""

    name: str
    word: str
    metric: str
    budget_s: float
    spent_s: float
    blocks: int
    words: Mapping[tuple[str, str], str]
    margin: float = Plan().margin


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What gates made of a comparison."""

    name: str
    word: str  # what it is; nothing of identical code
    budget_s: float
    margin: float
    gates: int
    found: Rate  # cases called what they are; of identical code, cases called changed
    red: Rate  # gates with a regression
    by_case: Mapping[str, Rate]
    spent_s: float  # the median


def played(pool: Pool, plan: Plan, rng: Rng, shift: float = 0.0) -> Trial:
    """Play a gate with blocks of `pool`, the effect on every case's throughput shifted by `shift`.

    A block of fewer cases takes the time of those, and of the start of its processes.
    """
    drawn = iter(rng.permutation(len(pool.blocks)))

    def measure(keys: set[str] | None) -> Block:
        number = int(next(drawn))
        block, frame = pool.blocks[number], pool.frames[number]
        left = {
            case: taken for case, taken in block["spans"].items() if keys and case not in keys and not is_control(case)
        }
        shifted = frame.assign(effect=frame["effect"] + shift * (frame["metric"] == THROUGHPUT)) if shift else frame
        return {
            "seconds": block["seconds"] - sum(left.values()),
            "missed": [],
            "frame": shifted[~shifted["case"].isin(left)] if left else shifted,
        }

    most = min(plan.most, len(pool.blocks))
    trial = Trial(plan=replace(plan, most=most), measure=measure, effects_of=lambda block: block["frame"])
    trial.run()
    return trial


def words(trial: Trial) -> dict[tuple[str, str], str]:
    """The word for each metric of each case."""
    return {(each.estimate.case, each.estimate.metric): each.word for each in trial.verdicts()}


def outcome(pool: Pool, plan: Plan, gates: int, rng: Rng, shift: float = 0.0, word: str = "") -> Outcome:
    """Play so many gates. `word` is what they are to find, where it is not the pool's own."""
    trials = [played(pool, plan, rng, shift) for _ in range(gates)]
    played_ = [
        Gate(
            name=pool.name,
            word=word or pool.word,
            metric=pool.metric,
            budget_s=plan.budget_s,
            spent_s=trial.spent_s,
            blocks=len(trial.blocks),
            words=words(trial),
            margin=plan.margin,
        )
        for trial in trials
    ]
    return counted(played_)


def counted(gates: Sequence[Gate]) -> Outcome:
    """Count what gates on the same comparison found."""
    by_case: dict[str, list[bool]] = {}
    for gate in gates:
        for case in {case for case, _ in gate.words}:
            by_case.setdefault(case, []).append(_is_hit(gate, case))
    rates = {case: Rate(count=int(sum(hits)), of=len(hits)) for case, hits in sorted(by_case.items())}
    return Outcome(
        name=gates[0].name,
        word=gates[0].word,
        budget_s=gates[0].budget_s,
        margin=gates[0].margin,
        gates=len(gates),
        found=Rate(count=sum(rate.count for rate in rates.values()), of=sum(rate.of for rate in rates.values())),
        red=Rate(count=sum("regressed" in gate.words.values() for gate in gates), of=len(gates)),
        by_case=rates,
        spent_s=median(gate.spent_s for gate in gates),
    )


def _is_hit(gate: Gate, case: str) -> bool:
    """Whether the case was called what it is or, of identical code, changed in any metric."""
    if gate.word:
        return gate.words.get((case, gate.metric)) == gate.word
    return any(word in CHANGED for (name, _), word in gate.words.items() if name == case)


def coverage(pool: Pool, blocks: int, rng: Rng, draws: int = DRAWS) -> dict[str, Rate]:
    """How many 95 % intervals hold the truth, by metric: of blocks drawn from the pool with replacement, its mean.

    The pool is the whole world here, and its mean over all blocks the truth, so that a coverage below 95 % is a fault
    of the interval and of nothing else.
    """
    truth = pool.whole.groupby(["case", "metric"])["effect"].mean()
    held: dict[str, list[bool]] = {}
    for _ in range(max(1, draws // max(1, len(truth)))):
        drawn = rng.integers(len(pool.blocks), size=blocks)
        frame = pd.concat([_twin(pool.frames[number], place) for place, number in enumerate(drawn)])
        for each in estimate(frame):
            if not is_control(each.case):
                held.setdefault(each.metric, []).append(bool(each.low <= truth[each.case, each.metric] <= each.high))
    return {metric: Rate(count=int(sum(hits)), of=len(hits)) for metric, hits in held.items()}


def _twin(frame: pd.DataFrame, place: int) -> pd.DataFrame:
    """A block that is drawn, no number in it quite that of the same block drawn before: ranks know no ties."""
    return frame.assign(block=place, effect=frame["effect"] + place * 1e-12)


def signs(pool: Pool) -> Rate:
    """How many effects on throughput are above 0, which of identical code should be half of them."""
    held = pool.whole
    found = held.loc[(held["metric"] == pool.metric) & ~held["case"].map(is_control) & (held["effect"] != 0), "effect"]
    return Rate(count=int((found > 0).sum()), of=len(found))


def spreads(pool: Pool) -> pd.DataFrame:
    """For each case and metric: blocks, mean, error, sd, of the blocks' effects."""
    grouped = pool.whole.groupby(["case", "metric"])["effect"]
    found = grouped.agg(blocks="count", mean="mean", error="sem", sd="std")
    return found.reset_index().astype({"blocks": float})


def minutes(pool: Pool, plan: Plan, change: float, gates: int, rng: Rng) -> float:
    """The least budget, in seconds, in which `GOAL` of all cases that became slower by `change` are found.

    Identical code is taken, and each effect on throughput shifted by so much: what a planted change of that size looks
    like, if all it does is to slow every pass. Infinite where the pool holds no such budget.
    """
    usual_s = median(block["seconds"] for block in pool.blocks)
    for budget_s in BUDGETS_S:
        if budget_s > usual_s * len(pool.blocks):
            break
        found = outcome(
            pool, replace(plan, budget_s=budget_s), gates, rng, shift=-float(np.log1p(change)), word="regressed"
        )
        if found.found.share >= GOAL:
            return budget_s
    return float("inf")
