"""The file ``whatif.json``: what was measured, what was predicted, and how well predictions matched measurements."""

import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import Annotated

import msgspec

from loaderbench.reports.records.command_record import CommandRecord
from loaderbench.reports.stats.intervals import t_quantile
from loaderbench.reports.whatif.pass_schedule import LoaderPass
from loaderbench.reports.whatif.simulation import Scenario
from loaderbench.reports.whatif.typical_pass import standard_error, typical_s

COVERAGE = 0.9  # of measurements are to lie in the intervals

Seconds = Annotated[float, msgspec.Meta(gt=0)]


class HeldOutPass(msgspec.Struct, frozen=True, kw_only=True):
    """A pass that was measured only to be compared with its prediction."""

    num_workers: int
    batch_size: int
    batches: int
    rounds_s: Annotated[tuple[Seconds, ...], msgspec.Meta(min_length=1)]
    predicted_s: Seconds

    @property
    def measured_s(self) -> float:
        """Return what it took as a rule."""
        return typical_s(self.rounds_s)

    @property
    def error(self) -> float:
        """Return by what share of the measurement the prediction is off."""
        return self.predicted_s / self.measured_s - 1

    @property
    def log_error(self) -> float:
        """Return the logarithm of the prediction over the measurement."""
        return math.log(self.predicted_s / self.measured_s)

    @property
    def uncertainty(self) -> float:
        """Return the standard error of `measured_s`, as a share of it; NaN where all rounds are one value."""
        return standard_error(self.rounds_s)


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a batch of one rank in a scenario, and their interval."""

    scenario: Scenario
    batch_size: int
    batch_s: float
    low_s: float
    high_s: float
    error: float | None  # the largest, without sign, of the held-out passes with the nearest number of workers

    @property
    def samples_per_s(self) -> float:
        """Return the throughput of all ranks together."""
        return self.scenario.ranks * self.batch_size / self.batch_s

    @property
    def stall_share(self) -> float:
        """Return the share of a step's time that it waits for its batch."""
        return max(0.0, 1 - self.scenario.step_s / self.batch_s)


class WorkersNeeded(msgspec.Struct, frozen=True, kw_only=True):
    """The fewest workers that keep up with a step; None where no number does."""

    scenario: Scenario
    batch_size: int
    likely: int | None
    best: int | None  # costs lower by what predictions are off
    worst: int | None  # costs higher by as much


class WhatIf(CommandRecord, frozen=True, kw_only=True):
    """Everything that was asked and predicted."""

    COMMAND = "whatif"
    SCHEMA = 3

    seed: int
    dataset: str
    samples: int
    rounds: int  # of measuring
    held_out: tuple[HeldOutPass, ...]
    not_measured: tuple[LoaderPass, ...] = ()  # for lack of time
    predictions: tuple[Prediction, ...]
    workers_needed: tuple[WorkersNeeded, ...]
    not_simulated: tuple[str, ...] = ()  # of the loader, such as pin_memory=True: predictions are without it
    interrupted: bool = False

    @property
    def median_error(self) -> float:
        """Return the median of the absolute errors of the held-out passes; NaN where there was no time for any."""
        return median(abs(held_out.error) for held_out in self.held_out) if self.held_out else math.nan

    @property
    def uncertainty(self) -> float:
        """Return the median of the standard errors of the held-out passes, as shares; NaN where nothing is known."""
        return median(held_out.uncertainty for held_out in self.held_out) if self.held_out else math.nan

    @property
    def worst(self) -> HeldOutPass | None:
        """Return the held-out pass whose prediction is furthest off; None where there was no time for any."""
        return max(self.held_out, key=lambda held_out: abs(held_out.error), default=None)

    @property
    def widening(self) -> float:
        """Return by what log ratio intervals are widened."""
        return widening(self.held_out)


def widening(held_out: Sequence[HeldOutPass]) -> float:
    """Return the log ratio within which a further measurement is predicted with a probability of `COVERAGE`.

    It is the t interval of one more error, where errors, in their logarithm, are normal about zero. 0 where there is no
    held-out pass: nothing is known of the error.
    """
    if not held_out:
        return 0.0
    squares = [passed.log_error**2 for passed in held_out]
    return float(t_quantile(float(len(squares)), COVERAGE)) * math.sqrt(fmean(squares))


def inside(held_out: Sequence[HeldOutPass]) -> list[bool]:
    """Return of each held-out pass whether it lies in the interval that the others give its prediction."""
    return [
        abs(passed.log_error) <= widening([other for other in held_out if other is not passed]) for passed in held_out
    ]
