"""Which case gets the next round: the state machine on made-up costs; there is no clock."""

from collections.abc import Mapping

import numpy as np
import pytest

from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.stats.next_rounds import Allocation, Candidate, Round
from loaderbench.reports.stats.noninferiority import smallest_as_good, standing


def of(*names: str, first: tuple[str, ...] = ()) -> Allocation:
    return Allocation(candidates=[Candidate(name=name, group="") for name in names], first=first)


class MadeUp:
    """Cases of true rates, measured as the allocation asks for them, each round at the price of a second."""

    def __init__(self, rates: Mapping[str, float], *, spread: float = 0.01, seed: int = 0) -> None:
        self.rates, self.spread = rates, spread
        self.rng = np.random.default_rng(seed)
        self.allocation = of(*rates)
        self.measured: list[str] = []

    def run(self, budget_s: float) -> "MadeUp":
        for spent_s in range(int(budget_s)):
            name = self.allocation.next(budget_s - spent_s)
            if name is None:
                break
            self.measured.append(name)
            noise = self.spread * self.rng.standard_normal()
            self.allocation.add(name, [Round(both=np.log(self.rates[name]) + noise)], 1.0)
        return self

    def rounds(self, name: str) -> int:
        return self.measured.count(name)


def test_every_case_is_looked_at_before_any_is_measured_again() -> None:
    allocation, order = of("0", "1", "2", first=("0", "2")), []
    for _ in range(3):
        name = allocation.next(10)
        assert name is not None
        order.append(name)
        allocation.add(name, [Round(both=0.0)], 1.0)
    assert order == ["0", "2", "1"]


def test_what_is_clearly_worse_gets_few_rounds_and_what_is_close_gets_many() -> None:
    run = MadeUp({"0": 100.0, "1": 970.0, "2": 1000.0}, spread=0.03).run(60)
    assert run.rounds("0") <= 4
    assert run.rounds("1") > 10
    assert run.rounds("2") > 10


def test_it_stops_once_a_setting_is_shown_and_no_smaller_one_is_open() -> None:
    run = MadeUp({"0": 500.0, "1": 1000.0, "2": 700.0}).run(1000)
    assert run.allocation.ending == "decided"
    assert len(run.measured) < 20


def test_it_stops_where_the_budget_is_spent() -> None:
    run = MadeUp({"0": 969.0, "1": 1000.0}, spread=0.1).run(12)
    assert run.allocation.next(0.5) is None
    assert run.allocation.ending == "budget"


def test_a_case_that_is_too_dear_for_what_is_left_is_not_begun() -> None:
    allocation = of("0", "1")
    allocation.add("0", [Round(both=0.0)], 30.0)
    assert allocation.next(10.0) is None
    assert allocation.ending == "budget"


def test_a_case_that_failed_is_not_repeated() -> None:
    allocation = of("0", "1")
    allocation.add("0", [], 1.0)
    for _ in range(10):
        if (name := allocation.next(100)) is not None:
            assert name == "1"
            allocation.add("1", [Round(both=0.0)], 1.0)
    assert allocation.ending == "decided"


def test_where_all_fail_there_is_nothing_to_decide() -> None:
    allocation = of("0")
    allocation.add("0", [], 1.0)
    assert (allocation.next(100), allocation.ending) == (None, "decided")


def test_a_first_look_is_one_round_and_so_is_what_is_far_from_the_best() -> None:
    allocation = of("0", "1", "2")
    assert allocation.rounds("0") == 1
    for name, rate in (("0", 1000.0), ("1", 900.0), ("2", 100.0)):
        allocation.add(name, [Round(both=np.log(rate))], 1.0)
    assert [allocation.rounds(name) for name in "012"] == [2, 2, 1]


def test_groups_are_decided_by_themselves() -> None:
    cases = [Candidate(name=f"{group}{number}", group=group) for group in "ab" for number in range(2)]
    allocation = Allocation(candidates=cases)
    rng = np.random.default_rng(0)
    while (name := allocation.next(100)) is not None:
        rate = 0.0 if name.endswith("0") else 0.5
        allocation.add(name, [Round(both=rate + 0.01 * rng.standard_normal())], 1.0)
    assert allocation.ending == "decided"


@pytest.mark.parametrize(("step", "ending"), [(0.5, "decided"), (0.0, "")])
def test_rounds_go_to_training_until_loader_and_step_are_apart(step: float, ending: str) -> None:
    allocation, rng = of("0"), np.random.default_rng(0)
    for _ in range(20):
        if allocation.next(100) is None:
            break
        loader, step_log = rng.normal(0, 0.05), rng.normal(step, 0.05)
        allocation.add("0", [Round(both=-0.1, loader=loader, step=step_log)], 1.0)
    assert allocation.ending == ending


def recommended(allocation: Allocation) -> str:
    logs = [[round_.both for round_ in candidate.rounds] for candidate in allocation.candidates]
    means = [float(np.mean(of_case)) for of_case in logs]
    stand = standing(means, [np.std(of_case, ddof=1) for of_case in logs], [len(of_case) for of_case in logs])
    return allocation.candidates[smallest_as_good(stand, means)[0]].name


def test_what_it_ends_with_is_seldom_worse_than_the_best_though_it_looks_after_every_round() -> None:
    rng, wrong, ended = np.random.default_rng(1), 0, 0
    for seed in range(150):
        rates = dict(zip("0124", rng.uniform(0.9, 1.0, 4), strict=True))
        run = MadeUp(rates, spread=0.02, seed=seed).run(200)
        if run.allocation.ending == "decided":
            ended += 1
            counts = {name: len(case.rounds) for name, case in run.allocation.by_name.items()}
            best = max(rates.values())
            wrong += rates[recommended(run.allocation)] < (1 - MARGIN) * best
            assert min(counts.values()) >= 1
    assert ended > 50
    assert wrong / ended <= 0.05
