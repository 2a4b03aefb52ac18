"""P-values agree with scipy's tests of the same values, and few of many are called significant by chance."""

import numpy as np
import pytest
from scipy import stats

from loaderbench.reports.stats.significance import discoveries, one_sided, signed_ranks

VALUES = np.array([0.11, 0.32, -0.05, 0.21, 0.4, 0.08])


def test_one_sided_p_values_are_those_of_students_t() -> None:
    above, below = one_sided(float(VALUES.mean()), float(stats.sem(VALUES)), len(VALUES) - 1)
    assert above == pytest.approx(stats.ttest_1samp(VALUES, 0, alternative="greater").pvalue)
    assert below == pytest.approx(stats.ttest_1samp(VALUES, 0, alternative="less").pvalue)


def test_an_effect_of_unknown_error_is_never_significant() -> None:
    assert one_sided(5.0, 0.0, 0) == (1, 1)


def test_equal_values_leave_no_doubt_of_their_sign() -> None:
    assert one_sided(0.1, 0.0, 4) == (0, 1)
    assert one_sided(0.0, 0.0, 4) == (1, 1)


def test_signed_ranks_are_exact() -> None:
    above, below = signed_ranks(VALUES)
    assert above == stats.wilcoxon(VALUES, alternative="greater", method="exact").pvalue
    assert below == stats.wilcoxon(VALUES, alternative="less", method="exact").pvalue


def test_sizes_that_tie_are_tested_by_the_normal_approximation() -> None:
    above, _ = signed_ranks(np.array([1.0, 1.0, -1.0, 2.0, 2.0]))
    assert above == pytest.approx(
        stats.wilcoxon([1, 1, -1, 2, 2], alternative="greater", method="asymptotic", correction=True).pvalue
    )


def test_zeros_say_nothing() -> None:
    assert signed_ranks(np.array([0.0, 0.3, 0.0, -0.1])) == signed_ranks(np.array([0.3, -0.1]))
    assert signed_ranks(np.zeros(3)) == (1, 1)


def test_one_small_p_value_among_many_is_no_discovery() -> None:
    assert discoveries([0.04], 0.05) == [True]
    assert discoveries([0.04] + [0.5] * 9, 0.05) == [False] * 10
    assert discoveries([], 0.05) == []
