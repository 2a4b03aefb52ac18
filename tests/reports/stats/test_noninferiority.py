"""Non-inferiority: what rounds show of settings beside each other, on made-up numbers."""

import numpy as np
import pytest

from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.noninferiority import smallest_as_good, standing


def test_a_setting_is_as_good_only_where_its_rounds_show_it() -> None:
    means, n = np.log([985.0, 1000.0]), [9, 9]
    narrow, wide = standing(means, [0.002, 0.002], n), standing(means, [0.05, 0.05], n)
    assert narrow.is_as_good.tolist() == [True, True]
    assert not wide.is_as_good[0]
    assert not wide.is_worse.any()


def test_a_setting_is_compared_with_every_other_and_not_with_the_fastest_alone() -> None:
    means = np.log([1000.0, 1001.0, 1000.0])
    stand = standing(means, [0.002, 0.002, 0.2], [9, 9, 9])  # of the last the rounds know little: it may be better
    assert not stand.is_as_good.any()
    assert stand.against.tolist()[:2] == [2, 2]


def test_where_nothing_is_shown_the_fastest_is_recommended() -> None:
    stand = standing(np.log([1000.0, 1001.0]), [0.2, 0.2], [3, 3])
    assert smallest_as_good(stand, [1000.0, 1001.0]) == (1, False)


def test_one_setting_is_the_best() -> None:
    assert smallest_as_good(standing([0.0], [np.nan], [1]), [1.0]) == (0, True)


def test_beside_a_setting_of_one_round_nothing_is_as_good_and_the_slow_are_still_worse() -> None:
    stand = standing(np.log([500.0, 1000.0, 900.0]), [0.01, 0.01, np.nan], [9, 9, 1])
    assert not stand.is_as_good.any()
    assert stand.is_worse.tolist() == [True, False, False]


def test_equal_rounds_have_no_spread() -> None:
    assert standing([0.0, 0.0], [0.0, 0.0], [3, 3]).low.tolist() == [1, 1]


@pytest.mark.parametrize("settings", [2, 4, 8])
def test_settings_just_outside_the_margin_are_seldom_called_as_good(settings: int) -> None:
    rng = np.random.default_rng(settings)
    truth = np.append(np.full(settings - 1, np.log(1 - MARGIN) - 1e-6), 0.0)  # the hardest to tell from good ones
    wrong = 0
    for _ in range(1000):
        rounds = truth[:, None] + rng.normal(0, 0.02, (settings, 7))
        stand = standing(rounds.mean(axis=1), rounds.std(axis=1, ddof=1), np.full(settings, 7))
        wrong += stand.is_as_good[:-1].any()
    assert wrong / 1000 <= 1 - LEVEL + 0.01
