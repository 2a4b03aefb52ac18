"""How often a race errs, on made-up costs: at most as often as it says. Thousands of races are `make prove`'s."""

import math
import random

import pytest

from loaderbench.reports.stats.conventions import LEVEL
from loaderbench.reports.tune.race import Race
from loaderbench.reports.tune.raced_setting import RacedSetting

RACES = 60
# The hardest truth: the smallest setting costs a little more than the margin above all others.
COSTS = {"smallest": 1.0301, "a": 1.0, "b": 1.0, "c": 1.0}


def raced(seed: int) -> Race:
    """A race of these costs, which vary by 1 % from trial to trial; it looks after every block."""
    rng = random.Random(seed)
    race, spent_s = Race(budget_s=60.0, rng=rng), 0.0
    race.join(RacedSetting(name=name, size=(place,), expected_s=1.0) for place, name in enumerate(COSTS))
    while (name := race.next(spent_s)) is not None:
        race.measured(name, COSTS[name] * math.exp(rng.gauss(0, 0.01)), 1.0)
        spent_s += 1.0
    return race


@pytest.fixture(scope="module")
def races() -> list[Race]:
    return [raced(seed) for seed in range(RACES)]


def recommended(race: Race) -> tuple[str, bool]:
    assert race.recommended is not None
    return race.recommended


def test_what_is_not_within_the_margin_is_seldom_said_to_be_shown(races: list[Race]) -> None:
    wrong = [race for race in races if recommended(race) == ("smallest", True)]
    assert len(wrong) <= (1 - LEVEL) * RACES


def test_what_is_within_the_margin_is_shown_all_the_same(races: list[Race]) -> None:
    assert sum(recommended(race)[1] for race in races) > RACES / 2


def test_intervals_at_the_end_cover_the_truth_although_it_ends_where_it_suits(races: list[Race]) -> None:
    ratios = [
        (COSTS[name] / COSTS[recommended(race)[0]], race.compare(name, recommended(race)[0]))
        for race in races
        for name in COSTS
        if name != recommended(race)[0]
    ]
    covered = [ratio.low <= truth <= ratio.high for truth, ratio in ratios if ratio.blocks]
    assert 0.90 <= sum(covered) / len(covered) <= 0.99
