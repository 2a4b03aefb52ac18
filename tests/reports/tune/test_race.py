"""The race, on made-up costs: right, within its budget, and never stopped by a trial that is lost."""

import math
import random
from collections import Counter
from collections.abc import Mapping

import pytest

from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.tune.claims import FEWEST_BLOCKS
from loaderbench.reports.tune.race import LEAST_OF_BASELINE, Race
from loaderbench.reports.tune.raced_setting import RacedSetting

SPREAD = 0.02


def made_up_race(costs: Mapping[str, float], budget_s: float = 1000.0, seed: int = 1, **others: object) -> Race:
    """A race of settings that stand in order, the smallest first; a trial takes a second."""
    race = Race(budget_s=budget_s, rng=random.Random(seed), **others)  # type: ignore[arg-type]
    race.join(RacedSetting(name=name, size=(place,), expected_s=1.0) for place, name in enumerate(costs))
    return race


def run(
    race: Race,
    costs: Mapping[str, float],
    spread: float = SPREAD,
    seed: int = 2,
    trial_s: float = 1.0,
    is_finishing: bool = True,
) -> float:
    """Run it with costs that vary from trial to trial, on a machine that slows down; return the seconds spent."""
    rng, spent_s = random.Random(seed), 0.0
    while True:
        if (name := race.next(spent_s)) is not None:
            cost = costs[name] * (1 + race.block / 50) * math.exp(rng.gauss(0, spread))
            race.measured(name, cost, trial_s)
            spent_s += trial_s
        elif is_finishing and not race.is_finishing:
            race.finish()
        else:
            return spent_s


def grid(seed: int, settings: int = 24) -> dict[str, float]:
    """Costs of workers that divide the work, of a transport that grows with them, and of other arguments."""
    rng = random.Random(seed)
    make_s, send_s = rng.uniform(0.2, 5.0), rng.uniform(0.05, 0.5)
    costs = {}
    for place in range(settings):
        workers = place // 4
        other = rng.choice((1.0, 1.0, 0.99, 1.05, 0.8))
        costs[f"{workers} workers, {place}"] = other * (make_s if not workers else max(make_s / workers, send_s)) + 0.01
    return costs


def test_of_twenty_made_up_grids_at_least_nineteen_answers_are_within_the_margin_of_the_best() -> None:
    right = 0
    for seed in range(20):
        costs = grid(seed)
        race = made_up_race(costs, budget_s=400.0, seed=seed)
        assert run(race, costs, seed=seed) <= 400
        assert race.recommended is not None
        right += costs[race.recommended[0]] <= (1 + MARGIN) * min(costs.values())
    assert right >= 19


def test_it_is_right_in_less_time_than_the_fewest_blocks_of_all_would_take() -> None:
    costs = grid(5)
    race = made_up_race(costs)
    assert run(race, costs, spread=0.01) < FEWEST_BLOCKS * len(costs)
    assert race.ending == "decided"


@pytest.mark.parametrize("budget_s", [1.0, 7.0, 30.0, 55.5])
def test_the_budget_is_never_exceeded_and_there_is_an_answer_all_the_same(budget_s: float) -> None:
    costs = grid(3)
    race = made_up_race(costs, budget_s=budget_s)
    assert run(race, costs, spread=0.2) <= budget_s
    assert race.ending == "budget"
    assert race.recommended is not None


def test_on_a_slow_machine_trials_that_were_not_measured_are_expected_to_take_longer_too() -> None:
    race = made_up_race({"0": 1.0, "1": 1.0})
    assert (race.trial_s("0"), race.trial_s("1")) == (1.0, 1.0)
    race.measured(race.next(0.0) or "", 1.0, 4.0)
    assert (race.trial_s("0"), race.trial_s("1")) == (4.0, 4.0)


def test_a_trial_that_does_not_fit_into_the_time_left_is_not_begun() -> None:
    race = made_up_race({"a": 1.0, "b": 1.0})
    race.join([RacedSetting(name="slow", size=(9,), expected_s=2000.0)])
    assert run(race, {"a": 1.0, "b": 1.0}) < 1000
    assert race.costs.blocks("slow") == 0


