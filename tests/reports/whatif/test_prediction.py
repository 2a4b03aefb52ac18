"""Predictions from costs that are made up: each can be worked out by hand."""

import math

import pytest

from loaderbench.reports.whatif.batch_costs import CostRound, PassCosts
from loaderbench.reports.whatif.cost_correction import MeasuredPass
from loaderbench.reports.whatif.prediction import Question, check_predictions, predict, workers_needed
from loaderbench.reports.whatif.simulation import Costs, Scenario
from loaderbench.reports.whatif.whatif_record import HeldOutPass, widening

MS = 1e-3


def waiting(sample_s: float = MS) -> CostRound:
    """Batches whose samples wait for `sample_s` each, and cost nothing else; measured at 4 and 16 samples."""
    return {
        size: PassCosts(begin_s=0.0, batches=(Costs(read_s=size * sample_s, alone_s=size * sample_s),) * 8)
        for size in (4, 16)
    }


def held_out(predicted_s: float) -> HeldOutPass:
    return HeldOutPass(num_workers=1, batch_size=8, batches=10, rounds_s=(1.0,), predicted_s=predicted_s)


EXACT = (held_out(1.0),)


def test_a_pass_without_workers_is_predicted_by_what_the_main_process_takes() -> None:
    measured = MeasuredPass(num_workers=0, batch_size=8, batches=100, rounds_s=(0.7, 0.8, 0.8, 1.9))
    (checked,) = check_predictions([waiting()], [measured], cpus=2)
    assert checked.predicted_s == pytest.approx(100 * 8 * MS, rel=1e-3)
    assert checked.measured_s == pytest.approx(0.8)
    assert checked.error == pytest.approx(0.0, abs=1e-3)


def test_the_workers_time_to_begin_counts_in_a_pass_with_workers() -> None:
    late = {size: PassCosts(begin_s=0.5, batches=costs.batches) for size, costs in waiting().items()}
    measured = MeasuredPass(num_workers=1, batch_size=8, batches=100, rounds_s=(1.0,))
    (checked,) = check_predictions([late], [measured], cpus=2)
    assert checked.predicted_s == pytest.approx(0.5 + 100 * 8 * MS, rel=0.02)


def test_samples_that_wait_gain_by_workers_whatever_the_cpus() -> None:
    question = Question(scenarios=tuple(Scenario(num_workers=n, cpus=1) for n in (1, 4, 8)), batch_sizes=(16,))
    predictions, _ = predict([waiting()], EXACT, question)
    assert [prediction.batch_s for prediction in predictions] == pytest.approx([16 * MS, 4 * MS, 2 * MS], rel=0.05)


def test_an_interval_spans_the_rounds_and_what_predictions_were_off() -> None:
    question = Question(scenarios=(Scenario(num_workers=0, cpus=1),), batch_sizes=(16,))
    ((prediction,), _) = predict([waiting(MS), waiting(2 * MS), waiting(3 * MS)], (held_out(1.25),), question)
    off = math.exp(widening((held_out(1.25),)))
    assert prediction.batch_s == pytest.approx(32 * MS)
    assert prediction.low_s == pytest.approx(16 * MS / off)
    assert prediction.high_s == pytest.approx(48 * MS * off)


def test_no_loader_makes_a_step_faster() -> None:
    question = Question(scenarios=(Scenario(num_workers=0, cpus=1, step_s=0.1),), batch_sizes=(16,))
    ((prediction,), _) = predict([waiting()], (held_out(2.0),), question)
    assert prediction.low_s == 0.1


@pytest.mark.parametrize(("step_s", "workers"), [(17 * MS, 0), (8.1 * MS, 2), (2.5 * MS, 7)])
def test_a_step_is_fed_by_as_many_workers_as_it_takes(step_s: float, workers: int) -> None:
    """A batch of 16 samples that wait for 1 ms each takes a worker 16 ms; the loop alone takes them too."""
    needed = workers_needed(waiting(), Scenario(num_workers=0, cpus=64, step_s=step_s), 16, log_error=0.0)
    assert (needed.best, needed.likely, needed.worst) == (workers, workers, workers)


def test_more_workers_are_needed_at_worst_and_fewer_at_best() -> None:
    needed = workers_needed(waiting(), Scenario(num_workers=0, cpus=64, step_s=2.6 * MS), 16, log_error=math.log(1.5))
    assert needed.best is not None
    assert needed.likely is not None
    assert needed.worst is not None
    assert needed.best < needed.likely < needed.worst


def test_where_the_main_process_is_too_slow_no_workers_feed_the_step() -> None:
    slow = {size: PassCosts(begin_s=0, batches=(Costs(take_s=5 * MS, alone_s=9 * MS),)) for size in (4, 16)}
    assert workers_needed(slow, Scenario(num_workers=0, cpus=64, step_s=3 * MS), 16, log_error=0.0).likely is None


def test_workers_are_asked_once_for_each_machine_and_only_for_a_step() -> None:
    with_step = tuple(Scenario(num_workers=n, cpus=cpus, step_s=MS) for cpus in (2, 64) for n in (1, 2))
    assert len(Question(scenarios=with_step, batch_sizes=(16, 32)).machines) == 4
    assert Question(scenarios=(Scenario(num_workers=1, cpus=2),), batch_sizes=(16,)).machines == []


def test_a_prediction_has_the_error_of_the_passes_with_the_nearest_number_of_workers() -> None:
    passes = tuple(
        HeldOutPass(num_workers=workers, batch_size=8, batches=10, rounds_s=(1.0,), predicted_s=predicted_s)
        for workers, predicted_s in ((0, 1.3), (1, 1.1), (2, 0.8), (2, 1.02))
    )
    question = Question(scenarios=tuple(Scenario(num_workers=n, cpus=8) for n in (0, 1, 6)), batch_sizes=(16,))
    predictions, _ = predict([waiting()], passes, question)
    assert [prediction.error for prediction in predictions] == pytest.approx([0.3, 0.1, 0.2])


def test_a_prediction_that_nothing_is_like_has_no_error() -> None:
    question = Question(scenarios=(Scenario(num_workers=0, cpus=8),), batch_sizes=(16,))
    ((prediction,), _) = predict([waiting()], EXACT, question)
    assert prediction.error is None
