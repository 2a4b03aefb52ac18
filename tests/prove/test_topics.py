"""The topics of ``make prove``: their goals are named once, and what is judged is judged on made-up numbers."""

import random
from collections import Counter
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from loaderbench.reports.explain.explain_record import (
    DatasetFacts,
    Explanation,
    InterventionFacts,
    LoaderMemory,
    MemoryReadings,
    PassBlock,
)
from loaderbench.reports.explain.ranking import RankedIntervention, Ranking, rank
from loaderbench.reports.stats.recommendation import Recommendation
from prove.injected_causes import CAUSES, NOTHING, TOGETHER, Injected
from prove.topics import TOPICS
from prove.topics.answers import Answer, in_all, judged
from prove.topics.causes import is_copied, is_found, is_leak, is_silent, shares
from prove.topics.changes import alarms, power
from prove.topics.gates import CASES, pool
from prove.topics.recommendations import simulate

MB = 1e6


def readings(*pss_mb: float) -> MemoryReadings:
    pss = tuple(MB * value for value in pss_mb)
    return MemoryReadings(before_pss_bytes=0.0, pss_bytes=pss, uss_bytes=pss, peak_shm_bytes=0.0)


def ranking(gains: dict[str, float], memory: LoaderMemory | None = None) -> Ranking:
    """The ranking of causes that each cost such a share of an epoch."""
    rng = random.Random(0)
    blocks = tuple(
        PassBlock(
            cause=cause,
            samples=64,
            with_cause_s=tuple(rng.gauss(1, 0.01) for _ in range(4)),
            without_cause_s=tuple((1 - gain) * rng.gauss(1, 0.01) for _ in range(4)),
        )
        for cause, gain in gains.items()
        for _ in range(6)
    )
    return rank(
        Explanation(
            schema=Explanation.SCHEMA,
            version="0",
            started="2026-11-26T00:00:00",
            command=(),
            seed=1,
            machine={},
            loader={},
            dataset=DatasetFacts(name="made up", samples=64, samples_read=64),
            budget_s=60.0,
            time_shares={},
            interventions=tuple(InterventionFacts(cause=cause, evidence="", change="") for cause in gains),
            blocks=blocks,
            memory=memory,
        )
    )


def test_every_goal_has_a_name_of_its_own() -> None:
    names = Counter(goal.what for topic in TOPICS for goal in topic.goals)
    assert [name for name, count in names.items() if count > 1] == []
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_a_cause_is_found_if_it_is_first_and_said_to_help() -> None:
    injected = CAUSES[0]
    first, second = f"too {injected.cause}", "something else"
    assert is_found(injected, ranking({second: 0.1, first: 0.5}))
    assert not is_found(injected, ranking({second: 0.5, first: 0.1}))
    assert not is_found(injected, ranking({first: 0.0}))
    assert not is_found(injected, ranking({second: 0.5}))


def test_a_cause_that_is_found_at_the_second_try_only_is_said_to_be() -> None:
    assert (shares([1, 1]).value, shares([1, 1]).note) == (1.0, "2 of 2")
    assert (shares([1, 2, 0, 2]).value, shares([1, 2, 0, 2]).note) == (0.75, "3 of 4, 1 of them in the first minute")


def test_what_removes_the_same_cost_may_come_before_it() -> None:
    injected = Injected(cause="many tensors", dataset="ManyTensors", others=("no workers",))
    assert is_found(injected, ranking({"no workers": 0.8, "many tensors": 0.5, "threads": 0.1}))
    assert not is_found(injected, ranking({"no workers": 0.8, "many tensors": 0.1, "threads": 0.5}))
    assert is_found(Injected(cause=TOGETHER, dataset=""), ranking({TOGETHER: 0.8, "many tensors": 0.5}))


def test_where_nothing_is_injected_no_cause_may_help_or_harm() -> None:
    assert is_silent(NOTHING, ranking({"a": 0.0, "b": 0.001}))
    assert not is_silent(NOTHING, ranking({"a": 0.3, "c": 0.0}))
    assert not is_silent(NOTHING, ranking({"b": -0.3, "c": 0.0}))
    assert is_silent(NOTHING, ranking({"workers where none would do": -0.3, "c": 0.0}))
    assert isinstance(ranking({"a": 0.3}).interventions[0], RankedIntervention)


