"""What limits the scaling of many ranks, on made-up cases."""

import math
from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.stats.rank_scaling import Slowest, limit, rank_scalings, slowest_rank

SOUND: dict[str, Any] = {
    "world_size": 2, "efficiency": 0.95, "most_efficiency": 0.0, "slowest": None, "busy_share": 0.5,
    "is_unsharded": False, "repeated_share": 0.0, "stall_share": math.nan,
}  # fmt: skip


def summary(rates: dict[int, float], **columns: Any) -> pd.DataFrame:
    """A summary with a case for each number of ranks."""
    rows = [
        {
            "run": "r", "case": f"ranks={ranks}", "bench": "ranks", "dataset": "images", "device": "cpu",
            "nproc_per_node": ranks, "num_workers": 1, "rounds": 3, "samples_per_s": rate,
            "low_samples_per_s": rate, "high_samples_per_s": rate, "straggler_cost": 0.0, "cpu_share": 1.0,
            "rates_sum_per_s": rate, "fact_world_size": ranks, "fact_hosts": 1, "fact_coverage": "each sample once",
        }
        for ranks, rate in rates.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def rounds(seconds: list[list[float]]) -> pd.DataFrame:
    """Rounds of ranks: a list of seconds for each rank."""
    rows = [
        {"run": "r", "case": "ranks=2", "rank": rank, "host": f"host{rank}", "round": number, "seconds": taken}
        for rank, column in enumerate(seconds)
        for number, taken in enumerate(column)
    ]
    return pd.DataFrame(rows).assign(samples=10.0)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "none"),
        ({"is_unsharded": True}, "unsharded"),
        ({"efficiency": math.nan}, "unknown"),
        ({"efficiency": 0.6, "busy_share": 0.97}, "cpus"),
        ({"efficiency": 0.6, "busy_share": 0.4}, "shared"),
        ({"efficiency": 0.6, "busy_share": math.nan}, "shared"),
        ({"world_size": 1}, "alone"),
        ({"efficiency": 0.8, "most_efficiency": 0.92}, "varies"),
        ({"efficiency": 0.6, "repeated_share": 0.3}, "overlapping"),
        ({"efficiency": 0.6, "stall_share": 0.1}, "step"),
        ({"efficiency": 0.6, "stall_share": 0.4}, "shared"),
    ],
)
def test_what_limits_is_the_first_cause_that_holds(changed: dict[str, Any], expected: str) -> None:
    assert limit(**SOUND | changed) == expected


@pytest.mark.parametrize(("is_always", "expected"), [(True, "one rank"), (False, "changing ranks")])
def test_always_the_same_rank_is_told_from_one_that_changes(is_always: bool, expected: str) -> None:
    slowest = Slowest(rank=1, host="a", share=1.0, rounds=5, is_always=is_always, behind=0.2)
    assert limit(**SOUND | {"efficiency": 0.7, "slowest": slowest}) == expected
    unknown = SOUND | {"efficiency": math.nan, "most_efficiency": math.nan}
    assert limit(**unknown | {"slowest": slowest}) == ("one rank" if is_always else "unknown")


@pytest.mark.parametrize(
    ("seconds", "is_always"),
    [
        ([[1.0, 1.0, 1.0], [1.5, 1.6, 1.5]], True),
        ([[1.0, 1.0, 1.0], [1.01, 1.9, 1.2]], False),  # as chance has it, one time in four
        ([[1.0, 1.0, 3.0], [2.0, 2.0, 1.0]], False),
        ([[1.0], [2.0]], False),
    ],
)
def test_a_rank_is_always_the_slowest_where_its_rounds_show_it(seconds: list[list[float]], is_always: bool) -> None:
    slowest = slowest_rank(rounds(seconds))
    assert slowest is not None
    assert slowest.is_always == is_always


def test_what_a_rank_waits_for_others_is_not_its_own_time() -> None:
    of_two = rounds([[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]).assign(sync_wait_s=[1.0, 1.0, 1.1, 0.0, 0.0, 0.0])
    slowest = slowest_rank(of_two)
    assert slowest is not None
    assert (slowest.rank, slowest.is_always) == (1, True)


def test_ranks_that_are_as_fast_as_one_alone_scale_whatever_they_wait() -> None:
    slowest = Slowest(rank=1, host="a", share=1.0, rounds=5, is_always=True, behind=0.06)
    assert limit(**SOUND | {"slowest": slowest}) == "none"


def test_ranks_that_wait_a_little_for_the_slowest_are_limited_by_what_costs_them_more() -> None:
    waiting = {"slowest": Slowest(rank=1, host="a", share=1.0, rounds=5, is_always=True, behind=0.06)}
    assert limit(**SOUND | waiting | {"efficiency": 0.3, "busy_share": 0.95}) == "cpus"
    assert limit(**SOUND | waiting | {"efficiency": 0.3, "busy_share": 0.5}) == "shared"
    assert limit(**SOUND | waiting | {"efficiency": 0.89}) == "one rank"


def test_the_slowest_rank_is_the_one_of_most_rounds() -> None:
    assert slowest_rank(rounds([[1.0, 1.0, 3.0], [2.0, 2.0, 1.0]])) == Slowest(
        rank=1, host="host1", share=2 / 3, rounds=3, is_always=False, behind=0.5
    )


def test_how_far_the_slowest_is_behind_is_told_by_the_mean_of_the_others() -> None:
    slowest = slowest_rank(rounds([[1.0], [3.0], [4.0]]))
    assert slowest is not None
    assert slowest.behind == 0.5
    assert slowest_rank(rounds([[1.0]])) is None


def test_efficiency_is_throughput_over_as_many_times_one_rank_s() -> None:
    (scaling,) = rank_scalings(summary({2: 150.0, 1: 100.0}), rounds([[1.0], [1.0]]), cpus=2)
    assert scaling.cases["ideal"].tolist() == [100.0, 200.0]
    assert scaling.cases["efficiency"].tolist() == [1.0, 0.75]
    assert (scaling.busy_share, scaling.limit) == (0.5, "shared")


def test_without_one_rank_alone_the_efficiency_is_not_known() -> None:
    (scaling,) = rank_scalings(summary({4: 150.0, 2: 100.0}), rounds([[1.0]]).iloc[:0], cpus=2)
    assert scaling.cases["efficiency"].isna().all()
    assert (scaling.limit, scaling.slowest) == ("unknown", None)


def test_cases_that_differ_in_more_than_ranks_scale_apart() -> None:
    both = pd.concat([summary({1: 100.0, 2: 190.0}), summary({1: 50.0, 2: 100.0}, num_workers=2)], ignore_index=True)
    assert [scaling.limit for scaling in rank_scalings(both, rounds([[1.0], [1.0]]), cpus=2)] == ["none", "none"]


def test_other_benches_have_no_ranks() -> None:
    assert rank_scalings(summary({1: 1.0}, bench="epoch"), rounds([[1.0]]), cpus=2) == []
