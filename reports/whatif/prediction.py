"""Predictions: what a loader's costs come to in scenarios that were not run, and how far that can be believed.

Costs are measured at a few batch sizes, and taken to be linear between them and beyond. They are then corrected by
passes that were measured and simulated: see `cost_correction.py`. Each round of measurements is simulated by itself: an
interval spans the rounds, and is widened by the error of predictions of passes that were measured and not used.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import msgspec

from loaderbench.reports.whatif.batch_costs import CostRound, costs_at, nearest_size
from loaderbench.reports.whatif.cost_correction import MeasuredPass
from loaderbench.reports.whatif.simulation import Costs, Scenario, batch_seconds, pass_seconds
from loaderbench.reports.whatif.typical_pass import typical_s
from loaderbench.reports.whatif.whatif_record import HeldOutPass, Prediction, WorkersNeeded, widening

KEEPS_UP = 0.03  # of a step: a loader whose batches are waited for less keeps up with it
MOST_WORKERS_PER_CPU = 4  # that are considered
EACH_UP_TO = 16  # workers: every number is considered, from there on in steps of an eighth


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """The scenarios that are asked about, each at every batch size; `sample_bytes` are read from storage a sample."""

    scenarios: tuple[Scenario, ...]
    batch_sizes: tuple[int, ...]
    sample_bytes: float = 0.0

    @property
    def pairs(self) -> list[tuple[Scenario, int]]:
        """Return every scenario with every batch size."""
        return [(scenario, size) for size in self.batch_sizes for scenario in self.scenarios]

    @property
    def machines(self) -> list[tuple[Scenario, int]]:
        """Return the scenarios that have a step, whatever their number of workers, with each batch size."""
        pairs = [(msgspec.structs.replace(scenario, num_workers=0), size) for scenario, size in self.pairs]
        return [pair for pair in dict.fromkeys(pairs) if pair[0].step_s]


def check_predictions(
    rounds: Sequence[CostRound], measured: Sequence[MeasuredPass], cpus: float
) -> tuple[HeldOutPass, ...]:
    """Predict passes that were measured on this machine."""
    return tuple(
        HeldOutPass(
            num_workers=measurement.num_workers,
            batch_size=measurement.batch_size,
            batches=measurement.batches,
            rounds_s=measurement.rounds_s,
            predicted_s=_pass_seconds(rounds, measurement, cpus),
        )
        for measurement in measured
    )


def _pass_seconds(rounds: Sequence[CostRound], measured: MeasuredPass, cpus: float) -> float:
    """Return what a pass is predicted to take as a rule, over the rounds of costs."""
    predicted_s = []
    for costs in rounds:
        begin_s = costs[nearest_size(costs, measured.batch_size)].begin_s if measured.num_workers else 0.0
        scenario = Scenario(num_workers=measured.num_workers, cpus=cpus, begin_s=begin_s)
        predicted_s.append(pass_seconds(costs_at(costs, measured.batch_size), scenario, measured.batches))
    return typical_s(predicted_s)


def predict(
    rounds: Sequence[CostRound], held_out: tuple[HeldOutPass, ...], question: Question
) -> tuple[tuple[Prediction, ...], tuple[WorkersNeeded, ...]]:
    """Return a prediction for every scenario and batch size, and with a step the workers that keep up with it."""
    log_error = widening(held_out)
    predictions = [
        _prediction(rounds, scenario, size, held_out, question.sample_bytes) for scenario, size in question.pairs
    ]
    middle = _spread(rounds, _worker_s)[1]
    needed = [
        workers_needed(middle, scenario, size, log_error, question.sample_bytes) for scenario, size in question.machines
    ]
    return tuple(predictions), tuple(needed)


def _prediction(
    rounds: Sequence[CostRound],
    scenario: Scenario,
    size: int,
    held_out: Sequence[HeldOutPass],
    sample_bytes: float,
) -> Prediction:
    """Return the prediction for a long pass."""
    log_error = widening(held_out)
    spread = _spread(rounds, _worker_s if scenario.num_workers else _alone_s)
    seconds = [batch_seconds(costs_at(costs, size, sample_bytes=sample_bytes), scenario) for costs in spread]
    return Prediction(
        scenario=scenario,
        batch_size=size,
        batch_s=median(seconds),
        low_s=max(scenario.step_s, min(seconds) * math.exp(-log_error)),  # no loader makes the step faster
        high_s=max(seconds) * math.exp(log_error),
        error=_error(held_out, scenario.num_workers),
    )


def _error(held_out: Sequence[HeldOutPass], num_workers: int) -> float | None:
    """Return the largest error, without sign, of the passes with the nearest number of workers; 0 is near to 0 only."""
    alike = [entry for entry in held_out if bool(entry.num_workers) == bool(num_workers)]
    if not alike:
        return None
    nearest = min((entry.num_workers for entry in alike), key=lambda workers: abs(workers - num_workers))
    return max(abs(entry.error) for entry in alike if entry.num_workers == nearest)


def workers_needed(
    costs: CostRound, scenario: Scenario, size: int, log_error: float, sample_bytes: float = 0.0
) -> WorkersNeeded:
    """Return the fewest workers that keep up with the step: with costs as measured, lower and higher by `log_error`."""
    likely, best, worst = (
        _fewest_workers(costs_at(costs, size, factor=factor, sample_bytes=sample_bytes), scenario)
        for factor in (1.0, math.exp(-log_error), math.exp(log_error))
    )
    return WorkersNeeded(scenario=scenario, batch_size=size, likely=likely, best=best, worst=worst)


def _spread(rounds: Sequence[CostRound], cost_s: Callable[[CostRound], float]) -> list[CostRound]:
    """Return the rounds at the 10th, the 50th and the 90th percentile of a cost: to simulate all would take long."""
    ordered = sorted(rounds, key=cost_s)
    return [ordered[round(share * (len(ordered) - 1))] for share in (0.1, 0.5, 0.9)]


def _worker_s(costs: CostRound) -> float:
    return sum(costs[max(costs)].mean(part) for part in ("read_s", "work_s", "send_s", "take_s"))


def _alone_s(costs: CostRound) -> float:
    return costs[max(costs)].mean("alone_s")


def _fewest_workers(costs: Sequence[Costs], scenario: Scenario) -> int | None:
    longest_s = scenario.step_s * (1 + KEEPS_UP)
    take_s = fmean(batch.take_s for batch in costs)
    worker_s = fmean(batch.work_s + batch.send_s for batch in costs)
    alone_s = fmean(batch.alone_s for batch in costs)
    if min(alone_s, max(take_s, worker_s * scenario.ranks / scenario.cpus)) > longest_s:
        return None  # the main process, or all CPUs together, are too slow for any number of workers

    def keeps_up(workers: int) -> bool:
        return batch_seconds(costs, msgspec.structs.replace(scenario, num_workers=workers)) <= longest_s

    if keeps_up(0):
        return 0
    most = max(1, math.ceil(MOST_WORKERS_PER_CPU * scenario.cpus / scenario.ranks))
    least = max(1, math.floor(worker_s / longest_s))  # each batch takes a worker so long
    numbers = [number for number in _numbers_of_workers(most) if number >= least]
    reach = 1
    while reach < len(numbers) and not keeps_up(numbers[reach - 1]):
        reach *= 2
    first = bisect_left(numbers, True, lo=reach // 2, hi=min(reach, len(numbers)), key=keeps_up)
    return numbers[first] if first < len(numbers) else None


def _numbers_of_workers(most: int) -> list[int]:
    """Return the numbers of workers that are considered."""
    numbers = list(range(min(most, EACH_UP_TO) + 1))
    while numbers[-1] >= EACH_UP_TO and (following := numbers[-1] + numbers[-1] // 8) <= most:
        numbers.append(following)
    return numbers
