"""What the blocks of a race show of pairs of settings.

All claims that one is worse hold together at 95 %, and so do all claims that one is as good: of all pairs with the best
(Bonferroni), and of all looks after a block (alpha spending, `stats.interim`).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.interim import error_share
from loaderbench.reports.tune.block_costs import BlockCosts, Floats, Spread

FEWEST_BLOCKS = 4  # of a setting that is said to be as good as another one


def as_good(costs: BlockCosts, names: Sequence[str], spread: Spread) -> NDArray[np.bool_]:
    """Return for each of `names`, which were measured, whether it is shown to be as good as all the others."""
    return np.asarray((costs_no_more(costs, names, spread) | np.eye(len(names), dtype=bool)).all(axis=1))


def costs_no_more(costs: BlockCosts, names: Sequence[str], spread: Spread) -> NDArray[np.bool_]:
    """Return (names, names) whether one is shown to cost at most the margin more than another one."""
    high = costs.pairs().bounds(names, names, spread, _error(costs, len(names), first=FEWEST_BLOCKS))[1]
    return np.asarray(high < math.log1p(MARGIN))


def least_above(costs: BlockCosts, names: Sequence[str], best: str, spread: Spread) -> Floats:
    """Return (names,) the logarithm of how many times the cost of `best` each is shown to cost at least."""
    low = costs.pairs().bounds(names, [best], spread, _error(costs, len(names), first=1))[0]
    return np.asarray(low[:, 0])


def _error(costs: BlockCosts, of: int, *, first: int) -> Floats:
    """Return the error of a claim about each pair, so that `of` - 1 of them at all looks hold at `LEVEL`.

    It is nothing before the look after `first` blocks.
    """
    blocks = costs.pairs().blocks
    share = np.where(blocks >= first, error_share(np.maximum(blocks, 1.0), first), 0.0)
    return np.asarray((1 - LEVEL) / max(1, of - 1) * share)
