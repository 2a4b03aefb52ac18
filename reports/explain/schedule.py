"""The schedule of blocks: which intervention is measured next, and when to stop. It has no clock of its own."""

import random
from dataclasses import dataclass, field

from loaderbench.reports.explain.ranking import FEWEST_BLOCKS

MOST_BLOCKS = 10  # of an intervention


@dataclass(kw_only=True)
class Schedule:
    """Blocks of every intervention in shuffled rounds: `fewest` of each, and up to `most` while the budget lasts.

    Ask `next` what to measure; report what came of it with `measured` or `failed`.
    """

    causes: list[str]  # those that are still measured
    budget_s: float  # for more than the fewest blocks
    rng: random.Random
    fewest: int = FEWEST_BLOCKS
    most: int = MOST_BLOCKS
    round: int = 0  # rounds that were begun
    waiting: list[str] = field(default_factory=list)  # causes whose block of this round is still to come
    block_s: dict[str, float] = field(default_factory=dict)  # what the last block of each cause took

    def next(self, spent_s: float) -> str | None:
        """Return the cause whose block is next when `spent_s` seconds were spent; None to stop."""
        if not self.waiting:
            if self.round == self.most or not self.causes:
                return None
            self.round += 1
            self.waiting = self.rng.sample(self.causes, len(self.causes))
        cause = self.waiting[0]
        if self.round > self.fewest and spent_s + self.block_s[cause] > self.budget_s:
            return None
        return cause

    def measured(self, cause: str, seconds: float) -> None:
        """Record that the block of `cause` took `seconds`."""
        self.waiting.remove(cause)
        self.block_s[cause] = seconds

    def failed(self, cause: str) -> None:
        """Record that the intervention cannot be measured: it has no further blocks."""
        self.waiting.remove(cause)
        self.causes.remove(cause)

    @property
    def most_left(self) -> int:
        """Return how many blocks are left at most."""
        return len(self.waiting) + (self.most - self.round) * len(self.causes)

    def left_s(self, spent_s: float) -> float | None:
        """Return the seconds that are left when `spent_s` were spent, by the mean block; None before the first."""
        if not self.block_s:
            return None
        mean_s = sum(self.block_s.values()) / len(self.block_s)
        owed = len(self.waiting) + (self.fewest - self.round) * len(self.causes) if self.round <= self.fewest else 0
        return max(owed * mean_s, min(self.budget_s - spent_s, self.most_left * mean_s), 0.0)
