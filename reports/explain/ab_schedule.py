"""The schedule of A/B passes: how long a pass is, which intervention gets the next block, and when to stop.

Nothing here has a clock: whoever measures says how many seconds were spent, and what a block took.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from loaderbench.reports.explain.ranking import FEWEST_BLOCKS
from loaderbench.reports.stats.conventions import MARGIN

MOST_BLOCKS = 10  # of an intervention
MOST_PAIRS = 3  # of passes, in a block
LONGEST_PASS_S = 0.3
USUAL_BATCHES = 2  # of each worker, in a pass
LONG_PASSES = 1 / 3  # of the time, at most, for the fewest blocks of one intervention whose passes must be longer
FEWEST_CAUSES = 4  # that are to be tried where a batch takes long: passes are then as short as can be


@dataclass(frozen=True, kw_only=True, slots=True)
class PassPlan:
    """How much a pass reads, and how many pairs of passes a block has."""

    batches: int
    batch_samples: int
    pairs: int

    @property
    def samples(self) -> int:
        """Return the samples of a pass."""
        return self.batches * self.batch_samples


def plan_passes(
    *, budget_s: float, causes: int, batch_s: float, start_s: float, batches: int, batch_samples: int, num_workers: int
) -> PassPlan:
    """Return the longest passes and the most pairs with which the fewest blocks of all `causes` fit into `budget_s`.

    A batch of `batch_samples` takes `batch_s`, and all of them are `batches`; to start the loaders of a block takes
    `start_s`. A pass is `LONGEST_PASS_S` at most. It has `USUAL_BATCHES` of each worker at least, with fewer pairs if
    need be; and with one pair one batch of each, where not even `FEWEST_CAUSES` could be tried otherwise.
    """

    def most_batches(pairs: int, causes: int) -> int:
        block_s = budget_s / (FEWEST_BLOCKS * max(1, causes)) - start_s
        return min(batches, int(min(LONGEST_PASS_S, block_s / passes_of(pairs)) / batch_s))

    usual, fewest = (min(batches, number * max(1, num_workers)) for number in (USUAL_BATCHES, 1))
    for pairs in range(MOST_PAIRS, 0, -1):
        if (most := most_batches(pairs, causes)) >= usual:
            return PassPlan(batches=most, batch_samples=batch_samples, pairs=pairs)
    few = min(causes, FEWEST_CAUSES)
    affordable = int((budget_s / (FEWEST_BLOCKS * max(1, few)) - start_s) / passes_of(1) / batch_s)
    return PassPlan(batches=max(fewest, min(usual, affordable)), batch_samples=batch_samples, pairs=1)


def lengthened(plan: PassPlan, *, fewest_batches: int, batches: int) -> PassPlan:
    """Return `plan` with passes of `fewest_batches`, or of all `batches`, where they would be shorter.

    A block then has fewer pairs, one at least, so that it takes about as long as before if that is possible.
    """
    long = min(batches, fewest_batches)
    if plan.batches >= long:
        return plan
    pairs = passes_of(plan.pairs) * plan.batches // (2 * long) - 1
    return replace(plan, batches=long, pairs=max(1, min(plan.pairs, pairs)))


def leaves_others_time(block_s: float, budget_s: float) -> bool:
    """Return whether the fewest blocks, each of `block_s`, leave enough of `budget_s` to the other interventions."""
    return FEWEST_BLOCKS * block_s <= LONG_PASSES * budget_s


def passes_of(pairs: int) -> int:
    """Return the passes of a block: a discarded one of each loader comes first."""
    return 2 * (1 + pairs)


@dataclass(kw_only=True)
class Schedule:
    """Blocks of interventions in rounds, within a budget.

    A round has a block of each of the interventions that may save most, as many of them as can still have their
    `fewest` blocks by what blocks have taken so far. Once those have them, rounds go on up to `most` blocks: of those
    that may save at least `margin`, which is what a difference has to be, and only then of the others. The first round
    begins with what may save most, the others are shuffled. What was measured never decides who comes next: only
    possible gains and costs do. Ask `next` what to measure; report what came of it with `measured` or `failed`.
    """

    possible_gains: Mapping[str, float]  # of each cause: the share of a pass that removing it may save at most
    expected_s: Mapping[str, float]  # what a block of each cause may take
    budget_s: float
    rng: random.Random
    reserved_blocks: int = 0  # for which time is left in the end: as many as others have taken on average
    fewest: int = FEWEST_BLOCKS
    most: int = MOST_BLOCKS
    margin: float = MARGIN
    taken_s: dict[str, list[float]] = field(default_factory=dict)  # by the blocks of each cause
    waiting: list[str] = field(default_factory=list)  # causes whose block of this round is still to come

    def __post_init__(self) -> None:
        ranked = sorted(self.possible_gains, key=lambda cause: (-self.possible_gains[cause], cause))
        self.taken_s = {cause: [] for cause in ranked}

    def next(self, spent_s: float) -> str | None:
        """Return the cause whose block is next when `spent_s` seconds were spent; None to stop."""
        left_s = self.budget_s - spent_s - self._reserved_s
        chosen = self._owed(left_s) or self._further(left_s)
        self.waiting = [cause for cause in self.waiting if cause in chosen]
        if not self.waiting:
            self.waiting = chosen
            if any(self.taken_s.values()):
                self.rng.shuffle(self.waiting)
        return self.waiting[0] if self.waiting else None

    def measured(self, cause: str, seconds: float) -> None:
        """Record that a block of `cause` took `seconds`."""
        self.waiting.remove(cause)
        self.taken_s[cause].append(seconds)

    def failed(self, cause: str) -> None:
        """Record that the intervention cannot be measured: it has no further blocks."""
        self.waiting.remove(cause)
        del self.taken_s[cause]

    def block_s(self, cause: str) -> float:
        """Return what a block of `cause` takes: as its blocks did, or as expected, corrected by those of the others."""
        if taken := self.taken_s[cause]:
            return fmean(taken)
        ratios = [fmean(taken) / self.expected_s[other] for other, taken in self.taken_s.items() if taken]
        return self.expected_s[cause] * (median(ratios) if ratios else 1.0)

    def _owed(self, left_s: float) -> list[str]:
        """Return the causes that have fewer than the fewest blocks, and time for them: those that may save most."""
        chosen: list[str] = []
        for cause, taken in self.taken_s.items():
            needed_s = (self.fewest - len(taken)) * self.block_s(cause)
            if 0 < needed_s <= left_s:
                chosen.append(cause)
                left_s -= needed_s
        return chosen or self._first_that_fits(left_s)

    def _first_that_fits(self, left_s: float) -> list[str]:
        """Return the most promising cause that a block fits of, where there is no time for the fewest of any."""
        if any(len(taken) >= self.fewest for taken in self.taken_s.values()):
            return []
        return [cause for cause in self.taken_s if self.block_s(cause) <= left_s][:1]

    def _further(self, left_s: float) -> list[str]:
        """Return the causes of which blocks beyond the fewest are to be measured: those that may save enough first."""
        fitting = [
            cause
            for cause, taken in self.taken_s.items()
            if self.fewest <= len(taken) < self.most and self.block_s(cause) <= left_s
        ]
        return [cause for cause in fitting if self.possible_gains[cause] >= self.margin] or fitting

    @property
    def _reserved_s(self) -> float:
        if not (self.reserved_blocks and self.taken_s):
            return 0.0
        return self.reserved_blocks * fmean(map(self.block_s, self.taken_s))
