"""Change points: what is detected, when, and how often wrongly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaderbench.reports.history.changes import ChangePoint, Floats, change_points

CV = 0.03
CORRELATION = 0.3  # of neighbours: AR(1)


def noise(random: np.random.Generator, points: int, *, cv: float = CV, correlation: float = CORRELATION) -> Floats:
    """Logarithms of `points` values whose spread is `cv`, AR(1) from its stationary distribution."""
    shocks = random.standard_normal(points)
    for point in range(1, points):
        shocks[point] = correlation * shocks[point - 1] + np.sqrt(1 - correlation**2) * shocks[point]
    return cv * shocks


def stepped(random: np.random.Generator, before: int, after: int, *, ratio: float) -> Floats:
    logs = noise(random, before + after)
    logs[before:] += np.log(ratio)
    return np.exp(logs)


@st.composite
def series(draw: st.DrawFn) -> Floats:
    """Levels of any length and height with any noise, now and then an odd run, a zero or a hole."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    heights = np.repeat(draw(st.lists(st.floats(0.5, 2), min_size=len(lengths), max_size=len(lengths))), lengths)
    values = heights * np.exp(noise(random, len(heights), cv=draw(st.sampled_from([0, 0.01, 0.1]))))
    odd = draw(st.lists(st.integers(0, len(values) - 1), max_size=3))
    values[odd] = draw(st.sampled_from([0, np.nan, np.inf, 1e9]))
    return values


@given(series(), st.integers(0, 120))
def test_what_has_been_detected_is_never_taken_back(values: Floats, length: int) -> None:
    early = change_points(values[:length])
    assert change_points(values)[: len(early)] == early


@given(series())
def test_a_change_is_detected_with_the_runs_seen_by_then(values: Floats) -> None:
    assert all(
        change.detected < length for length in range(len(values) + 1) for change in change_points(values[:length])
    )


@given(series(), st.integers(-20, 20))
def test_the_unit_does_not_matter(values: Floats, power: int) -> None:
    assert [change.at for change in change_points(values * 2.0**power)] == [
        change.at for change in change_points(values)
    ]


def test_holes_and_zeros_are_passed_over() -> None:
    values = stepped(np.random.default_rng(0), 20, 10, ratio=1.5)
    holed = np.insert(values, [3, 20, 25], [np.nan, 0.0, np.nan])
    (plain,), (with_holes,) = change_points(values), change_points(holed)
    assert plain.at == 20
    assert holed[with_holes.at] == values[plain.at]


@pytest.mark.parametrize("before", [20, 60, 200])
@pytest.mark.parametrize("odd", [0.3, 2.0])
def test_one_odd_run_is_no_change(before: int, odd: float) -> None:
    values = stepped(np.random.default_rng(5), before, 20, ratio=1)
    assert change_points(values) == ()
    values[before] *= odd
    assert change_points(values) == ()


def test_figures_that_repeat_to_the_digit_do_not_make_a_thousandth_certain() -> None:
    assert change_points([100.0] * 20 + [100.1] * 20) == ()


def test_a_step_without_noise_is_detected_at_its_second_run() -> None:
    assert change_points([100.0] * 20 + [110.0] * 3) == (ChangePoint(at=20, detected=21),)


def test_a_step_and_its_revert_are_two_changes() -> None:
    random = np.random.default_rng(6)
    values = np.concatenate([stepped(random, 30, 12, ratio=1.2), np.exp(noise(random, 12))])
    assert [change.at for change in change_points(values)] == [30, 42]


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 30, [0.0] * 30, [1.0, 2.0] * 3])
def test_too_few_points_have_no_change(values: list[float]) -> None:
    assert change_points(values) == ()


def test_in_noise_fewer_than_one_point_in_a_thousand_is_detected_as_a_change() -> None:
    random = np.random.default_rng(2)
    false_alarms = sum(len(change_points(np.exp(noise(random, 100)))) for _ in range(2000))
    assert false_alarms <= 2000 * 100 / 1000  # prove/topics/changes.py has the rate with its error


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_a_step_of_a_tenth_is_detected_no_later_than_three_runs_after_its_first(ratio: float) -> None:
    random = np.random.default_rng(3)
    series = [change_points(stepped(random, 50, 4, ratio=ratio)) for _ in range(1000)]
    assert sum(any(change.detected >= 50 for change in changes) for changes in series) >= 900
