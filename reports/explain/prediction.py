"""The prediction: what a loader's costs come to in settings that were not run, and how far that can be believed.

Costs are read at two batch sizes, and taken to be linear in between and beyond. Each round of readings is simulated by
itself; what the model misses on passes that were measured and not used is added to the interval.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from statistics import fmean, median
from typing import Any

import numpy as np

from loaderbench.reports.explain.simulation import Costs, Setting, batch_seconds, pass_seconds

FED = 0.03  # of a step: a loop that waits less is fed
SURE = 0.9  # of held-out cells are missed by less than the interval is widened
MOST_WORKERS = 4  # for each CPU, that are thought of


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What the batches of one pass took, and what its beginning did."""

    begin_s: float
    costs: tuple[Costs, ...]


Ledgers = Sequence[Mapping[int, Read]]  # of each round, by batch size: two of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A pass that was measured and not used: workers, batch size, seconds."""

    num_workers: int
    batch_size: int
    batches: int
    seconds: float
    rounds: tuple[float, ...] = ()
    predicted_s: float = math.nan

    @property
    def miss(self) -> float:
        """By what share the prediction is off."""
        return self.predicted_s / self.seconds - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """What a setting would do: seconds of a batch of one rank, and between what they lie."""

    setting: Setting
    batch_size: int
    batch_s: float
    low_s: float
    high_s: float

    @property
    def samples_per_s(self) -> float:
        """Of all ranks together."""
        return self.setting.ranks * self.batch_size / self.batch_s

    @property
    def waiting(self) -> float:
        """The share of a step's time that it waits."""
        return max(0.0, 1 - self.setting.step_s / self.batch_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The fewest workers that feed a step: likely, at best and at worst; None where none do."""

    setting: Setting
    batch_size: int
    workers: int | None
    best: int | None
    worst: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """Everything that was asked and answered."""

    about: Mapping[str, Any]
    held_out: tuple[Cell, ...]
    guesses: tuple[Guess, ...]
    answers: tuple[Answer, ...]

    @property
    def missed(self) -> float:
        """The median of what held-out cells are missed by, whichever way."""
        return median(abs(cell.miss) for cell in self.held_out)

    @property
    def widened(self) -> float:
        """What 9 of 10 of them are missed by at most, as a log ratio."""
        return widened(self.held_out)


def lookup(
    *,
    about: Mapping[str, Any],
    ledgers: Ledgers,
    held_out: Sequence[Cell],
    cpus: float,
    asked: Sequence[Setting],
    batch_sizes: Sequence[int],
    sample_bytes: float = 0.0,
) -> Lookup:
    """Predict what was held out, then what was asked, as surely as that went."""
    cells = tuple(
        replace(cell, predicted_s=_middle(ledgers, _here(cell, cpus), cell.batch_size, cell.batches))
        for cell in held_out
    )
    wide = widened(cells)
    guesses = [guess(ledgers, setting, size, wide, sample_bytes) for size in batch_sizes for setting in asked]
    machines = {(replace(setting, num_workers=0), size): None for size in batch_sizes for setting in asked}
    answers = [answer(ledgers, setting, size, wide, sample_bytes) for setting, size in machines if setting.step_s]
    return Lookup(about=about, held_out=cells, guesses=tuple(guesses), answers=tuple(answers))


def _here(cell: Cell, cpus: float) -> Setting:
    return Setting(num_workers=cell.num_workers, cpus=cpus)


def widened(cells: Sequence[Cell]) -> float:
    """What `SURE` of cells are missed by at most, as a log ratio."""
    return float(np.quantile([abs(math.log(cell.predicted_s / cell.seconds)) for cell in cells], SURE))


def costs_at(read: Mapping[int, Read], size: int, *, times: float = 1.0, sample_bytes: float = 0.0) -> list[Costs]:
    """Costs of batches of `size` samples: those of the larger size that was read, each part scaled to its line."""
    small, large = sorted(read)
    scales = {}
    for part in (each.name for each in fields(Costs) if each.name.endswith("_s")):
        low, high = (fmean(getattr(cost, part) for cost in read[each].costs) for each in (small, large))
        slope = (high - low) / (large - small) if large > small else 0.0
        scales[part] = max(0.0, high + slope * (size - large)) / high if high else 0.0
    return [
        replace(
            cost,
            **{name: times * scale * getattr(cost, name) for name, scale in scales.items()},
            storage_bytes=times * size * sample_bytes,
        )
        for cost in read[large].costs
    ]


def _middle(ledgers: Ledgers, setting: Setting, size: int, batches: int) -> float:
    """A pass that was measured, by the costs of the middle round."""
    return median(
        pass_seconds(
            costs_at(read, size),
            replace(setting, begin_s=read[max(read)].begin_s if setting.num_workers else 0.0),
            batches,
        )
        for read in ledgers
    )


def guess(ledgers: Ledgers, setting: Setting, size: int, wide: float, sample_bytes: float = 0.0) -> Guess:
    """Predict one setting, in a long pass."""
    paces = [batch_seconds(costs_at(read, size, sample_bytes=sample_bytes), setting) for read in ledgers]
    return Guess(
        setting=setting,
        batch_size=size,
        batch_s=median(paces),
        low_s=max(setting.step_s, min(paces) * math.exp(-wide)),  # no loader makes the step faster
        high_s=max(paces) * math.exp(wide),
    )


def answer(ledgers: Ledgers, setting: Setting, size: int, wide: float, sample_bytes: float = 0.0) -> Answer:
    """Find the fewest workers that feed the step: with costs as read, and off by what the model misses."""
    read = sorted(ledgers, key=_worked_s)[len(ledgers) // 2]
    likely, best, worst = (
        _fewest(costs_at(read, size, times=times, sample_bytes=sample_bytes), setting)
        for times in (1.0, math.exp(-wide), math.exp(wide))
    )
    return Answer(setting=setting, batch_size=size, workers=likely, best=best, worst=worst)


def _worked_s(read: Mapping[int, Read]) -> float:
    return fmean(cost.work_s + cost.send_s for cost in read[max(read)].costs)


def _fewest(costs: Sequence[Costs], setting: Setting) -> int | None:
    fed_s = setting.step_s * (1 + FED)
    parts = ("take_s", "work_s", "send_s", "alone_s")
    taken_s, worked_s, sent_s, alone_s = (fmean(map(attrgetter(part), costs)) for part in parts)
    if min(alone_s, max(taken_s, (worked_s + sent_s) * setting.ranks / setting.cpus)) > fed_s:
        return None  # not by any number
    most = max(1, math.ceil(MOST_WORKERS * setting.cpus / setting.ranks))
    paces = ((workers, batch_seconds(costs, replace(setting, num_workers=workers))) for workers in _ladder(most))
    return next((workers for workers, pace in paces if pace <= fed_s), None)


def _ladder(most: int) -> Iterator[int]:
    """Numbers of workers to try: each up to 16, then in steps of an eighth."""
    count = 0
    while count <= most:
        yield count
        count += 1 if count < 16 else count // 8  # noqa: PLR2004 - as the docstring says
