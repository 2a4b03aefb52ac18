"""Intervals of throughputs and their ratios, from the rounds of one process.

Rounds of one process share its memory layout, its placement and its moment; another process may differ by more than
these intervals show. They are therefore called within-run spread, not a confidence interval of the truth.

They are worked out from moments (``log_mean``, ``log_sd``, ``n``) of thousands of cases at once, which scipy's tests do
not offer; the tests of this module compare them with scipy's.
"""

from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]  # what scipy.stats.t.ppf calls, without its import

from loaderbench.reports.stats.conventions import LEVEL

Floats = NDArray[np.float64]
Freedom = TypeVar("Freedom", float, Floats)


def t_quantile(freedom: Freedom, level: float = LEVEL) -> Freedom:
    """Return the two-sided quantile of Student's t: the ends of an interval lie so many standard errors from its mean.

    >>> t_quantile(np.array([4.0, 9.0])).round(3).tolist()
    [2.776, 2.262]
    """
    quantile: Freedom = stdtrit(freedom, 0.5 + level / 2)
    return quantile


def rates(amount: pd.Series, seconds: pd.Series, groups: pd.Series) -> pd.DataFrame:
    """Return for each group its rate over all rounds, and the moments of the logarithm of the rounds' rates.

    A round that lacks either number counts in neither total. Columns: ``rate`` (total amount over total time),
    ``log_mean``, ``log_sd`` (NaN for one round), ``n``.
    """
    is_known = amount.notna() & seconds.notna()
    rounds = pd.DataFrame({"amount": amount.where(is_known), "seconds": seconds.where(is_known)})
    rate = (rounds["amount"] / rounds["seconds"]).to_numpy(np.float64)
    rounds["log"] = np.log(rate, out=np.full(len(rate), np.nan), where=rate > 0)
    grouped = rounds.groupby(groups, sort=False)
    totals = grouped[["amount", "seconds"]].sum(min_count=1)
    log = grouped["log"]
    return pd.DataFrame(
        {"rate": totals["amount"] / totals["seconds"], "log_mean": log.mean(), "log_sd": log.std(), "n": log.count()}
    )


def half_width(log_sd: pd.Series, n: pd.Series) -> pd.Series:
    """Return half the t interval of a mean of `n` logarithms; NaN for one round."""
    rounds = n.to_numpy(np.float64)
    freedom = np.where(rounds > 1, rounds - 1, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.Series(t_quantile(freedom) * log_sd.to_numpy(np.float64) / np.sqrt(rounds), index=n.index)


def ratio(above: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    """Return the ratio of the geometric mean rates of two sets of cases, row by row, with Welch's interval.

    Both frames have the columns log_mean, log_sd and n; the result has ratio, low, high (NaN where one of the two has
    one round), and log_se and freedom, from which ratios can be pooled. B. L. Welch, "The generalization of
    'Student's' problem when several different population variances are involved", Biometrika 34 (1947).
    """
    log_mean, log_sd, n = (
        [side[moment].to_numpy(np.float64) for side in (above, below)] for moment in ("log_mean", "log_sd", "n")
    )
    log_se, freedom = welch(log_sd[0], n[0], log_sd[1], n[1])
    return _exponentiated(log_mean[0] - log_mean[1], log_se, freedom)


def welch(sd_above: Floats, n_above: Floats, sd_below: Floats, n_below: Floats) -> tuple[Floats, Floats]:
    """Return the standard error of a difference of two means, and its degrees of freedom (Welch 1947); NaN of one."""
    above, below = sd_above**2 / n_above, sd_below**2 / n_below  # the variances of the two means
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (above + below) ** 2 / (above**2 / (n_above - 1) + below**2 / (n_below - 1))
    return np.sqrt(above + below), freedom


def pooled(ratios: pd.DataFrame) -> pd.Series:
    """Return the geometric mean of independent ratios with its interval, and their number as ``pairs``."""
    log_se, n = ratios["log_se"].to_numpy(np.float64), len(ratios)
    variance = (log_se**2).sum() / n**2
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / ((log_se / n) ** 4 / ratios["freedom"].to_numpy(np.float64)).sum()
    log_ratio = np.log(ratios["ratio"].to_numpy(np.float64)).mean()
    mean = _exponentiated(np.array([log_ratio]), np.array([np.sqrt(variance)]), np.array([freedom])).iloc[0]
    return pd.Series({**mean, "pairs": float(n)})


def _exponentiated(log_ratio: Floats, log_se: Floats, freedom: Floats) -> pd.DataFrame:
    width = np.where(log_se == 0, 0.0, t_quantile(freedom) * log_se)  # equal rounds have no spread, and no freedom
    with np.errstate(over="ignore"):
        ends = {"ratio": np.exp(log_ratio), "low": np.exp(log_ratio - width), "high": np.exp(log_ratio + width)}
    return pd.DataFrame({**ends, "log_se": log_se, "freedom": freedom})
