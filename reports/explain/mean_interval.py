"""The mean of a few measurements, with its t interval (Student 1908)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # type: ignore[import-untyped]  # scipy.stats takes seconds to import: at its first use

from loaderbench.reports.stats.conventions import LEVEL


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanInterval:
    """A mean, the ends of its 95 % interval, and the p-value of its being 0."""

    mean: float
    low: float
    high: float
    p_value: float


def mean_interval(values: Sequence[float], fewest: int = 2) -> MeanInterval:
    """Return the t interval of the mean of `values`; without bounds where there are fewer than `fewest`, at least 2."""
    mean = float(np.mean(values))
    if len(values) < max(2, fewest):
        return MeanInterval(mean=mean, low=-math.inf, high=math.inf, p_value=1.0)
    if np.ptp(values) == 0:  # scipy's interval of values without any spread is NaN
        return MeanInterval(mean=mean, low=mean, high=mean, p_value=float(mean == 0))
    test = scipy.stats.ttest_1samp(values, 0.0)
    low, high = test.confidence_interval(LEVEL)
    return MeanInterval(mean=mean, low=float(low), high=float(high), p_value=float(test.pvalue))
