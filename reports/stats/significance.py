"""Chances: how likely it is that so much, or so many in a row, is nothing."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats  # type: ignore[import-untyped]  # it ships no types

Floats = NDArray[np.float64]


def one_sided(effect: float, error: float, freedom: float) -> tuple[float, float]:
    """Chances of an effect so far up, and so far down, where there is none."""
    if not freedom:
        return 1.0, 1.0
    if error == 0:
        return (0.0 if effect > 0 else 1.0), (0.0 if effect < 0 else 1.0)
    return float(special.stdtr(freedom, -effect / error)), float(special.stdtr(freedom, effect / error))


def signed_ranks(values: Floats) -> tuple[float, float]:
    """Exact chances of ranks so far up, and so far down; zeros are no evidence.

    Of sizes that tie, as coarse CPU times do, by the normal approximation, corrected for continuity.
    """
    told = values[values != 0]
    sizes = np.abs(told)
    if not len(told):
        return 1.0, 1.0
    if len(np.unique(sizes)) < len(sizes):
        ways = ("greater", "less")
        up, down = (stats.wilcoxon(told, alternative=way, method="asymptotic", correction=True).pvalue for way in ways)
        return float(up), float(down)
    ranks = sizes.argsort().argsort() + 1
    above = int(ranks[told > 0].sum())
    return _chance(len(told), above), _chance(len(told), int(ranks.sum()) - above)


@cache
def _chance(n: int, above: int) -> float:
    """The exact chance that the ranks of those above 0, of `n`, sum to `above` or more.

    It is the same for all values whose ranks sum to that: of those, one is given to scipy.
    """
    values, left = [], above
    for rank in range(n, 0, -1):
        sign = 1 if rank <= left else -1
        left -= rank if sign > 0 else 0
        values.append(float(sign * rank))
    return float(stats.wilcoxon(values, alternative="greater", method="exact").pvalue)


def discoveries(chances: Sequence[float], rate: float) -> list[bool]:
    """Which of these can be called found, when at most `rate` of what is called found may be false."""
    if not len(chances):
        return []
    return [bool(found) for found in stats.false_discovery_control(np.clip(chances, 0, 1)) <= rate]
