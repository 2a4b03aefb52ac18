"""Replaying: gates conducted on recorded blocks, which costs no measuring, and what they came to.

The blocks of one gate are drawn without replacement: a candidate change and its confirmation never share a block.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from statistics import median
from typing import Self

import msgspec
import numpy as np
import pandas as pd
import scipy  # type: ignore[import-untyped]  # scipy.stats takes seconds to import: at its first use

from loaderbench.reports.gate.budget import RENEWED_AFTER
from loaderbench.reports.gate.estimate import CHANGES, estimates_of
from loaderbench.reports.gate.paired_effects import is_control
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.sequential import SequentialTest

THROUGHPUT = "samples_per_s"
BUDGETS_S = (60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0, 900.0, 1800.0)
GOAL = 0.95  # of injected regressions, to be found
COVERAGE_DRAWS = 4000  # of intervals, for their coverage

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """A count and the number it is of: 3 of 1000."""

    count: int
    of: int

    @classmethod
    def among(cls, hits: Iterable[bool]) -> Self:
        """Return how many of all `hits` are true."""
        every = [bool(hit) for hit in hits]
        return cls(count=sum(every), of=len(every))

    @property
    def share(self) -> float:
        """Return it as a fraction; NaN of none."""
        return self.count / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the true share (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934)."""
        if not self.of:
            return (0.0, 1.0)
        interval = scipy.stats.binomtest(self.count, self.of).proportion_ci(method="exact")
        return (float(interval.low), float(interval.high))


@dataclass(frozen=True, kw_only=True)
class RecordedBlock:
    """What is kept of a block: the effects, and how many seconds it and each of its cases took."""

    seconds: float
    renewed_s: float = 0.0  # and those to start its fork servers, where it was the first of theirs
    spans: Mapping[str, float]  # by case; what is left of `seconds` is the start of the processes
    effects: pd.DataFrame  # case, metric, effect, base, head


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Recorded blocks of one comparison; `expected` and `metric` are the verdict it should get, if any.

    `budget_s` is that of the shortest gate whose blocks have as many rounds.
    """

    name: str
    expected: str = ""
    metric: str = THROUGHPUT
    budget_s: float = 0.0
    blocks: tuple[RecordedBlock, ...] = ()

    @cached_property
    def changes(self) -> Mapping[str, float]:
        """Return by case the mean effect on the metric; controls are left out."""
        means = self.effects[self.effects["metric"] == self.metric].groupby("case")["effect"].mean()
        return {str(case): float(mean) for case, mean in means.items() if not is_control(str(case))}

    @cached_property
    def renewed_s(self) -> float:
        """Return the seconds that it took to start fork servers, the median; 0 where none were started."""
        return median([block.renewed_s for block in self.blocks if block.renewed_s] or [0.0])

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Return the effects of all blocks."""
        return pd.concat([block.effects for block in self.blocks], ignore_index=True)


