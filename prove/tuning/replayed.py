"""What is replayed on every grid: all methods, and tune under other conditions, which say what bounds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from loaderbench.reports.tune.tune_record import TuneLimits
from loaderbench.reports.units import percent
from prove.tuning.methods import OPTUNA, installed
from prove.tuning.replay import Answered, Grid, Measurements, Method, Methods, replays, tune

SHARE, LITTLE, MORE = 0.15, 0.05, 0.30  # of the grid's time
REPLAYS, REPLAYS_OF_OPTUNA = 1000, 100  # of each dataset: one of Optuna's takes ten times as long
REPLAYS_OF_VARIANTS = 100
LIMITED = "tune, with a limit of memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """A method, how often it is replayed on each grid, and how."""

    method: Callable[[Measurements], Methods]
    times: int
    share: float = SHARE
    noise: float = 1.0

    def answers(self, measured: Measurements, *, most: int) -> list[Answered]:
        """Return what the method answers in each replay, `most` of them at most."""
        times = min(self.times, most)
        return replays(measured, self.method(measured), times=times, share=self.share, noise=self.noise)


def all_replayed() -> Mapping[str, Replayed]:
    """Return what is replayed, by its name in the table."""
    methods = {
        name: Replayed(method=partial(_itself, method), times=REPLAYS_OF_OPTUNA if name == OPTUNA else REPLAYS)
        for name, method in installed().items()
    }
    return {**methods, **variants(), LIMITED: Replayed(method=limited, times=REPLAYS_OF_VARIANTS)}


def variants() -> Mapping[str, Replayed]:
    """Return tune where trials vary less, where there is other time, and where the best order of trials is known."""
    of_tune, times = partial(_itself, tune), REPLAYS_OF_VARIANTS
    little = f"tune, in {percent(LITTLE)} of the grid's time"
    return {
        "tune, if trials varied half as much": Replayed(method=of_tune, times=times, noise=0.5),
        "tune, if trials varied a quarter as much": Replayed(method=of_tune, times=times, noise=0.25),
        "tune, if it tried what costs least first": Replayed(method=in_true_order, times=times),
        f"tune, in {percent(MORE)} of the grid's time": Replayed(method=of_tune, times=times, share=MORE),
        little: Replayed(method=of_tune, times=times, share=LITTLE),
        f"{little}, if it tried what costs least first": Replayed(method=in_true_order, times=times, share=LITTLE),
    }


def _itself(method: Methods, _: Measurements) -> Methods:
    return method


def in_true_order(measured: Measurements) -> Methods:
    """Return tune with an order of trials that no prediction can surpass: by the true costs."""
    costs = dict(zip(measured.places, map(float, measured.truth), strict=True))

    def method(grid: Grid, budget_s: float, seed: int) -> Method:
        return tune(replace(grid, true_costs=costs), budget_s, seed)

    return method


def limited(measured: Measurements) -> Methods:
    """Return tune with a limit of memory."""
    return partial(tune, limit=TuneLimits(memory_bytes=limit_bytes(measured)))


def limit_bytes(measured: Measurements) -> float:
    """Return a limit half way up the grid's memory."""
    usual = np.median(measured.pss_bytes, axis=0)
    return float((usual.min() + usual.max()) / 2)


def above(measured: Measurements, answers: list[Answered]) -> int:
    """Return how many answers recommend what takes more than the limit."""
    usual, limit = np.median(measured.pss_bytes, axis=0), limit_bytes(measured)
    return sum(bool(usual[measured.places[one.recommended]] > limit) for one in answers if one.recommended)
