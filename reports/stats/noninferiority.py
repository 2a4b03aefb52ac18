"""Which settings are shown to be as good as the best: non-inferiority, compared with every other setting.

A setting is *as good* where its throughput is shown to be more than 1 - `MARGIN` times that of each other setting, by
the lower end of Welch's one-sided interval of the ratio (B. L. Welch, Biometrika 34, 1947). It is compared with all of
them and not with the one that happened to be fastest, so there is no selected best to correct for: "worse than at least
one" is a union of hypotheses, and rejecting each of them at a level rejects their union at that level (R. L. Berger,
"Multiparameter hypothesis testing and acceptance sampling", Technometrics 24, 1982). Of `k` settings all but the best
could be claimed wrongly, so each claim is made at an error of (1 - `LEVEL`) / (k - 1): by Bonferroni's inequality all
claims hold together at `LEVEL`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.intervals import welch

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the rounds show of each of k settings beside the others, as ratios of throughput, in the order given."""

    low: Floats
    """(k,) The lower end of the interval of the ratio to the setting for which it is lowest; NaN for one round."""
    high: Floats
    """(k,) The upper end of the interval of the ratio to the setting for which it is lowest; NaN likewise."""
    against: NDArray[np.intp]
    """(k,) The position of the setting by which `low` is decided."""

    @property
    def is_as_good(self) -> NDArray[np.bool_]:
        """Return (k,) whether a setting is shown to be as good as every other one."""
        return np.asarray(self.low > 1 - MARGIN)

    @property
    def is_worse(self) -> NDArray[np.bool_]:
        """Return (k,) whether a setting is shown to be worse than another one by more than the margin."""
        return np.asarray(self.high < 1 - MARGIN)


def standing(log_mean: ArrayLike, log_sd: ArrayLike, n: ArrayLike) -> Standing:
    """Return how k settings stand, from mean, standard deviation and number of the logarithms of their rounds' rates.

    >>> standing([0.0, -0.01], [0.01, 0.01], [9, 9]).is_as_good.tolist()
    [True, True]
    >>> standing([0.0, -0.1], [0.01, 0.01], [9, 9]).is_worse.tolist()
    [False, True]
    """
    mean, sd, rounds = (np.asarray(moment, dtype=np.float64) for moment in (log_mean, log_sd, n))
    if len(mean) == 1:
        one = np.ones(1)
        return Standing(low=one, high=one, against=np.zeros(1, dtype=np.intp))
    difference = mean[:, None] - mean
    error, freedom = welch(sd[:, None], rounds[:, None], sd, rounds)
    quantile = stdtrit(freedom, 1 - (1 - LEVEL) / (len(mean) - 1))
    width = np.where(error == 0, 0.0, quantile * error)  # equal rounds have no spread, and no freedom
    others = ~np.eye(len(mean), dtype=bool)
    low, high = (np.where(others, difference + side * width, np.inf) for side in (-1, 1))
    # A setting with one round has no interval: beside it no other is shown to be as good, which NaN says.
    high = np.fmin.reduce(high, axis=1)
    high[np.isinf(high)] = np.nan
    return Standing(low=np.exp(low.min(axis=1)), high=np.exp(high), against=low.argmin(axis=1))


def smallest_as_good(shown: Standing, rates: Sequence[float] | Floats) -> tuple[int, bool]:
    """Return the position to recommend, and whether it is shown to be as good: else it is that of the highest rate.

    The settings stand in order, smallest first.
    """
    if shown.is_as_good.any():
        return int(shown.is_as_good.argmax()), True
    return int(np.argmax(rates)), False
