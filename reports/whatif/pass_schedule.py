"""The schedule of passes that `whatif` measures within a budget: which is next, of how many samples, and when to stop.

It has no clock of its own. Round 0 warms up with the shortest passes; what these take decides how long the passes of
the other rounds are. A pass that would not end in time is left out; those that costs are computed of come before those
that are held out, as without them nothing is predicted.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

ROUNDS, FEWEST_ROUNDS = 10, 4  # of measuring: at most, and what longer passes may leave of them
READS, READ_S = 5, 0.05  # of a pass in its process: at most, and the seconds after which there are no more
FEWEST_BATCHES = 4  # of a pass
LONGEST_PASS_S = 0.5
SAFETY_FACTOR = 1.1  # of what a pass took before


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderPass:
    """A loader, and what it is read for: to compute costs, or held out to be compared with its prediction."""

    purpose: Literal["costs", "held out"]
    num_workers: int
    batch_size: int
    is_traced: bool = False  # its batches carry timestamps


@dataclass(frozen=True, kw_only=True, slots=True)
class PassTime:
    """What a pass took: `seconds` with its process, its workers' start and all reads, of which one took `read_s`."""

    seconds: float
    read_s: float
    samples: int

    @property
    def start_s(self) -> float:
        """Return the seconds in which nothing was read."""
        return max(0.0, self.seconds - reads(self.read_s) * self.read_s)


def reads(read_s: float) -> int:
    """Return how often a pass is read in one process, if it takes `read_s`: one that takes a moment varies most."""
    return READS if read_s * READS <= READ_S else max(1, math.ceil(READ_S / read_s))


@dataclass(kw_only=True)
class PassSchedule:
    """Rounds of every pass in drawn order, `ROUNDS` of them at most, while `budget_s` lasts.

    Ask `next` what to measure; report what came of it with `measured`.
    """

    passes: Sequence[LoaderPass]
    dataset_samples: int
    budget_s: float
    rng: random.Random
    round: int = -1
    samples: int = 1  # of a pass, and more where its batches are large
    waiting: list[LoaderPass] = field(default_factory=list)  # for their turn in this round
    left_out: list[LoaderPass] = field(default_factory=list)  # costs of a batch size that takes too long
    times: dict[LoaderPass, PassTime] = field(default_factory=dict)  # of the last pass of each

    def next(self, spent_s: float) -> LoaderPass | None:
        """Return the pass that is next when `spent_s` seconds were spent; None to stop."""
        left_s = self.budget_s - spent_s
        self._leave_out_sizes(left_s)
        self._leave_out(left_s)
        if not self.waiting:
            if self.round == ROUNDS:
                return None
            self._begin_round(left_s)
            self._leave_out(left_s)
        return self.waiting[0] if self.waiting and left_s > 0 else None

    def measured(self, loader_pass: LoaderPass, time: PassTime) -> None:
        """Record what a pass took."""
        self.waiting.remove(loader_pass)
        self.times[loader_pass] = time

    def samples_of(self, loader_pass: LoaderPass) -> int:
        """Return the samples that a pass reads in this round."""
        return self._samples(loader_pass, self.samples)

    @property
    def part(self) -> int:
        """Return of how many samples the passes of this round draw theirs: all of the same ones, as costs differ."""
        return max(map(self.samples_of, self.passes))

    def _begin_round(self, left_s: float) -> None:
        self.round += 1
        if self.round == 1:
            self.samples = self._affordable(left_s)
        self.waiting = self.rng.sample(self.passes, len(self.passes))
        if self.round == 0 or sum(map(self._estimate_s, self.waiting)) > left_s:
            self.waiting.sort(key=lambda loader_pass: (loader_pass.purpose == "held out", loader_pass.batch_size))

    def _leave_out_sizes(self, left_s: float) -> None:
        """Do without the costs of the larger batch sizes, but for two, that would take more than half of what is left.

        They are the last ones in round 0: what the smaller ones took is known then.
        """
        costs = [loader_pass for loader_pass in self.passes if loader_pass.purpose == "costs"]
        for size in sorted({loader_pass.batch_size for loader_pass in costs})[2:]:
            of_size = [loader_pass for loader_pass in costs if loader_pass.batch_size == size]
            is_begun = any(loader_pass in self.times for loader_pass in of_size)
            if not is_begun and sum(map(self._estimate_s, of_size)) > left_s / 2:
                self.left_out += of_size
                self.passes = [loader_pass for loader_pass in self.passes if loader_pass not in of_size]
                self.waiting = [loader_pass for loader_pass in self.waiting if loader_pass not in of_size]

    def _leave_out(self, left_s: float) -> None:
        """Leave out passes that would not end in time, and a round of which no costs can be computed any more."""
        too_long = [loader_pass for loader_pass in self.waiting if self._estimate_s(loader_pass) > left_s]
        if any(loader_pass.purpose == "costs" for loader_pass in too_long):
            too_long = list(self.waiting)
        self.waiting = [loader_pass for loader_pass in self.waiting if loader_pass not in too_long]

    def _affordable(self, left_s: float) -> int:
        """Return the samples of a pass, in powers of two, by which all rounds end in time."""
        samples = self.samples
        while samples < self.dataset_samples and self._fits(2 * samples, left_s):
            samples *= 2
        return samples

    def _fits(self, samples: int, left_s: float) -> bool:
        """Return whether all rounds fit; or a few of them, where most of the time goes into starting processes."""
        reads_s = [self._read_s(loader_pass, samples) for loader_pass in self.passes]
        seconds = sum(self._estimate_s(loader_pass, samples) for loader_pass in self.passes)
        rounds = ROUNDS if sum(reads(read_s) * read_s for read_s in reads_s) > seconds / 2 else FEWEST_ROUNDS
        return rounds * seconds <= left_s and max(reads_s) <= LONGEST_PASS_S

    def _estimate_s(self, loader_pass: LoaderPass, samples: int | None = None) -> float:
        """Return what a pass will take with its process, by what it took before; 0 where nothing is known."""
        known = self._known(loader_pass)
        if known is None:
            return 0.0
        read_s = self._read_s(loader_pass, self.samples if samples is None else samples)
        return SAFETY_FACTOR * (known.start_s + reads(read_s) * read_s)

    def _read_s(self, loader_pass: LoaderPass, samples: int) -> float:
        known = self._known(loader_pass)
        return 0.0 if known is None else known.read_s * self._samples(loader_pass, samples) / known.samples

    def _known(self, loader_pass: LoaderPass) -> PassTime | None:
        """Return what the pass took before; else what the slowest of those like it took, if any was measured."""
        if loader_pass in self.times:
            return self.times[loader_pass]
        alike = [time for other, time in self.times.items() if other.num_workers == loader_pass.num_workers]
        return max(alike or self.times.values(), key=lambda time: time.read_s / time.samples, default=None)

    def _samples(self, loader_pass: LoaderPass, samples: int) -> int:
        return min(self.dataset_samples, max(samples, FEWEST_BATCHES * loader_pass.batch_size))
