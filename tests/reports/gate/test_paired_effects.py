"""From the rounds of blocks to effects: by which metrics a case is judged, and how its revisions are paired."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loaderbench.reports.gate.paired_effects import effects, metric_values

PASS = {"seconds": 0.1, "samples": 10.0, "batches": 2.0, "cpu_s": 0.1, "first_batch_s": 0.01, "wait_s": 0.05}
TRAINING = {**PASS, "step_seconds": 0.1, "step_samples": 10.0, "loader_seconds": 0.1, "loader_samples": 10.0}
STARTUP = {"seconds": 1.0, "start_s": 0.1, "first_batch_s": 0.2, "next_first_batch_s": 0.2, "shutdown_s": 0.1}
MEMORY = {"seconds": 1.0, "pss_bytes": 1e8, "base_pss_bytes": 1e7, "uss_bytes": 1e8, "cpu_s": 0.1}


def block(*rounds: dict[str, Any]) -> dict[str, Any]:
    return {"block": 1, "samples": [{"round": 0, **entry} for entry in rounds]}


def pair(base: dict[str, float], head: dict[str, float], case: str = "epoch[a]", number: int = 0) -> Iterable[Any]:
    for revision, metrics in (("base", base), ("head", head)):
        yield {"case": case, "revision": revision, "round": number, **metrics}


@pytest.mark.parametrize(
    ("rounds", "metrics"),
    [
        (PASS, {"samples_per_s", "cpu_per_sample_s"}),
        (TRAINING, {"samples_per_s", "cpu_per_sample_s", "stall_share"}),
        (STARTUP, {"start_s", "first_batch_s", "next_first_batch_s", "shutdown_s"}),
        (MEMORY, {"pss_bytes"}),
        ({"seconds": 0.1, "bytes": 1e6, "cpu_s": 0.1}, {"bytes_per_s"}),
        ({"seconds": 0.1, "passes": 4.0, "cpu_s": 0.1}, {"seconds"}),
        ({"seconds": 0.1, "wait_begin_s": 0.01, "batches": 2.0}, {"seconds"}),
    ],
    ids=["epoch", "training", "startup", "memory", "transfer", "control", "breakdown"],
)
def test_a_case_is_judged_by_the_metrics_that_its_rounds_have(rounds: dict[str, float], metrics: set[str]) -> None:
    assert set(metric_values(pd.DataFrame([rounds]))) == metrics


def test_columns_that_only_other_cases_have_do_not_count() -> None:
    frame = pd.DataFrame([MEMORY, PASS])
    assert set(metric_values(frame.iloc[:1])) == {"pss_bytes"}


def test_a_control_is_judged_by_the_seconds_of_a_pass() -> None:
    (values,) = metric_values(pd.DataFrame([{"seconds": 0.8, "passes": 4.0}])).values()
    assert values.tolist() == [0.2]


def of_rounds(metric: str, values: Sequence[tuple[float, float]], usual: dict[str, float], case: str) -> Any:
    """The row of a metric, of a block with these values of base and head."""
    rows = [
        row
        for number, (base, head) in enumerate(values)
        for row in pair({**usual, metric: base}, {**usual, metric: head}, case, number)
    ]
    return effects([block(*rows)]).set_index("metric").loc[metric]


def test_the_effect_on_a_time_is_that_on_the_faster_half_of_the_rounds() -> None:
    seconds = [(1.0, 1.0), (9.0, 1.1), (1.0, 7.0), (1.0, 1.1)]
    result = of_rounds("start_s", seconds, STARTUP, "startup[a]")
    assert result["effect"] == pytest.approx(math.log(1.1) / 2)
    assert (result["base"], result["head"]) == pytest.approx((1.0, math.sqrt(1.1)))  # those that were compared


def test_the_effect_on_a_speed_is_that_on_the_faster_half_too() -> None:
    rounds = [(0.1, 0.2), (0.9, 0.2), (0.1, 5.0), (0.1, 0.2)]
    rows = [
        row
        for number, (base, head) in enumerate(rounds)
        for row in pair({**PASS, "seconds": base}, {**PASS, "seconds": head}, number=number)
    ]
    result = effects([block(*rows)]).set_index("metric")["effect"]
    assert result["samples_per_s"] == pytest.approx(-math.log(2))


def test_where_a_core_is_slow_for_most_of_the_time_rounds_that_ran_next_to_each_other_are_compared() -> None:
    slow = [1, 2, 2, 1, 2, 2, 2, 1, 2, 2, 2, 2]  # both rounds of a pair, but for two pairs in which that changed
    seconds = [(0.1 * factor, 0.11 * factor) for factor in slow] + [(0.1, 0.22), (0.2, 0.11)]
    result = of_rounds("start_s", seconds, STARTUP, "startup[a]")
    assert result["effect"] == pytest.approx(math.log(1.1))


def test_exchanged_revisions_differ_by_the_same_effect_with_the_other_sign() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        seconds = rng.lognormal(0, 0.3, (int(rng.integers(1, 9)), 2))
        there = of_rounds("start_s", seconds.tolist(), STARTUP, "startup[a]")
        back = of_rounds("start_s", seconds[:, ::-1].tolist(), STARTUP, "startup[a]")
        assert there["effect"] == pytest.approx(-back["effect"])


def test_the_effect_on_memory_is_the_median_over_pairs_not_the_quotient_of_medians() -> None:
    result = of_rounds("pss_bytes", [(1e8, 2e8), (1e9, 1e9), (9e9, 9e9)], MEMORY, "memory[a]")
    assert (result["effect"], result["base"], result["head"]) == (0.0, 1e9, 1e9)


def test_the_spread_of_pairs_is_what_they_do_not_share() -> None:
    result = of_rounds("pss_bytes", [(1e8, 2e8), (1e8, 2e8), (1e8, 2e8)], MEMORY, "memory[a]")
    assert (result["pairs"], result["spread"]) == (3, 0.0)
    one = of_rounds("pss_bytes", [(1e8, 2e8)], MEMORY, "memory[a]")
    assert one["pairs"] == 1
    assert math.isnan(one["spread"])


def test_a_ratio_is_a_logarithm_and_a_share_a_difference() -> None:
    rows = pair(TRAINING, {**TRAINING, "seconds": 0.2, "wait_s": 0.15}, "training[a]")
    result = effects([block(*rows)]).set_index("metric")["effect"]
    assert result["samples_per_s"] == pytest.approx(-math.log(2))
    assert result["stall_share"] == pytest.approx(0.75 - 0.5)


def test_coarse_cpu_times_are_averaged_over_the_block_before_they_are_compared() -> None:
    base, head = (0.1, 0.3), (0.3, 0.1)
    rows = [
        row
        for number in range(2)
        for row in pair({**PASS, "cpu_s": base[number]}, {**PASS, "cpu_s": head[number]}, number=number)
    ]
    result = effects([block(*rows)]).set_index("metric")["effect"]
    assert result["cpu_per_sample_s"] == pytest.approx(0.0)


def test_what_one_revision_lacks_has_no_effect() -> None:
    (base, _) = pair(PASS, PASS)
    assert effects([block(base)]).empty
    assert effects([]).empty
