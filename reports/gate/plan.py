"""How a comparison is conducted, as it is decided before the first block: margin, budget, analyses, and their error."""

from dataclasses import dataclass

from loaderbench.reports.gate.estimate import FEWEST
from loaderbench.reports.gate.rounds_per_block import STEADY_PAIRS
from loaderbench.reports.stats.conventions import MARGIN

SHORT_S, SHORT_PAIRS = 100.0, 6  # a budget for few blocks, and the pairs of rounds of its first ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a comparison is conducted."""

    margin: float = MARGIN  # the relative change that is too small to matter
    budget_s: float = 600.0
    candidate_rate: float = 0.2  # of false candidates, over all analyses
    confirming_blocks: int = 3  # that confirm a candidate change, or as many again
    confirming_error: float = 0.05
    first_analysis: int = FEWEST  # blocks before it
    allocated_after: int = 2  # blocks: then it is decided how many pairs of rounds a block has
    growth: float = 1.4  # of the number of blocks, from analysis to analysis
    most_blocks: int = 200

    def __post_init__(self) -> None:
        for name in ("margin", "budget_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")

    @property
    def first_pairs(self) -> int:
        """Return how many pairs of rounds a case has in the first blocks; few where six blocks would not fit else."""
        return 2 * STEADY_PAIRS[1] if self.budget_s >= SHORT_S else SHORT_PAIRS

    def has_analysis_after(self, blocks: int) -> bool:
        """Return whether there is one after so many blocks, whatever they take.

        >>> [blocks for blocks in range(30) if Plan().has_analysis_after(blocks)]
        [3, 4, 6, 8, 12, 16, 23]
        """
        planned = float(self.first_analysis)
        while round(planned) < blocks:
            planned *= self.growth
        return round(planned) == blocks
