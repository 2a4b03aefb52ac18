"""Which rank of a training waits for data, and which waits for the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.watch.verdict import judge, worst
from loaderbench.reports.watch.watch_record import Watched

WaitsFor = Literal["data", "the others", "neither", "unknown"]
HALF = 0.5  # of the largest share of waiting: what has less does not wait for data as the slowest rank does


@dataclass(frozen=True, kw_only=True, slots=True)
class RankWaits:
    """One rank's loop over the loader that it waits for the longest."""

    rank: int
    share: float
    """Of the loop that waits for data; NaN where it read no loader."""
    other_s: float
    """The rest of a step, on average: computing, and waiting for the other ranks."""
    waits_for: WaitsFor


def rank_waits(ranks: Sequence[Watched]) -> list[RankWaits]:
    """Return what each rank waits for, in their order.

    In data-parallel training the ranks meet in every step. A rank that waits for data comes late, and the time that the
    others wait for it is a part of their step: theirs is longer than its own, by about what it waits more.
    """
    verdicts = [worst([judge(loader) for loader in watched.loaders]) for watched in ranks]
    shares = np.array([verdict.waiting.share if verdict else np.nan for verdict in verdicts])
    others = np.array([_mean(verdict.times.others) if verdict else np.nan for verdict in verdicts])
    if np.isnan(shares).all():
        return [_of(watched, np.nan, np.nan, "unknown") for watched in ranks]
    slowest = int(np.nanargmax(shares))
    return [
        _of(watched, share, other, _waits_for(share, other, shares[slowest], others[slowest]))
        for watched, share, other in zip(ranks, shares, others, strict=True)
    ]


def most_waiting(ranks: Sequence[Watched]) -> Watched | None:
    """Return the record of the rank that waits for data for the largest share of its loop; None of none."""
    shares = {entry.rank: entry.share for entry in rank_waits(ranks)}
    return max(ranks, key=lambda record: np.nan_to_num(shares[record.rank], nan=-1.0), default=None)


def _mean(times: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the mean of those that are known; NaN where none is."""
    known = np.asarray(times)[~np.isnan(times)]
    return float(known.mean()) if known.size else math.nan


def _of(watched: Watched, share: float, other: float, waits_for: WaitsFor) -> RankWaits:
    return RankWaits(rank=watched.rank, share=float(share), other_s=float(other), waits_for=waits_for)


def _waits_for(share: float, other: float, largest: float, others_there: float) -> WaitsFor:
    if np.isnan(share):
        return "unknown"
    if share > MARGIN and share >= HALF * largest:
        return "data"
    is_longer = other > (1 + MARGIN) * others_there
    return "the others" if largest - share > MARGIN and is_longer else "neither"
