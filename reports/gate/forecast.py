"""The forecast: what the blocks to come can settle on this machine, by what the blocks so far vary and take.

It rests on standard errors alone; where an effect lies is not looked at.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.stats.intervals import t_quantile

SETTLED = 0.9  # of the figures, and how likely each of them is to be settled where nothing changed
MOST_BLOCKS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a budget settles, and what a margin needs: of figures that did not change, nine tenths."""

    margin: float
    needed_s: float  # the budget in which they are found unchanged at this margin; infinite where that is beyond reach
    budget_s: float
    settled: float  # the margin at which they are found unchanged in this budget

    @property
    def is_enough(self) -> bool:
        """Return whether the budget is enough for the margin."""
        return self.needed_s <= self.budget_s


def forecast(
    estimates: Sequence[Estimate], *, margin: float, budget_s: float, spent_s: float, block_s: float
) -> Forecast | None:
    """Return what blocks of `block_s` seconds more will settle; None where no error is known yet.

    Differences of shares are left out: they have a margin of their own.
    """
    known = [estimate for estimate in estimates if estimate.freedom and estimate.rule.scale == "ratio"]
    if not known:
        return None
    needed = [_blocks_needed(estimate, estimate.tolerance(margin)) for estimate in known]
    more_s = [max(0.0, blocks - estimate.blocks) * block_s for blocks, estimate in zip(needed, known, strict=True)]
    further = max(0.0, budget_s - spent_s) // max(block_s, 1e-9)
    settled = [
        math.expm1(min(700.0, _half_width(estimate, int(estimate.blocks + further)))) / estimate.rule.margins
        for estimate in known
    ]
    return Forecast(
        margin=margin,
        needed_s=spent_s + float(np.quantile(more_s, SETTLED, method="higher")),
        budget_s=budget_s,
        settled=float(np.quantile(settled, SETTLED, method="higher")),
    )


def _half_width(estimate: Estimate, blocks: int) -> float:
    """Return how far from 0 the end of an interval over `blocks` blocks is, in `SETTLED` of the comparisons."""
    freedom = estimate.freedom * (blocks - 1) / max(1, estimate.blocks - 1)
    factor = float(t_quantile(freedom)) + float(special.ndtri(0.5 + SETTLED / 2))
    return factor * estimate.error * math.sqrt(estimate.blocks / blocks)


def _blocks_needed(estimate: Estimate, tolerance: float) -> float:
    """Return how many blocks have an interval within `tolerance`, infinite where `MOST_BLOCKS` have not."""
    blocks = range(max(2, estimate.blocks), MOST_BLOCKS)
    return next((float(count) for count in blocks if _half_width(estimate, count) <= tolerance), math.inf)
