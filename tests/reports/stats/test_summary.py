"""Rounds to cases: totals over totals, missing is missing, within-run spread from the logarithms."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from loaderbench.reports.records.frame import read_records
from loaderbench.reports.stats.intervals import half_width, pooled, ratio
from loaderbench.reports.stats.summary import latest

Document = dict[str, Any]
Cases = Callable[[Document], pd.DataFrame]


@pytest.fixture
def case(synthetic: Callable[..., Any], cases_of: Cases) -> Callable[..., pd.Series]:
    """Summarise one case with the given columns of rounds."""

    def summarised(bench: str = "training", **rounds: list[float | None]) -> pd.Series:
        source = synthetic()
        document = source.document([source.case("epoch", {"dataset": "text", "num_workers": 1, "batch_size": 2}, 2)])
        extra = document["benchmarks"][0]["extra_info"]
        extra |= {"bench": bench, "rounds": rounds, "warmup": {"seconds": [99.0], "samples": [1]}}
        return cases_of(document).iloc[0]

    return summarised


def test_throughput_is_total_samples_over_total_time(case: Callable[..., pd.Series]) -> None:
    assert case(seconds=[1.0, 3.0], samples=[100, 100])["samples_per_s"] == 50


def test_a_round_that_lacks_a_number_counts_in_neither_total(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0, 3.0, 5.0], samples=[100, None, 100])
    assert result["samples_per_s"] == pytest.approx(200 / 6)
    assert result["n"] == 2


def test_warm_up_counts_nowhere(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0, 1.0], samples=[10, 10])
    assert (result["rounds"], result["samples_per_s"]) == (2, 10)


def test_one_round_has_no_spread(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0], samples=[10])
    assert result["samples_per_s"] == 10
    assert math.isnan(result["low_samples_per_s"])


def test_equal_rounds_have_a_spread_of_nothing(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0, 1.0, 1.0], samples=[10, 10, 10])
    assert result["low_samples_per_s"] == result["high_samples_per_s"] == 10


def test_the_spread_is_the_t_interval_of_the_mean_logarithm(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0, 1.1, 0.9, 1.05], samples=[10] * 4)
    logs = np.log(10 / np.array([1.0, 1.1, 0.9, 1.05]))
    low, high = stats.t.interval(0.95, 3, loc=logs.mean(), scale=stats.sem(logs))
    assert result["high_samples_per_s"] / result["low_samples_per_s"] == pytest.approx(math.exp(high - low))


def test_stall_share_is_waiting_over_time(case: Callable[..., pd.Series]) -> None:
    assert case(seconds=[1.0, 3.0], samples=[1, 1], wait_s=[0.5, 0.5])["stall_share"] == 0.25


def test_a_loader_with_no_step_beside_it_has_no_stall_share(case: Callable[..., pd.Series]) -> None:
    assert math.isnan(case(bench="epoch", seconds=[1.0], samples=[1], wait_s=[1.0])["stall_share"])


def test_the_bound_is_the_lower_of_loader_and_step_and_overlap_what_is_reached(case: Callable[..., pd.Series]) -> None:
    alone = {"loader_seconds": [1.0], "loader_samples": [100], "step_seconds": [1.0], "step_samples": [80]}
    result = case(seconds=[2.0], samples=[120], **alone)
    assert (result["bound_samples_per_s"], result["overlap"]) == (80, 0.75)


def test_without_the_step_there_is_no_bound(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[2.0], samples=[120], loader_seconds=[1.0], loader_samples=[100])
    assert math.isnan(result["bound_samples_per_s"])


def test_memory_added_is_what_each_round_holds_more_than_before_its_loader(case: Callable[..., pd.Series]) -> None:
    result = case(bench="memory", seconds=[1.0] * 3, pss_bytes=[9.0, 30.0, 55.0], base_pss_bytes=[5.0, 20.0, 50.0])
    assert result["added_pss_bytes"] == 5


def test_memory_that_was_given_back_is_below_zero(case: Callable[..., pd.Series]) -> None:
    result = case(bench="memory", seconds=[1.0], pss_bytes=[4e8], base_pss_bytes=[4.1e8])
    assert result["added_pss_bytes"] == -1e7


def test_memory_added_is_missing_where_that_before_the_loader_is(case: Callable[..., pd.Series]) -> None:
    assert math.isnan(case(bench="memory", seconds=[1.0], pss_bytes=[4e8])["added_pss_bytes"])


def test_a_metric_that_no_case_has_is_missing_and_not_zero(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0], samples=[1])
    assert result[["pss_bytes", "added_pss_bytes", "bytes_per_s", "error", "first_batch_s"]].isna().all()


def test_a_round_of_no_samples_counts_in_the_total_alone(case: Callable[..., pd.Series]) -> None:
    result = case(seconds=[1.0, 1.0], samples=[0, 10])
    assert (result["samples_per_s"], result["n"]) == (5, 1)


def test_settings_of_workers_are_blank_where_there_are_none(synthetic: Callable[..., Any], cases_of: Cases) -> None:
    cases = cases_of(synthetic().run())
    alone = cases[cases["num_workers"] == 0]
    assert alone[["persistent_workers", "prefetch_factor", "start_method"]].isna().all(axis=None)


def test_latest_keeps_the_newest_run_of_each_bench_and_dataset(
    synthetic: Callable[..., Any], write: Callable[..., Any]
) -> None:
    old, new = synthetic().run(), synthetic(seed=1).run(started="2026-12-01T00:00:00+00:00", run="new")
    new["benchmarks"] = [case for case in new["benchmarks"] if case["group"] == "epoch"]
    from loaderbench.reports.stats.summary import summarise  # noqa: PLC0415

    kept = latest(summarise(read_records([write(new, "new"), write(old, "old")]).frame))
    assert set(kept.loc[kept["bench"] == "epoch", "run"]) == {"new"}
    assert set(kept.loc[kept["bench"] == "training", "run"]) == {old["loaderbench"]["run"]}


def moments(*samples: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "log_mean": [np.mean(np.log(column)) for column in samples],
            "log_sd": [np.std(np.log(column), ddof=1) for column in samples],
            "n": [float(len(column)) for column in samples],
        }
    )


def test_ratios_have_welchs_interval() -> None:
    a, b = [10.0, 11.0, 10.5, 9.8], [8.0, 9.5, 8.4]
    welch = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval(0.95)
    result = ratio(moments(a), moments(b)).iloc[0]
    assert (result["low"], result["high"]) == pytest.approx((math.exp(welch.low), math.exp(welch.high)))
    assert result["ratio"] == pytest.approx(stats.gmean(a) / stats.gmean(b))


def test_the_ratio_to_a_single_round_has_no_interval() -> None:
    result = ratio(moments([10.0, 11.0]), pd.DataFrame({"log_mean": [2.0], "log_sd": [math.nan], "n": [1.0]})).iloc[0]
    assert math.isnan(result["low"])
    assert result["ratio"] > 0


def test_pooled_ratios_are_their_geometric_mean_with_a_narrower_interval() -> None:
    one = ratio(moments([10.0, 11.0, 10.5]), moments([8.0, 9.5, 8.4]))
    four = pooled(pd.concat([one] * 4))
    assert four["ratio"] == pytest.approx(one["ratio"].iloc[0])
    assert four["high"] / four["low"] < (one["high"] / one["low"]).iloc[0]
    assert four["pairs"] == 4


def test_the_interval_holds_the_true_mean_at_its_level() -> None:
    logs = np.random.default_rng(0).normal(0, 0.1, (4000, 5))
    sd, n = pd.Series(logs.std(axis=1, ddof=1)), pd.Series([5] * 4000)
    covered = np.abs(logs.mean(axis=1)) <= half_width(sd, n)
    assert covered.mean() == pytest.approx(0.95, abs=0.012)