def test_the_smallest_setting_is_recommended_if_it_is_within_the_margin_of_the_best() -> None:
    costs = {"0": 2.0, "1": 1.01, "2": 1.0, "4": 1.0}
    race = made_up_race(costs)
    run(race, costs, spread=0.003)
    assert (race.recommended, race.ending) == (("1", True), "decided")
    assert race.status["0"] == "worse"
    assert race.status["2"] == race.status["4"] == "not needed"


def test_what_is_shown_to_be_worse_has_no_further_trials() -> None:
    costs = {"bad": 1.3, "good": 1.0, "better": 0.95}
    race = made_up_race(costs)
    run(race, costs)
    assert race.status["bad"] == "worse"
    assert race.costs.blocks("bad") < race.costs.blocks("good")


def test_far_worse_is_worse_after_one_block() -> None:
    costs = {"far": 10.0, "good": 1.0, "close": 1.05}
    race = made_up_race(costs)
    run(race, costs)
    assert race.costs.blocks("far") == 1


def test_where_the_budget_ends_it_the_best_is_recommended_and_the_others_are_open() -> None:
    costs = {"0": 1.02, "1": 1.0}
    race = made_up_race(costs, budget_s=12.0)
    run(race, costs, spread=0.1)
    assert race.ending == "budget"
    assert race.recommended is not None
    assert not race.recommended[1]
    assert race.open_ones == ["0", "1"]


def test_settings_are_halved_where_there_is_no_time_for_all() -> None:
    costs = {str(place): 1 + place / 40 for place in range(16)}
    race = made_up_race(costs, budget_s=40.0)
    run(race, costs, spread=0.01)
    status = Counter(race.status.values())
    assert status["not pursued"] > 0
    assert race.recommended is not None
    assert costs[race.recommended[0]] <= 1 + MARGIN


def test_a_lost_trial_is_not_the_end() -> None:
    costs = {"0": 1.5, "1": 1.0, "2": 0.5}
    race = made_up_race(costs)
    while (name := race.next(0.0)) is not None:
        if name == "2":
            race.lost(name, "its process was killed by SIGKILL")
        else:
            race.measured(name, costs[name], 1.0)
    assert race.recommended == ("1", True)
    assert (race.status["2"], race.reasons["2"]) == ("lost", "its process was killed by SIGKILL")


def test_what_was_dropped_for_a_setting_that_is_lost_later_is_open_again() -> None:
    costs = {"fast": 0.1, "good": 1.0, "bad": 2.0}
    race = made_up_race(costs)
    run(race, costs, is_finishing=False)
    assert (race.open_ones, race.block) == (["fast"], 1)
    race.lost("fast", "more than --max-memory")
    assert race.open_ones == ["good", "bad"]
    run(race, costs, spread=0.001, is_finishing=False)
    assert race.recommended == ("good", True)


def test_where_every_trial_is_lost_nothing_is_recommended() -> None:
    race = made_up_race({"0": 1.0, "1": 1.0})
    while (name := race.next(0.0)) is not None:
        race.lost(name, "killed")
    assert race.recommended is None


def test_a_baseline_is_compared_with_what_wins_although_it_is_worse() -> None:
    costs = {"torch's": 10.0, "good": 1.0, "close": 1.3}
    race = made_up_race(costs, baselines=frozenset({"torch's"}))
    run(race, costs)
    assert race.status["torch's"] == "worse"
    assert race.costs.common("torch's", "good") == LEAST_OF_BASELINE
    gain = race.compare("torch's", "good")
    assert gain.low < 10 < gain.high


@pytest.mark.parametrize("blocks", [1, 3])  # that there is time for: too few, and enough
def test_a_baseline_that_costs_less_after_all_takes_the_place_of_what_was_not_shown_to_be_as_good(blocks: int) -> None:
    race = made_up_race({"torch's": 1.0, "lucky": 1.0}, budget_s=20.0, baselines=frozenset({"torch's"}))
    for cost in (1.0, 0.9):  # in the one block that there was time for
        race.measured(race.next(0.0) or "", cost, 1.0)
    assert race.recommended == ("lucky", False)
    race.finish()
    trials = 0
    while (name := race.next(0.0 if trials < 2 * blocks else 20.0)) is not None:
        race.measured(name, {"torch's": 1.0, "lucky": 1.2}[name], 1.0)
        trials += 1
    assert race.recommended == ("torch's", False)


