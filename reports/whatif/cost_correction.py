"""Costs corrected by whole passes that were measured without timestamps, with one worker and with one for each CPU.

Costs come from timestamps, which cost something themselves, and from a pass with one worker, beside which another CPU
was idle. Two numbers for each batch size make up for it. All costs of workers and of taking their batches are
multiplied by a factor, so that the simulated pass with one worker takes what it was measured to take as a rule. The
factor is one for each round of costs: their noise, that of a single traced pass, then changes nothing but how the cost
is divided. And processes slow each other: the `contended_speed` is that by which the pass with a worker for each CPU is
as many times faster than the one with one worker, as it was measured to be.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from loaderbench.reports.whatif.batch_costs import PARTS, CostRound, PassCosts
from loaderbench.reports.whatif.simulation import Costs, Scenario, pass_seconds
from loaderbench.reports.whatif.typical_pass import middle_mean, typical_s

SLOWEST = 0.2  # of the speeds that are considered
HALVINGS = 8  # of the interval in which the speed is sought: to 0.3 %
OF_WORKERS = tuple(part for part in PARTS if part != "alone_s")


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredPass:
    """A pass that was measured: the seconds of its rounds."""

    num_workers: int
    batch_size: int
    batches: int
    rounds_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CostCorrection:
    """By batch size: what costs of a round are multiplied by, and the speed of a process while all CPUs are busy."""

    factors: Mapping[int, float]
    contended_speeds: Mapping[int, float]

    def apply(self, costs: CostRound) -> dict[int, PassCosts]:
        """Return the corrected costs; a size without a number of its own has one between those of its neighbours."""
        return {
            size: replace(
                of_size,
                batches=tuple(
                    _changed(batch, _between(self.factors, size), _between(self.contended_speeds, size))
                    for batch in of_size.batches
                ),
            )
            for size, of_size in costs.items()
        }


def cost_corrections(
    rounds: Sequence[CostRound], measured: Sequence[MeasuredPass], cpus: float
) -> list[CostCorrection]:
    """Return what makes up for the difference between `measured` passes and those simulated, for each of `rounds`.

    Each pass has the seconds of the same rounds, in their order.
    """
    one = {entry.batch_size: entry for entry in measured if entry.num_workers == 1}
    all_busy = {entry.batch_size: entry for entry in measured if entry.num_workers == max(2, math.floor(cpus))}
    speeds = {size: _contended_speed(rounds, one[size], all_busy[size], cpus) for size in all_busy if size in one}
    return [
        CostCorrection(
            factors={
                size: typical_s(entry.rounds_s) / _simulated_s(costs, entry, _between(speeds, size), cpus)
                for size, entry in one.items()
            },
            contended_speeds=speeds,
        )
        for costs in rounds
    ]


def _contended_speed(rounds: Sequence[CostRound], one: MeasuredPass, all_busy: MeasuredPass, cpus: float) -> float:
    """Return the speed at which the simulated passes are to each other as the measured ones, by bisection."""
    pairs = zip(one.rounds_s, all_busy.rounds_s, strict=True)
    measured = middle_mean([math.log(all_s / one_s) for one_s, all_s in pairs])
    slow, fast = SLOWEST, 1.0
    if _log_ratio(rounds, one, all_busy, cpus, fast) >= measured:
        return fast
    for _ in range(HALVINGS):
        middle = (slow + fast) / 2
        if _log_ratio(rounds, one, all_busy, cpus, middle) < measured:
            fast = middle
        else:
            slow = middle
    return (slow + fast) / 2


def _log_ratio(
    rounds: Sequence[CostRound], one: MeasuredPass, all_busy: MeasuredPass, cpus: float, speed: float
) -> float:
    """Return the logarithm of the simulated pass with a worker for each CPU over the one with one worker."""
    return median(
        math.log(_simulated_s(costs, all_busy, speed, cpus) / _simulated_s(costs, one, speed, cpus))
        for costs in _middle(rounds, one.batch_size)
    )


def _middle(rounds: Sequence[CostRound], size: int) -> list[CostRound]:
    """Return three rounds at most, those whose costs are in the middle: the others add little to a median."""
    ordered = sorted(rounds, key=lambda costs: costs[size].mean("work_s") + costs[size].mean("take_s"))
    first = max(0, (len(ordered) - 3) // 2)
    return ordered[first : first + 3]


def _simulated_s(costs: CostRound, measured: MeasuredPass, speed: float, cpus: float) -> float:
    of_size = costs[measured.batch_size]
    scenario = Scenario(num_workers=measured.num_workers, cpus=cpus, begin_s=of_size.begin_s)
    return pass_seconds([_changed(batch, 1.0, speed) for batch in of_size.batches], scenario, measured.batches)


def _changed(batch: Costs, factor: float, contended_speed: float) -> Costs:
    return replace(
        batch, **{part: factor * getattr(batch, part) for part in OF_WORKERS}, contended_speed=contended_speed
    )


def _between(by_size: Mapping[int, float], size: int) -> float:
    """Return the value at `size`: linear in the logarithm of the size between those that have one, constant beyond."""
    if not by_size:
        return 1.0
    sizes = sorted(by_size)
    return float(np.interp(math.log(size), np.log(sizes), [by_size[known] for known in sizes]))