def test_memory_leaks_where_it_grows_with_every_epoch() -> None:
    growing, flat = ([100 + slope * epoch for epoch in range(13)] for slope in (10.0, 0.0))
    assert is_leak(NOTHING, ranking({}, LoaderMemory(readings=readings(*growing), expected_shm_bytes=0.0)))
    assert not is_leak(NOTHING, ranking({}, LoaderMemory(readings=readings(*flat), expected_shm_bytes=0.0)))
    assert not is_leak(NOTHING, ranking({}))


@pytest.mark.parametrize(("more_mb", "copied"), [(50.0, True), (0.0, False)])
def test_memory_is_copied_where_arrays_hold_less(more_mb: float, copied: bool) -> None:
    lists, arrays = ([readings(100 + more + noise) for noise in (0.0, 1.0, 2.0)] for more in (more_mb, 0.0))
    memory = LoaderMemory(
        readings=readings(100), expected_shm_bytes=0.0, in_objects=tuple(lists), in_arrays=tuple(reversed(arrays))
    )
    assert is_copied(NOTHING, ranking({}, memory)) is copied


def test_generated_blocks_have_the_effect_that_they_say() -> None:
    blocks = pool(np.random.default_rng(0), slower=0.1, expected="regressed", blocks=200)
    throughput = blocks.effects[blocks.effects["case"].isin(CASES)]
    assert throughput["effect"].mean() == pytest.approx(-0.1, abs=0.002)
    assert len(blocks.blocks[0].effects) == len(CASES) + 1


def test_a_large_step_is_reported_and_noise_is_not() -> None:
    assert power(10, 30, 0.01, 0.2) == [1.0, 1.0, 1.0]
    assert alarms(20, 0.0)[0] < 1


def test_what_is_shown_to_be_as_good_is_right_more_often_than_what_is_not_shown_to_be_worse() -> None:
    shares = simulate("close settings", 3, 200)
    assert shares.not_worse < shares.as_good
    assert shares.right_if_shown >= 0.95


def test_the_rate_of_a_setting_is_the_geometric_mean_over_its_processes() -> None:
    rates = [(0, 100.0), (2, 150.0), (0, 400.0), (2, 150.0)]
    cases = pd.DataFrame(rates, columns=["num_workers", "samples_per_s"]).assign(
        loader_samples_per_s=100.0, step_samples_per_s=200.0
    )
    headline = SimpleNamespace(is_shown=True, chosen={"num_workers": 2})
    recommendation = SimpleNamespace(headline=headline, bottleneck="loading")
    answer = judged(cast("Recommendation", recommendation), in_all(cases))
    assert (answer.of_best, answer.loader_over_step) == (pytest.approx(0.75), pytest.approx(0.5))


@pytest.mark.parametrize(
    ("is_shown", "bottleneck", "of_best", "loader_over_step", "is_right"),
    [
        (True, "unknown", 0.98, float("nan"), True),
        (True, "unknown", 0.95, float("nan"), False),
        (False, "unknown", 0.95, float("nan"), True),
        (False, "unknown", 0.5, float("nan"), False),
        (True, "loading", 1.0, 0.5, True),
        (True, "loading", 1.0, 2.0, False),
        (True, "step", 1.0, 2.0, True),
        (True, "turns", 1.0, 2.0, True),
        (True, "open", 1.0, 1.05, True),
        (True, "open", 1.0, 2.0, False),
    ],
)
def test_an_answer_is_right_where_setting_and_bottleneck_are_or_rightly_left_open(
    is_shown: bool, bottleneck: str, of_best: float, loader_over_step: float, is_right: bool
) -> None:
    recommendation = SimpleNamespace(headline=SimpleNamespace(is_shown=is_shown), bottleneck=bottleneck)
    answer = Answer(
        recommendation=cast("Recommendation", recommendation), of_best=of_best, loader_over_step=loader_over_step
    )
    assert answer.is_right is is_right