def test_where_a_baseline_costs_less_than_a_lucky_setting_the_best_of_all_is_recommended() -> None:
    race = made_up_race({"torch's": 1.0, "good": 0.8, "lucky": 1.0}, budget_s=9.0, baselines=frozenset({"torch's"}))
    for cost in (1.0, 0.8, 0.7):
        race.measured(race.next(0.0) or "", cost, 1.0)
    assert race.recommended == ("lucky", False)
    race.finish()
    for _ in range(2):
        name = race.next(0.0) or ""
        race.measured(name, {"torch's": 1.0, "lucky": 1.6}[name], 1.0)
    assert race.next(9.0) is None
    assert race.recommended == ("good", False)


def test_what_is_lost_while_baselines_are_compared_with_it_is_not_recommended() -> None:
    costs = {"torch's": 2.0, "large": 1.0, "middle": 1.5}
    race = made_up_race(costs, baselines=frozenset({"torch's"}))
    for cost in costs.values():  # a first block is in order
        race.measured(race.next(0.0) or "", cost, 1.0)
    race.finish()
    while (name := race.next(0.0)) is not None:
        if name == "large":
            race.lost(name, "it takes 9 GB, more than --max-memory 8 GB")
        else:
            race.measured(name, costs[name], 1.0)
    assert race.recommended == ("middle", False)


def test_time_is_kept_to_compare_a_baseline_with_what_joined_after_it() -> None:
    costs = {"torch's": 10.0, "good": 1.0, "close": 1.01, "later": 0.98}
    race = made_up_race({name: costs[name] for name in ("torch's", "good", "close")}, baselines=frozenset({"torch's"}))
    race.budget_s = 40.0
    run(race, costs, spread=0.1, is_finishing=False)
    race.budget_s = 80.0
    race.join([RacedSetting(name="later", size=(9,), expected_s=1.0)])
    assert run(race, costs, spread=0.1) <= 80
    assert race.recommended is not None
    assert race.costs.common("torch's", race.recommended[0]) >= LEAST_OF_BASELINE


def test_what_is_only_compared_is_never_recommended() -> None:
    race = made_up_race({"a": 1.0, "b": 0.9}, baselines=frozenset({"torch's"}))
    race.join([RacedSetting(name="torch's", size=(-1,), expected_s=1.0, is_candidate=False)])
    run(race, {"a": 1.0, "b": 0.9, "torch's": 0.1})
    assert race.recommended == ("b", True)
    assert race.costs.common("torch's", "b") == LEAST_OF_BASELINE


def test_settings_that_join_later_are_compared_within_the_blocks_that_they_share() -> None:
    costs = {"a": 1.0, "b": 1.4}
    race = made_up_race(costs)
    run(race, costs, is_finishing=False)
    assert race.ending == "decided"
    race.join([RacedSetting(name="c", size=(5,), expected_s=1.0)])
    run(race, {**costs, "c": 0.5})
    assert race.recommended == ("c", True)
    assert race.status["a"] == "worse"


def test_a_race_starts_from_trials_of_an_earlier_one() -> None:
    costs = {"0": 1.5, "1": 1.0, "2": 0.999}
    first = made_up_race(costs)
    spent_s = run(first, costs)
    trials = [(block, name, math.exp(log)) for name, logs in first.costs.logs.items() for block, log in logs.items()]
    second = made_up_race(costs)
    second.start_from(trials)
    assert run(second, costs) < spent_s / 2
    assert second.recommended == first.recommended


def test_the_order_of_a_block_is_drawn() -> None:
    costs = {str(place): 1 + place / 1000 for place in range(6)}
    race = made_up_race(costs, budget_s=36.0)
    order: list[str] = []
    while (name := race.next(float(len(order)))) is not None:
        order.append(name)
        race.measured(name, costs[name] * (1 + 0.1 * (len(order) % 3)), 1.0)
    turns = [tuple(order[start : start + 6]) for start in range(0, len(order), 6)]
    assert len(set(turns)) > 1
