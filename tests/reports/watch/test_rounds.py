"""A watched loader as rounds of a case."""

import math

from made_up_watches import epoch, loader, steady

from loaderbench.reports.vocabulary import METRICS
from loaderbench.reports.watch.rounds import MOST_ROUNDS, rounds_of
from loaderbench.reports.watch.watch_record import MadeBatch


def test_rounds_are_stretches_of_steps_that_add_up_to_the_loop() -> None:
    rounds = rounds_of(steady(0.4, steps=1000))
    assert len(rounds) == MOST_ROUNDS
    assert math.isclose(sum(entry["seconds"] for entry in rounds), 10.0)
    assert math.isclose(sum(entry["wait_s"] for entry in rounds), 4.0)
    assert {entry["samples"] for entry in rounds} == {4.0 * 50}


def test_their_metrics_are_the_vocabularys() -> None:
    assert set().union(*rounds_of(steady(0.4))) <= set(METRICS)


def test_few_steps_are_one_round_and_no_steps_are_none() -> None:
    assert len(rounds_of(steady(0.4, steps=3))) == 1
    assert rounds_of(loader()) == []


def test_samples_are_counted_where_batches_say_how_many_they_have() -> None:
    known = [MadeBatch(0, task, 0.0, 0.0, 0.0, 0.0, 3, -1, 0.0) for task in range(2)]
    passed = epoch([1.0] * 2, [1.0] * 2)
    assert rounds_of(loader(passed, made=known))[0]["samples"] == 6.0
    assert "samples" not in rounds_of(loader(passed, batch_size=None))[0]
