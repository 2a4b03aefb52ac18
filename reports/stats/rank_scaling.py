"""What many ranks gain over one, and what keeps them from gaining more."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from loaderbench.reports.records.frame import FACT
from loaderbench.reports.wording import settings_of

RANK_BENCHES = ("ranks", "ranks_training")
_COUNTS = ("nproc_per_node", "nnodes")  # settings that say how many ranks there are, not what they do
SCALES = 0.9  # of the ideal: nothing worth a change is lost
NOTABLE_STRAGGLER = 0.05  # of the ranks' time, lost by waiting for the slowest
MOST_OF_THE_LOSS = 0.5  # of the logarithm of the efficiency: losses multiply
STABLE = 0.8  # of the rounds in which the same rank is the slowest
ENOUGH_ROUNDS = 3  # to say that it is always the same one
BUSY = 0.85  # of the CPUs

Limit = Literal["unsharded", "none", "one rank", "changing ranks", "cpus", "shared", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Slowest:
    """The rank that is the slowest most often, and how much slower than the others the slowest one is."""

    rank: int
    host: str
    share: float
    """Of the rounds."""
    rounds: int
    behind: float
    """1 - the mean of the other ranks' seconds over those of the slowest: the median over the rounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RankScaling:
    """Cases that differ in the number of ranks alone, the fewest first, and what limits the one with most."""

    cases: pd.DataFrame
    """Of the summary, with world_size, ideal (samples/s) and efficiency: throughput over the ideal."""
    ranks: pd.DataFrame
    """Of the case with most ranks: a row for each rank and round, as in `Records.ranks`."""
    slowest: Slowest | None
    busy_share: float
    """Of the CPUs of all hosts; NaN where it is not known."""
    limit: Limit

    @property
    def most(self) -> pd.Series:
        """Return the case with most ranks."""
        return self.cases.iloc[-1]


def rank_scalings(cases: pd.DataFrame, ranks: pd.DataFrame, cpus: float) -> list[RankScaling]:
    """Return the scaling of every setting that many ranks were measured with; `cpus` is what one host has."""
    return [_of_group(group, ranks, cpus) for group in _groups(cases)]


def _groups(cases: pd.DataFrame) -> Iterator[pd.DataFrame]:
    known = cases[cases["bench"].isin(RANK_BENCHES) & cases["samples_per_s"].notna()]
    if known.empty or f"{FACT}world_size" not in known:
        return
    about = ["run", "bench", *(name for name in settings_of(known) if name not in _COUNTS)]
    for _, group in known.groupby(about, sort=False, dropna=False):
        table = group.assign(world_size=group[f"{FACT}world_size"].astype(int)).sort_values("world_size")
        yield _with_ideal(table.drop_duplicates("world_size").reset_index(drop=True))


def _with_ideal(table: pd.DataFrame) -> pd.DataFrame:
    """Add what the ranks would reach if each were as fast as one rank alone; NaN where one alone was not measured."""
    has_one = table["world_size"].iloc[0] == 1
    alone = float(table["samples_per_s"].iloc[0]) if has_one else np.nan
    ideal = alone * table["world_size"]
    return table.assign(ideal=ideal, efficiency=table["samples_per_s"] / ideal)


def _of_group(table: pd.DataFrame, ranks: pd.DataFrame, cpus: float) -> RankScaling:
    most = table.iloc[-1]
    is_its = (ranks["run"] == most["run"]) & (ranks["case"] == most["case"])
    own = ranks[is_its]
    slowest = slowest_rank(own)
    hosts = float(most.get(f"{FACT}hosts", 1))
    busy = float(most["cpu_share"]) / (cpus * hosts)
    return RankScaling(
        cases=table,
        ranks=own,
        slowest=slowest,
        busy_share=busy,
        limit=limit(
            efficiency=float(most["efficiency"]),
            straggler_cost=float(most["straggler_cost"]),
            slowest=slowest,
            busy_share=busy,
            is_unsharded=str(most.get(f"{FACT}coverage", "")).startswith("unsharded"),
        ),
    )


def slowest_rank(ranks: pd.DataFrame) -> Slowest | None:
    """Return which of `ranks` (a row for each rank and round) is the slowest in most rounds; None without any."""
    if ranks.empty:
        return None
    rounds = ranks.groupby("round")["seconds"]
    slow = ranks.loc[rounds.idxmax()]
    slowest_s, others = rounds.max(), rounds.count() - 1
    others_s = ((rounds.sum() - slowest_s) / others).where(others > 0, slowest_s)
    times = slow["rank"].value_counts()
    rank = int(times.index[0])
    host = str(slow.loc[slow["rank"] == rank, "host"].iloc[0])
    behind = float((1 - others_s / slowest_s).median())
    return Slowest(rank=rank, host=host, share=float(times.iloc[0]) / len(slow), rounds=len(slow), behind=behind)


def limit(
    *, efficiency: float, straggler_cost: float, slowest: Slowest | None, busy_share: float, is_unsharded: bool
) -> Limit:
    """Return what limits the scaling: the first of these that holds.

    The slowest rank limits it where most of the loss would be gone if it took as long as the others; and where one rank
    alone is not known.

    >>> first = Slowest(rank=1, host="a", share=1.0, rounds=5, behind=0.4)
    >>> limit(efficiency=0.6, straggler_cost=0.3, slowest=first, busy_share=0.4, is_unsharded=False)
    'one rank'
    >>> limit(efficiency=0.3, straggler_cost=0.3, slowest=first, busy_share=0.95, is_unsharded=False)
    'cpus'
    """
    if is_unsharded:
        return "unsharded"
    if straggler_cost > NOTABLE_STRAGGLER and slowest is not None and _is_most(slowest.behind, efficiency):
        is_stable = slowest.rounds >= ENOUGH_ROUNDS and slowest.share >= STABLE
        return "one rank" if is_stable else "changing ranks"
    if np.isnan(efficiency):
        return "unknown"
    if efficiency >= SCALES:
        return "none"
    return "cpus" if busy_share >= BUSY else "shared"


def _is_most(behind: float, efficiency: float) -> bool:
    return bool(np.isnan(efficiency) or np.log1p(-behind) <= MOST_OF_THE_LOSS * np.log(efficiency))
