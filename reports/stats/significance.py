"""P-values of effects, and which of many may be called significant."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy  # type: ignore[import-untyped]  # scipy.stats takes seconds to import: at its first use
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


def one_sided(effect: float, standard_error: float, freedom: float) -> tuple[float, float]:
    """Return the one-sided p-values of Student's t that an effect is above 0, and that it is below.

    Both are 1 without degrees of freedom: then nothing is known of its error.

    >>> [round(p_value, 4) for p_value in one_sided(2.0, 1.0, 4.0)]
    [0.0581, 0.9419]
    """
    if not freedom:
        return 1.0, 1.0
    if standard_error == 0:
        return float(not effect > 0), float(not effect < 0)
    t = effect / standard_error
    # What scipy.stats.t.cdf calls, without its checks: a calibration asks a hundred thousand times.
    return float(special.stdtr(freedom, -t)), float(special.stdtr(freedom, t))


def signed_ranks(values: Floats) -> tuple[float, float]:
    """Return the one-sided p-values of Wilcoxon's signed-rank test that `values` are above 0, and that they are below.

    Exact; where sizes tie, as coarse CPU times do, by the normal approximation with a correction for continuity. Zeros
    say nothing. F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945).

    >>> signed_ranks(np.array([0.1, 0.3, -0.2, 0.4]))
    (0.1875, 0.875)
    """
    known = values[values != 0]
    if not len(known):
        return 1.0, 1.0
    ranks = np.sign(known) * scipy.stats.rankdata(np.abs(known))
    return _signed_rank_test(tuple(np.sort(ranks).tolist()))


@cache
def _signed_rank_test(signed_ranks: tuple[float, ...]) -> tuple[float, float]:
    """Return the p-values of all values with these signed ranks: scipy takes milliseconds, and few ranks differ.

    With ties scipy would try all permutations, which takes seconds from a dozen values on.
    """
    has_ties = len(set(map(abs, signed_ranks))) < len(signed_ranks)
    method = "asymptotic" if has_ties else "exact"
    above, below = (
        float(scipy.stats.wilcoxon(signed_ranks, alternative=alternative, method=method, correction=True).pvalue)
        for alternative in ("greater", "less")
    )
    return above, below


def discoveries(p_values: Sequence[float], rate: float) -> list[bool]:
    """Return which of these are significant, where at most `rate` of what is called significant may be by chance.

    Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57 (1995).

    >>> discoveries([0.001, 0.04, 0.03, 0.5], 0.05)
    [True, False, False, False]
    """
    if not len(p_values):
        return []
    adjusted = scipy.stats.false_discovery_control(np.clip(p_values, 0, 1))
    return [bool(p_value <= rate) for p_value in adjusted]
