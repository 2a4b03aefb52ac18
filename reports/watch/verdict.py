"""Whether a loop waits for its loader, for what, and how much faster it could be at most."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.stats.intervals import t_quantile
from loaderbench.reports.watch.loops import Floats, LoopTimes, loop_times
from loaderbench.reports.watch.watch_record import WatchedLoader

Outcome = Literal["bottleneck", "not the bottleneck", "unclear", "not read"]
Reason = Literal["throughput", "starts", "slow batches", ""]

MOST_BLOCKS, FEWEST_BLOCKS = 20, 5
FEW = 0.05  # of the batches: if these have most of the waiting, it is single batches that are slow
MOST = 0.5  # of the waiting
FEWEST_BATCHES = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitShare:
    """The share of the loops that is waiting, with the ends of its interval over steps; NaN where they are too few."""

    share: float
    low: float
    high: float

    @property
    def most_speedup(self) -> float:
        """Return by what factor the loop would be faster at most if loading were free (Amdahl 1967)."""
        return speedup(self.share)


def speedup(share: float) -> float:
    """Return the factor by which a loop is faster once `share` of it takes no time.

    >>> speedup(0.5), speedup(0.0)
    (2.0, 1.0)
    """
    return 1 / (1 - share) if share < 1 else math.inf


def wait_share(times: LoopTimes, num_workers: int = 0) -> WaitShare:
    """Return the share of waiting and its interval: t over means of blocks of successive steps, as a ratio of totals.

    Steps are not independent: batches come in bursts of `num_workers`, so that a block has some bursts at least
    (batch means: Conway 1963; the variance of a ratio: Cochran 1977, ch. 6).
    """
    whole = times.is_whole
    waits = times.lost[whole]
    loops = times.waits[whole] + times.others[whole]
    blocks = min(MOST_BLOCKS, len(waits) // (2 * max(1, num_workers)))
    if blocks < FEWEST_BLOCKS or not loops.sum():
        return WaitShare(share=times.share, low=math.nan, high=math.nan)
    edges = np.linspace(0, len(waits), blocks + 1).astype(int)[:-1]
    block_waits, block_loops = np.add.reduceat(waits, edges), np.add.reduceat(loops, edges)
    residuals = (block_waits - waits.sum() / loops.sum() * block_loops) / block_loops.mean()
    half = float(t_quantile(float(blocks - 1)) * residuals.std(ddof=1) / math.sqrt(blocks))
    return WaitShare(share=times.share, low=max(0.0, times.share - half), high=min(1.0, times.share + half))


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopVerdict:
    """What is concluded about one loader."""

    loader: WatchedLoader
    times: LoopTimes
    waiting: WaitShare
    outcome: Outcome
    reason: Reason
    """Of a bottleneck: what most of the waiting is for."""
    parts: Mapping[Reason, float]
    """Seconds of waiting: "starts" (first batches and ends of passes), "slow batches", "throughput"."""


def judge(loader: WatchedLoader) -> LoopVerdict:
    """Return the verdict on a loader.

    It is the bottleneck where the interval of its wait share lies above `MARGIN`, and not where it lies below.
    """
    times = loop_times(loader)
    waiting = wait_share(times, int(loader.facts.get("num_workers") or 0))
    parts = waiting_parts(times)
    outcome: Outcome = "unclear"
    if not len(times.waits):
        outcome = "not read"
    elif waiting.low > MARGIN:
        outcome = "bottleneck"
    elif waiting.high <= MARGIN:
        outcome = "not the bottleneck"
    largest = max(parts, key=parts.__getitem__)
    return LoopVerdict(
        loader=loader,
        times=times,
        waiting=waiting,
        outcome=outcome,
        reason=largest if outcome == "bottleneck" else "",
        parts=parts,
    )


def waiting_parts(times: LoopTimes) -> dict[Reason, float]:
    """Return the seconds waited: at the starts and ends of passes, for a few slow batches, and for all others.

    A few: the `FEW` batches that were waited for the longest, if they have more than `MOST` of the waiting between
    starts and ends. Of less than `FEWEST_BATCHES` that is never said.
    """
    starts_s = float(times.lost[times.is_first].sum() + times.end_waits.sum())
    steady = np.sort(times.lost[~times.is_first])[::-1]
    slow = steady[: math.ceil(FEW * len(steady))]
    is_few = len(steady) >= FEWEST_BATCHES and slow.sum() > MOST * steady.sum()
    slow_s = float(slow.sum()) if is_few else 0.0
    return {"starts": starts_s, "slow batches": slow_s, "throughput": float(steady.sum()) - slow_s}


def burst(times: LoopTimes, num_workers: int) -> float | None:
    """Return the share of the waiting that falls on one batch in `num_workers`; None where that means nothing.

    Close to 1: batches come in bursts, one is waited for and the others are there, as all workers are equally far.
    """
    steady: Floats = times.waits[~times.is_first]
    if num_workers < 2 or len(steady) < 4 * num_workers or not steady.sum():  # noqa: PLR2004 - some rounds of the workers
        return None
    rounds = steady[: len(steady) // num_workers * num_workers].reshape(-1, num_workers)
    rounds = np.minimum(rounds, np.quantile(rounds.max(axis=1), 0.9))  # a single slow batch is no burst
    return float(rounds.max(axis=1).sum() / rounds.sum()) if rounds.sum() else None


def worst(verdicts: list[LoopVerdict]) -> LoopVerdict | None:
    """Return the verdict on the loader whose waiting cost the most time; None where none was read."""
    read = [verdict for verdict in verdicts if len(verdict.times.waits)]
    return max(read, key=lambda verdict: verdict.times.lost_s, default=None)