class GateRun(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that has ended, measured or replayed; one that was measured is a line of ``gates.jsonl``."""

    name: str  # of the comparison
    expected: str
    metric: str
    budget_s: float
    spent_s: float
    blocks: int
    verdicts: dict[str, dict[str, str]]  # by case and metric
    margin: float = Plan().margin

    def is_hit(self, case: str) -> bool:
        """Return whether `case` was called what it is or, of identical code, changed in any metric."""
        verdicts = self.verdicts[case]
        return verdicts.get(self.metric) == self.expected if self.expected else bool({*CHANGES} & {*verdicts.values()})

    @property
    def figures(self) -> list[str]:
        """Return the verdict on each metric of each case."""
        return [verdict for of_case in self.verdicts.values() for verdict in of_case.values()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What many gates made of the same comparison."""

    name: str
    expected: str  # nothing of identical code
    budget_s: float
    margin: float
    gates: int
    hits: Rate  # cases called what they are, where they changed by more than the margin; of identical code, changed
    unchanged: Rate  # figures called so
    red: Rate  # gates with a regression
    by_case: Mapping[str, Rate]
    changes: Mapping[str, float]  # by case: the mean effect on the metric
    spent_s: float  # the median

    def is_to_be_found(self, case: str) -> bool:
        """Return whether `case` changed by more than the margin."""
        return _is_beyond(self.changes.get(case), self.margin)


def _is_beyond(change: float | None, margin: float) -> bool:
    """Return whether the log ratio `change` is beyond the margin, or not known."""
    return change is None or abs(change) >= math.log1p(margin)


def replay(pool: Pool, plan: Plan, rng: Rng, shift: float = 0.0) -> SequentialTest:
    """Return a test conducted on blocks of `pool`, the effect on every case's throughput shifted by `shift`.

    A block of fewer cases takes the time of those, and of the start of its processes; servers are renewed as often as
    in a gate.
    """
    test = SequentialTest(plan=replace(plan, most_blocks=min(plan.most_blocks, len(pool.blocks))))
    numbers = iter(rng.permutation(len(pool.blocks)))
    while not test.is_over:
        block = pool.blocks[int(next(numbers))]
        wanted = test.open_cases
        left_out = [case for case in block.spans if wanted is not None and case not in wanted and not is_control(case)]
        effects = block.effects[~block.effects["case"].isin(left_out)]
        if shift:
            effects = effects.assign(effect=effects["effect"] + shift * (effects["metric"] == THROUGHPUT))
        renewed_s = 0.0 if test.blocks % RENEWED_AFTER else pool.renewed_s
        seconds = block.seconds - sum(block.spans[case] for case in left_out)
        test.add(effects, seconds + renewed_s, renewed_s=renewed_s)
    return test


def gate_run(test: SequentialTest, pool: Pool) -> GateRun:
    """Return what a test on the comparison of `pool` came to."""
    verdicts: dict[str, dict[str, str]] = {}
    for verdict in test.verdicts():
        verdicts.setdefault(verdict.case, {})[verdict.metric] = verdict.verdict
    return GateRun(
        name=pool.name, expected=pool.expected, metric=pool.metric, budget_s=test.plan.budget_s, spent_s=test.spent_s,
        blocks=test.blocks, verdicts=verdicts, margin=test.plan.margin,
    )  # fmt: skip


def outcome(pool: Pool, plan: Plan, gates: int, rng: Rng, shift: float = 0.0) -> Outcome:
    """Replay `gates` gates, and count what they found.

    Of identical code the effect on every case's throughput may be shifted by `shift`, which then is what it changed by.
    """
    changes = dict.fromkeys(pool.changes, shift) if shift else pool.changes
    return counted([gate_run(replay(pool, plan, rng, shift), pool) for _ in range(gates)], changes)


def counted(gates: Sequence[GateRun], changes: Mapping[str, float]) -> Outcome:
    """Count what gates on the same comparison found, of which each case changed by so much."""
    by_case: dict[str, list[bool]] = {}
    for gate in gates:
        for case in gate.verdicts:
            by_case.setdefault(case, []).append(gate.is_hit(case))
    rates = {case: Rate.among(hits) for case, hits in sorted(by_case.items())}
    first = gates[0]
    counts = {case: not first.expected or _is_beyond(changes.get(case), first.margin) for case in by_case}
    return Outcome(
        name=first.name,
        expected=first.expected,
        budget_s=first.budget_s,
        margin=first.margin,
        gates=len(gates),
        hits=Rate.among(hit for case, hits in by_case.items() if counts[case] for hit in hits),
        unchanged=Rate.among(verdict == "unchanged" for gate in gates for verdict in gate.figures),
        red=Rate.among("regressed" in gate.figures for gate in gates),
        by_case=rates,
        changes=changes,
        spent_s=median(gate.spent_s for gate in gates),
    )


def coverage(pool: Pool, blocks: int, rng: Rng, draws: int = COVERAGE_DRAWS) -> dict[str, Rate]:
    """Return by metric how many 95 % intervals, of blocks of identical code drawn with replacement, hold 0.

    Base and head are the same code, so that a block is as likely with the two exchanged, and half of those drawn are.
    Then 0 is the truth, and a coverage below 95 % is a fault of the interval alone. (The mean of a dozen blocks is no
    truth: where one of them lies far out, most draws lack it, and trimming leaves it out.)
    """
    figures = pool.effects.groupby(["case", "metric"]).ngroups
    covered: dict[str, list[bool]] = {}
    for _ in range(max(1, draws // max(1, figures))):
        drawn = rng.integers(len(pool.blocks), size=blocks)
        effects = pd.concat(
            [  # no number quite that of the same block drawn before: ranks must not tie
                recorded.assign(effect=rng.choice((-1, 1)) * recorded["effect"] + place * 1e-12)
                for place, recorded in enumerate(pool.blocks[number].effects for number in drawn)
            ]
        )
        for estimate in estimates_of(effects):
            if not is_control(estimate.case):
                low, high = estimate.interval
                hit = bool(low <= 0 <= high)
                covered.setdefault(estimate.metric, []).append(hit)
    return {metric: Rate.among(hits) for metric, hits in covered.items()}


def signs(pool: Pool) -> Rate:
    """Count the effects on the pool's metric above 0, which of identical code should be half of them."""
    effects = pool.effects
    wanted = (effects["metric"] == pool.metric) & ~effects["case"].map(is_control) & (effects["effect"] != 0)
    return Rate.among(effects.loc[wanted, "effect"] > 0)


def spreads(pool: Pool) -> pd.DataFrame:
    """Return for each case and metric: blocks, mean, error, sd, of the blocks' effects."""
    grouped = pool.effects.groupby(["case", "metric"])["effect"]
    return grouped.agg(blocks="count", mean="mean", error="sem", sd="std").reset_index().astype({"blocks": float})


def needed_s(pool: Pool, plan: Plan, change: float, gates: int, rng: Rng) -> float:
    """Return the least budget, in seconds, in which `GOAL` of all cases that became slower by `change` are found.

    Identical code is taken, and each effect on throughput shifted by so much: what an injected regression of that size
    looks like if all it does is to slow every pass. Infinite where the pool holds no such budget.
    """
    usual_s = median(block.seconds for block in pool.blocks) + pool.renewed_s / RENEWED_AFTER
    slower, shift = replace(pool, expected="regressed"), -float(np.log1p(change))
    for budget_s in takewhile(lambda budget_s: budget_s <= usual_s * len(pool.blocks), BUDGETS_S):
        if outcome(slower, replace(plan, budget_s=budget_s), gates, rng, shift).hits.share >= GOAL:
            return budget_s
    return float("inf")
