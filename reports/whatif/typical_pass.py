"""What a pass takes as a rule, by its rounds: the mean of the middle half of their logarithms.

A median of few rounds wastes half of what normal noise lets them tell, a mean follows every burst of other work.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

OF_A_MEAN = 1.09  # the standard error of the mean of the middle half over that of the mean of all


def typical_s(rounds_s: Sequence[float]) -> float:
    """Return the seconds of a pass as a rule."""
    return math.exp(middle_mean(list(map(math.log, rounds_s))))


def middle_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half, without a quarter of the values, rounded down, at either end."""
    cut = len(values) // 4
    return fmean(sorted(values)[cut : len(values) - cut])


def standard_error(rounds_s: Sequence[float]) -> float:
    """Return the standard error of `typical_s`, as a share of it; NaN where all rounds are one value.

    That of a mean, and `OF_A_MEAN` times as much where rounds are left out, as it is for normal logarithms.
    """
    if len(set(rounds_s)) <= 1:
        return math.nan
    of_mean = stdev(map(math.log, rounds_s)) / math.sqrt(len(rounds_s))
    return of_mean * (OF_A_MEAN if len(rounds_s) >= 4 else 1.0)  # noqa: PLR2004 - one at either end
