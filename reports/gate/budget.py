"""The budget of a comparison: whether another block may begin, by what the blocks before it took.

Nothing here has a clock: it is given the time of each block.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

RENEWED_AFTER = 4  # blocks, an even number: then the servers are replaced that their processes are forked from
OVERRUN = 1.1  # budgets: a block that takes longer than was expected is ended then, and left out
REPORT_S = 8.0  # to write the result; a tenth of a budget above 80 s holds it


def for_blocks_s(budget_s: float) -> float:
    """Return the seconds of a budget that blocks may take: with the result written, 1.2 budgets are never exceeded."""
    return budget_s - max(0.0, REPORT_S - budget_s / 10)


def holds_another(budget_s: float, spent_s: float, block_s: Sequence[float]) -> bool:
    """Return whether a further block ends within the budget: it is expected to take the longer of the last two."""
    return spent_s + max(block_s[-2:], default=0.0) <= budget_s


@dataclass(kw_only=True)
class BlockQueue:
    """Whose block comes next, while the budget lasts: ask `next_block`, measure it, and `add` what it took.

    Every name comes as often as its weight says, in shuffled order, again and again.
    """

    weights: Mapping[str, int]
    budget_s: float
    rng: Random
    spent_s: float = 0.0
    block_s: dict[str, list[float]] = field(default_factory=dict)  # by name

    def __post_init__(self) -> None:
        self._names = self._shuffled()

    def next_block(self) -> str | None:
        """Return the name of the next block, None where the budget does not hold it."""
        name = next(self._names)
        slowest = [max(seconds) for seconds in self.block_s.values()]  # one that was never measured: as long as any
        likely = self.block_s.get(name) or [max(slowest, default=0.0)]
        return name if holds_another(self.budget_s, self.spent_s, likely) else None

    def add(self, name: str, seconds: float) -> None:
        """Take in how long a block took."""
        self.spent_s += seconds
        self.block_s.setdefault(name, []).append(seconds)

    def _shuffled(self) -> Iterator[str]:
        while True:
            names = [name for name, weight in self.weights.items() for _ in range(weight)]
            self.rng.shuffle(names)
            yield from names
