"""The t interval of a mean."""

import math

import pytest

from loaderbench.reports.explain.mean_interval import mean_interval


def test_it_is_student_s() -> None:
    interval = mean_interval([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.3027, standard error 1/sqrt(3)
    assert interval.mean == 2.0
    assert interval.high - interval.mean == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert interval.mean - interval.low == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)


def test_too_few_values_have_no_bounds() -> None:
    interval = mean_interval([1.0, 1.1, 1.2], fewest=4)
    assert (interval.low, interval.high, interval.p_value) == (-math.inf, math.inf, 1.0)


@pytest.mark.parametrize(("value", "p_value"), [(2.0, 0.0), (0.0, 1.0)])
def test_values_without_spread_are_their_own_interval(value: float, p_value: float) -> None:
    interval = mean_interval([value] * 4)
    assert (interval.low, interval.high, interval.p_value) == (value, value, p_value)
