"""Which case gets the next round: rounds go where they decide which setting to recommend, or what limits training.

First every case is looked at once. Then cases that are shown to be worse are left out, and of those that are left the
one with the fewest rounds is next (action elimination: Even-Dar, Mannor and Mansour, "Action elimination and stopping
conditions", JMLR 7, 2006), so that all are measured in turns and a slow change of the machine meets all alike. It ends
where everything is decided, or where the time left is too short for what is not.

It decides by what the report decides by: `noninferiority`, and the interval of loader alone over step alone. It knows
no clock: it is given the seconds that are left, and what each round showed and cost.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from loaderbench.reports.stats.intervals import ratio
from loaderbench.reports.stats.noninferiority import Floats, Standing, smallest_as_good, standing

LEAST_ROUNDS = 4  # of a case that is to be recommended: an interval of fewer says little
ROUNDS = 2  # of a process: two processes differ by more than two rounds of one
FAR = 0.5  # below so much of the best one more round shows what there is to be shown

Ending = Literal["", "decided", "budget"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one round showed, as logarithms of samples per second; of training also for loader and step alone."""

    both: float
    loader: float | None = None
    step: float | None = None


@dataclass(kw_only=True, slots=True)
class Candidate:
    """A case, and what its rounds have shown so far."""

    name: str
    group: Hashable
    """Cases of one group are compared: they differ in settings of speed alone."""
    rounds: list[Round] = field(default_factory=list)
    cost_s: float | None = None
    """Of its latest round, all that belongs to it included; None before the first."""
    has_failed: bool = False

    @property
    def is_seen(self) -> bool:
        """Return whether it has been looked at."""
        return self.has_failed or bool(self.rounds)


@dataclass(kw_only=True, slots=True)
class Allocation:
    """Says which of the candidates gets the next round; they stand in order, the smallest setting of a group first."""

    candidates: Sequence[Candidate]
    first: Sequence[str] = ()
    """Names of those that are looked at first, in this order."""
    ending: Ending = ""
    """Why there is no next round."""

    def next(self, left_s: float) -> str | None:
        """Return the name of the candidate to measure next, where `left_s` seconds are left; None: no more."""
        wanted = self._not_seen() or self._undecided()
        affordable = [candidate for candidate in wanted if self._expected_s(candidate) <= left_s]
        if not affordable:
            self.ending = "budget" if wanted else "decided"
            return None
        return affordable[0].name

    def rounds(self, name: str) -> int:
        """Return how many rounds of the candidate to measure: one at first, and where it is far from the best."""
        candidate = self.by_name[name]
        if not candidate.rounds:
            return 1
        best = max(_mean(other) for other in self._measured(candidate.group))
        return 1 if _mean(candidate) < best + np.log(FAR) else ROUNDS

    def add(self, name: str, rounds: Sequence[Round], cost_s: float) -> None:
        """Take in what measuring the candidate showed: no round where it failed, which is not repeated."""
        candidate = self.by_name[name]
        candidate.rounds.extend(rounds)
        candidate.cost_s = cost_s
        candidate.has_failed = not rounds

    @property
    def by_name(self) -> Mapping[str, Candidate]:
        """Return the candidates by their names."""
        return {candidate.name: candidate for candidate in self.candidates}

    def _not_seen(self) -> list[Candidate]:
        places = {name: place for place, name in enumerate(self.first)}
        unseen = [candidate for candidate in self.candidates if not candidate.is_seen]
        return sorted(unseen, key=lambda candidate: places.get(candidate.name, len(places)))

    def _undecided(self) -> list[Candidate]:
        """Return the candidates whose rounds could decide something, those with the fewest first."""
        groups = dict.fromkeys(candidate.group for candidate in self.candidates)
        wanted = [candidate for group in groups for candidate in undecided(self._measured(group))]
        return sorted(wanted, key=lambda candidate: len(candidate.rounds))

    def _measured(self, group: Hashable) -> list[Candidate]:
        return [
            candidate
            for candidate in self.candidates
            if candidate.group == group and candidate.rounds and not candidate.has_failed
        ]

    def _expected_s(self, candidate: Candidate) -> float:
        """Return what measuring `candidate` costs: as it did last, else as the dearest of the others."""
        known = [other.cost_s for other in self.candidates if other.cost_s is not None]
        return max(known, default=0.0) if candidate.cost_s is None else candidate.cost_s


def undecided(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those of a group of measured candidates that need more rounds; none where all is decided."""
    if not candidates:
        return []
    stand, means = _standing(candidates)
    position, is_shown = smallest_as_good(stand, means)
    chosen = candidates[position]
    is_open = ~(stand.is_as_good | stand.is_worse)
    if len(candidates) > 1 and not (is_shown and not is_open[:position].any()):
        wanted = [candidate for candidate, is_one in zip(candidates, is_open, strict=True) if is_one]
        return _distinct([chosen, candidates[int(stand.against[position])], *wanted])
    is_short = len(chosen.rounds) < LEAST_ROUNDS
    return [chosen] if is_short or not is_limit_known(chosen) else []


def is_limit_known(candidate: Candidate) -> bool:
    """Return whether the rounds of a training case show which of loader and step is slower; True without training."""
    pairs = [(one.loader, one.step) for one in candidate.rounds if one.loader is not None and one.step is not None]
    if not pairs:
        return True
    columns = ("log_mean", "log_sd", "n")
    loader, step = (pd.DataFrame([_moments(logs)], columns=columns) for logs in zip(*pairs, strict=True))
    loader_over_step = ratio(loader, step).iloc[0]
    return bool(loader_over_step["high"] < 1 or loader_over_step["low"] >= 1)


def _standing(candidates: Sequence[Candidate]) -> tuple[Standing, Floats]:
    moments = np.array([_moments([one.both for one in candidate.rounds]) for candidate in candidates])
    return standing(*moments.T), moments[:, 0]


def _moments(logs: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, standard deviation (NaN of one) and number."""
    number = len(logs)
    if number == 1:
        return logs[0], np.nan, 1.0
    values = np.array(logs)
    mean = values.sum() / number
    deviations = values - mean  # np.std takes five times as long for so few
    return float(mean), float(np.sqrt(deviations @ deviations / (number - 1))), float(number)


def _mean(candidate: Candidate) -> float:
    return float(np.mean([one.both for one in candidate.rounds]))


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    return list({candidate.name: candidate for candidate in candidates}.values())
