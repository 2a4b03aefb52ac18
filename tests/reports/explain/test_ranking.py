"""The ranking of interventions, from blocks whose effects are known."""

from collections.abc import Callable

import pytest

from loaderbench.reports.explain.ranking import RankedIntervention, rank
from loaderbench.reports.explain.record import Explanation

Explained = Callable[..., Explanation]


def test_what_saves_most_comes_first_and_what_makes_no_difference_is_named_so(explained: Explained) -> None:
    ranking = rank(explained({"none": 0.0, "small": 0.1, "large": 0.4, "harm": -0.3}))
    assert [(intervention.cause, intervention.outcome) for intervention in ranking.interventions] == [
        ("large", "helps"), ("small", "helps"), ("none", "no difference"), ("harm", "harms"), ("pinning", "not run"),
    ]  # fmt: skip
    assert ranking.headline.startswith("large")


def test_a_gain_is_a_share_of_an_epoch_within_its_interval(explained: Explained) -> None:
    first = rank(explained({"large": 0.4})).interventions[0]
    assert first.gain == pytest.approx(0.4, abs=0.01)
    assert first.low < 0.4 < first.high


def test_where_nothing_helps_nothing_is_claimed(explained: Explained) -> None:
    assert "Nothing that was tried" in rank(explained({"a": 0.0, "b": 0.005})).headline


def test_what_is_paid_once_matters_less_in_a_longer_epoch(explained: Explained) -> None:
    short, long = (restarts(explained({"a": 0.0}, samples=samples, starts=1.0)) for samples in (1000, 1_000_000))
    assert short.outcome == "helps"
    assert short.gain == pytest.approx(0.5, abs=0.02)
    assert long.outcome == "no difference"
    assert long.saved_s == pytest.approx(short.saved_s)


def restarts(explanation: Explanation) -> RankedIntervention:
    (only,) = (entry for entry in rank(explanation).interventions if entry.cause == "restarts")
    return only


def test_an_epoch_is_its_passes_scaled_to_the_whole_dataset_and_one_start_of_its_workers(explained: Explained) -> None:
    epoch = rank(explained({"a": 0.1}, samples=10_000, starts=2.0)).epoch
    assert epoch.passes_s == pytest.approx(10.0, rel=0.02)
    assert epoch.start_s == pytest.approx(2.0, rel=0.05)


def test_fewer_than_four_blocks_are_unclear(explained: Explained) -> None:
    assert rank(explained({"large": 0.4}, blocks=3)).interventions[0].outcome == "unclear"


@pytest.mark.parametrize(("interrupted", "end"), [(False, "the budget ended"), (True, "it was interrupted")])
def test_a_cause_without_a_block_was_not_run(explained: Explained, interrupted: bool, end: str) -> None:
    ranking = rank(explained({"late": 0.4}, blocks=0, interrupted=interrupted))
    reasons = {intervention.cause: intervention.reason for intervention in ranking.interventions}
    assert reasons["late"] == f"{end} before its first block"
