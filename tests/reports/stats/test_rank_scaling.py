"""What limits the scaling of many ranks, on made-up cases."""

import math
from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.stats.rank_scaling import Slowest, limit, rank_scalings, slowest_rank

SOUND: dict[str, Any] = {
    "efficiency": 0.95, "straggler_cost": 0.01, "slowest": None, "busy_share": 0.5, "is_unsharded": False
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
    ],
)
def test_what_limits_is_the_first_cause_that_holds(changed: dict[str, Any], expected: str) -> None:
    assert limit(**SOUND | changed) == expected


@pytest.mark.parametrize(
    ("share", "count", "expected"), [(1.0, 5, "one rank"), (0.5, 5, "changing ranks"), (1.0, 2, "changing ranks")]
)
def test_always_the_same_rank_is_told_from_one_that_changes(share: float, count: int, expected: str) -> None:
    slowest = Slowest(rank=1, host="a", share=share, rounds=count, behind=0.3)
    assert limit(**SOUND | {"straggler_cost": 0.2, "slowest": slowest}) == expected


def test_ranks_that_wait_a_little_for_the_slowest_are_limited_by_what_costs_them_more() -> None:
    waiting = {"straggler_cost": 0.06, "slowest": Slowest(rank=1, host="a", share=1.0, rounds=5, behind=0.08)}
    assert limit(**SOUND | waiting | {"efficiency": 0.3, "busy_share": 0.95}) == "cpus"
    assert limit(**SOUND | waiting | {"efficiency": 0.3, "busy_share": 0.5}) == "shared"
    assert limit(**SOUND | waiting | {"efficiency": 0.89}) == "one rank"


def test_the_slowest_rank_is_the_one_of_most_rounds() -> None:
    assert slowest_rank(rounds([[1.0, 1.0, 3.0], [2.0, 2.0, 1.0]])) == Slowest(
        rank=1, host="host1", share=2 / 3, rounds=3, behind=0.5
    )


def test_how_far_the_slowest_is_behind_is_told_by_the_mean_of_the_others() -> None:
    slowest = slowest_rank(rounds([[1.0], [3.0], [4.0]]))
    assert slowest is not None
    assert slowest.behind == 0.5
    alone = slowest_rank(rounds([[1.0]]))
    assert alone is not None
    assert alone.behind == 0.0


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
