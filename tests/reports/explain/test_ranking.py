"""The ranking of interventions, from blocks whose effects are known."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from made_up_explanations import RESTARTS, intervention_of

from loaderbench.reports.explain.explain_record import Explanation, PassBlock
from loaderbench.reports.explain.ranking import RankedIntervention, rank

Explained = Callable[..., Explanation]


def test_what_saves_most_comes_first_and_what_makes_no_difference_is_named_so(explained: Explained) -> None:
    ranking = rank(explained({"none": 0.0, "small": 0.1, "large": 0.4, "harm": -0.3}))
    assert [(intervention.cause, intervention.outcome) for intervention in ranking.interventions] == [
        ("large", "helps"), ("small", "helps"), ("none", "no difference"), ("harm", "harms"), ("pinning", "not run"),
    ]  # fmt: skip
    assert ranking.headline.startswith("Remove 'large'")


def test_a_gain_is_a_share_of_an_epoch_within_its_interval(explained: Explained) -> None:
    first = rank(explained({"large": 0.4})).interventions[0]
    assert first.gain == pytest.approx(0.4, abs=0.01)
    assert first.low < 0.4 < first.high


def test_where_nothing_helps_nothing_is_claimed(explained: Explained) -> None:
    assert "Nothing that was tried" in rank(explained({"a": 0.0, "b": 0.005})).headline
    assert rank(explained({"a": 0.4}, blocks=0)).headline == "Nothing was tried: give it more time (--budget)"
    undecided = rank(explained({"a": 0.4}, blocks=1)).headline
    assert undecided.startswith("Nothing is shown to make this loader faster; 1 cause not decided")


def test_what_is_paid_once_matters_less_in_a_longer_epoch(explained: Explained) -> None:
    short, long = (restarts(explained({"a": 0.0}, samples=samples, starts=1.0)) for samples in (1000, 1_000_000))
    assert short.outcome == "helps"
    assert short.gain == pytest.approx(0.5, abs=0.02)
    assert long.outcome == "no difference"


def restarts(explanation: Explanation) -> RankedIntervention:
    (only,) = (entry for entry in rank(explanation).interventions if entry.cause == "restarts")
    return only


def test_an_epoch_is_its_passes_scaled_to_the_whole_dataset_and_one_start_of_its_workers(explained: Explained) -> None:
    epoch = rank(explained({"a": 0.1}, samples=10_000, starts=2.0)).epoch
    assert epoch.passes_s == pytest.approx(10.0, rel=0.02)
    assert epoch.start_s == pytest.approx(2.0, rel=0.05)


def test_passes_of_other_lengths_are_scaled_by_their_own(explained: Explained) -> None:
    """Twice as many samples in twice the time are as fast: the epoch is as long as before."""
    made = explained({"a": 0.1, "longer": 0.1})
    blocks = tuple(
        msgspec.structs.replace(block, samples=2000, with_cause_s=tuple(2 * seconds for seconds in block.with_cause_s))
        if block.cause == "longer"
        else block
        for block in made.blocks
    )
    epoch = rank(msgspec.structs.replace(made, blocks=blocks)).epoch
    assert epoch.passes_s == pytest.approx(1.0, rel=0.02)


def test_fewer_than_four_blocks_are_unclear(explained: Explained) -> None:
    assert rank(explained({"large": 0.4}, blocks=3)).interventions[0].outcome == "unclear"


@pytest.mark.parametrize(
    ("interrupted", "end"), [(False, "not tried: the budget"), (True, "it was interrupted before its first")]
)
def test_a_cause_without_a_block_was_not_run(explained: Explained, interrupted: bool, end: str) -> None:
    ranking = rank(explained({"late": 0.4}, blocks=0, interrupted=interrupted))
    reasons = {intervention.cause: intervention.reason for intervention in ranking.interventions}
    assert reasons["late"].startswith(end)


def combined(explained: Explained, gain: float, single: float, **facts: Any) -> Explanation:
    """An explanation with one intervention that saves `single`, and a combination that saves `gain`."""
    made = explained({"one": single, "all": gain}, **facts)
    causes = [
        msgspec.structs.replace(entry, combines=("one", "another") if entry.cause == "all" else ())
        for entry in made.interventions
    ]
    return msgspec.structs.replace(made, interventions=tuple(causes))


@pytest.mark.parametrize(("gain", "first"), [(0.6, "all"), (0.49, "all"), (0.3, "one")])
def test_a_combination_comes_first_unless_one_alone_saves_more(explained: Explained, gain: float, first: str) -> None:
    ranking = rank(combined(explained, gain, 0.5))
    assert ranking.best is not None
    assert ranking.best.cause == first
    assert ranking.headline.startswith("All: an epoch then takes" if first == "all" else "Remove 'one': ")


def test_a_loader_that_starts_its_workers_is_scaled_to_an_epoch_with_one_start(explained: Explained) -> None:
    """1000 of 10 000 samples take 1 s and the start another; without the start and half of the rest, 0.5 s."""
    made = explained({"a": 0.0}, samples=10_000, starts=1.0)
    whole = intervention_of("all", keeps_workers=True, combines=("a", RESTARTS))
    blocks = [
        PassBlock(cause="all", samples=1000, with_cause_s=(2.0,), without_cause_s=(0.5 + 0.001 * number,))
        for number in range(6)
    ]
    made = msgspec.structs.replace(made, interventions=(*made.interventions, whole), blocks=(*made.blocks, *blocks))
    best = rank(made).best
    assert best is not None
    assert best.cause == "all"
    assert best.gain == pytest.approx(1 - 5 / 11, abs=0.02)
