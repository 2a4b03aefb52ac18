"""Methods of tuning a loader, replayed on measurements of a grid of settings: how far from the best do they end?

The measurements are a table of turns around all settings of the grid. The truth is a setting's mean over all turns. A
replay draws with replacement (the bootstrap: B. Efron, Annals of Statistics 7, 1979). What a method measures at one
moment has in common how slow the machine was in one turn; what is left of a setting is drawn from its own turns: a turn
that is drawn twice is not measured twice to the last digit, which would look like certainty.
"""

import math
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.tune.factors import torchs_values, values_of
from loaderbench.benches.tune.passes import Passes
from loaderbench.benches.tune.search import Search
from loaderbench.benches.tune.space import Space, TunedLoader
from loaderbench.reports.tune.race import Race
from loaderbench.reports.tune.tune_record import Trial, TuneLimits

Floats = NDArray[np.float64]

OTHERS: Mapping[str, Sequence[Any]] = {
    "prefetch_factor": (2,), "persistent_workers": (False,), "pin_memory": (False,), "in_order": (True,),
    "start_method": (None,), "fetch": ("samples",), "collate_fn": ("own",), "one_thread": (False,),
    "keep_memory": (False,),
}  # fmt: skip
NOT_IN_GRID = "it is not in the grid"


@dataclass(kw_only=True)
class OrderedSpace(Space):
    """A space in which what is tried next may be in the order of true costs."""

    true_costs: Mapping[str, float] | None = None

    def further(
        self, effects: Mapping[str, float], best: str, best_with_workers: str | None, best_without: str | None = None
    ) -> list[TunedLoader]:
        """Return what is tried next; what is not in the grid comes last."""
        candidates, costs = super().further(effects, best, best_with_workers, best_without), self.true_costs
        if costs is None:
            return candidates
        return sorted(candidates, key=lambda candidate: costs.get(candidate.name, math.inf))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The settings of a loader that are measured: all combinations of the values of a few factors."""

    name: str
    config: LoaderConfig
    choices: Mapping[str, Sequence[Any]]
    passes: Passes
    is_stream: bool = False
    true_costs: Mapping[str, float] | None = None
    """By setting: what costs least is then tried first, as an order of trials could at best be predicted."""

    def space(self) -> Space:
        """Return the space of these settings, none of them known yet."""
        own = values_of(self.config, 0)
        choices = {**OTHERS, "batch_size": (self.config.batch_size,), **self.choices}
        return OrderedSpace(
            config=self.config,
            choices=choices,
            usual=torchs_values(own),
            is_stream=self.is_stream,
            true_costs=self.true_costs,
        )

    @cached_property
    def settings(self) -> dict[str, TunedLoader]:
        """Return the settings by their names."""
        space, values = self.space(), [torchs_values(values_of(self.config, 0))]
        for name, choices in space.choices.items():
            values = [{**one, name: value} for one in values for value in choices]
        return {candidate.name: candidate for candidate in map(space.candidate, values)}

    def search(self, budget_s: float, seed: int, limit: TuneLimits | None = None) -> Search:
        """Return a search of the grid for a user whose own setting is torch's defaults."""
        own = values_of(self.config, 0)
        space = self.space()
        return Search(
            space=space,
            fault=lambda values: "" if space.candidate(values).name in self.settings else NOT_IN_GRID,
            limit=limit or TuneLimits(),
            passes=self.passes,
            objective="epoch",
            race=Race(
                budget_s=budget_s,
                rng=random.Random(seed),  # noqa: S311 - an order, not a secret
                baselines=frozenset({space.candidate(torchs_values(own)).name}),
            ),
            baselines=(torchs_values(own),),
            own=own,
        )


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What a grid's trials showed; arrays are (turns, settings), in the order of the grid's settings."""

    grid: Grid
    costs: Floats
    seconds: Floats
    pss_bytes: Floats

    @property
    def grid_s(self) -> float:
        """Return the seconds that measuring all of it took."""
        return float(self.seconds.sum())

    @cached_property
    def places(self) -> dict[str, int]:
        """Return the column of each setting."""
        return {name: place for place, name in enumerate(self.grid.settings)}

    @cached_property
    def truth(self) -> Floats:
        """Return (settings,) the mean logarithm of the cost of each."""
        return np.asarray(np.log(self.costs).mean(axis=0))

    @cached_property
    def moments(self) -> Floats:
        """Return (turns,) how slow the machine was in each, as a logarithm around 0."""
        return np.asarray((np.log(self.costs) - self.truth).mean(axis=1))

    @cached_property
    def rests(self) -> Floats:
        """Return (turns, settings) what truth and moment leave; wider, by the degrees of freedom that they took."""
        turns, settings = self.costs.shape
        taken = (turns - 1) * (settings - 1) / (turns * settings)
        return np.asarray((np.log(self.costs) - self.truth - self.moments[:, None]) / math.sqrt(taken))

    def regret(self, name: str, tried: Sequence[str] = ()) -> float:
        """Return by how much a setting costs more than the best one of the grid, or of those `tried`."""
        best = min((self.truth[self.places[one]] for one in tried), default=self.truth.min())
        return float(np.expm1(self.truth[self.places[name]] - best))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a trial showed, and how long it took."""

    cost: float
    seconds: float
    pss_bytes: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What a method recommends; `intervals` are (setting, low, high) of costs over that of the recommended."""

    recommended: str
    is_shown: bool = False
    intervals: tuple[tuple[str, float, float], ...] = ()
    spent_s: float = 0.0
    tried: tuple[str, ...] = ()


Method = Generator[tuple[str, int], Outcome, Answered]
"""It yields a setting and a moment, which trials have in common that are made one after the other, and is sent what
the trial showed."""
Methods = Callable[[Grid, float, int], Method]
"""Grid, budget in seconds, seed."""


def tune(grid: Grid, budget_s: float, seed: int, limit: TuneLimits | None = None) -> Method:
    """Tune as `loaderbench tune` does; where the budget holds no trial, the user keeps the own setting."""
    search, spent_s = grid.search(budget_s, seed, limit), 0.0
    search.start()
    while (name := search.next(spent_s)) is not None:
        block = search.race.block
        outcome = yield name, block
        spent_s += outcome.seconds
        search.measured(_trial(name, block, outcome))
    if not search.tried_any:
        return Answered(recommended=search.space.candidate(search.own).name)
    recommended, is_shown = search.race.recommended or ("", False)
    ratios = {name: search.race.compare(name, recommended) for name in search.race.settings if name != recommended}
    known = ((name, ratio.low, ratio.high) for name, ratio in ratios.items() if ratio.blocks)
    intervals = tuple(one for one in known if not math.isnan(one[1]))
    tried = tuple(search.race.costs.logs)
    return Answered(recommended=recommended, is_shown=is_shown, intervals=intervals, spent_s=spent_s, tried=tried)


def _trial(name: str, block: int, outcome: Outcome) -> Trial:
    cost = outcome.cost
    return Trial(
        setting=name, block=block, epoch_s=cost, sample_s=cost, first_batch_s=cost, cpu_s=cost,
        pss_bytes=outcome.pss_bytes, shm_bytes=0.0, passes=1, seconds=outcome.seconds,
    )  # fmt: skip


@dataclass(kw_only=True)
class Replay:
    """One replay of measurements: `outcome` is what a setting shows at a moment."""

    measured: Measurements
    seed: int
    noise: float = 1.0
    """By which what is left of a setting is multiplied: whether noise is what bounds a method."""
    moments: dict[int, int] = field(default_factory=dict)
    """The turn that each is drawn from."""

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - a bootstrap

    def outcome(self, name: str, moment: int) -> Outcome:
        """Return a trial of a setting at a moment."""
        shown, place = self.measured, self.measured.places[name]
        common = self.moments.setdefault(moment, self._rng.randrange(len(shown.costs)))
        own = self._rng.randrange(len(shown.costs))
        return Outcome(
            cost=math.exp(shown.truth[place] + shown.moments[common] + self.noise * shown.rests[own, place]),
            seconds=float(shown.seconds[own, place]),
            pss_bytes=float(shown.pss_bytes[own, place]),
        )


def run(method: Method, outcome: Callable[[str, int], Outcome]) -> Answered:
    """Run a method on what `outcome` says of a setting and a moment."""
    try:
        asked = next(method)
        while True:
            asked = method.send(outcome(*asked))
    except StopIteration as stop:
        answered: Answered = stop.value
        return answered


def replays(measured: Measurements, method: Methods, *, times: int, share: float, noise: float = 1.0) -> list[Answered]:
    """Return what a method answers in so many replays, within a share of the grid's time."""
    budget_s = share * measured.grid_s
    return [
        run(method(measured.grid, budget_s, seed), Replay(measured=measured, seed=seed, noise=noise).outcome)
        for seed in range(times)
    ]


def covered(measured: Measurements, answers: Sequence[Answered]) -> tuple[int, int]:
    """Return how many intervals have the truth between their ends, and how many there are."""
    truth, places = measured.truth, measured.places
    inside = [
        low <= math.exp(truth[places[name]] - truth[places[answer.recommended]]) <= high
        for answer in answers
        for name, low, high in answer.intervals
    ]
    return sum(inside), len(inside)
