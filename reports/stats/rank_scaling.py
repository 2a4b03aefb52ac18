"""What many ranks gain over one, and what keeps them from gaining more."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from loaderbench.reports.records.frame import FACT
from loaderbench.reports.stats.intervals import half_width
from loaderbench.reports.wording import settings_of

RANK_BENCHES = ("ranks", "ranks_training")
_COUNTS = ("nproc_per_node", "nnodes")  # settings that say how many ranks there are, not what they do
SCALES = 0.9  # of the ideal: nothing worth a change is lost
NOTABLE = 0.05  # of what could be had: lost to one cause
MOST_OF_THE_LOSS = 0.5  # of the logarithm of the efficiency: losses multiply
STABLE = 0.8  # of the rounds in which the same rank is the slowest
BUSY = 0.85  # of the CPUs

Limit = Literal[
    "alone", "unsharded", "none", "varies", "one rank", "changing ranks", "overlapping", "unknown", "cpus", "step",
    "shared",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Slowest:
    """The rank that is the slowest most often."""

    rank: int
    host: str
    share: float
    """Of the rounds."""
    rounds: int
    is_always: bool
    """Whether the rounds show that it is slower than the others, not by chance."""
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
    repeated_share: float
    """Of the samples that ranks load: those that another one loads too, which count once."""
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
    repeated = _repeated_share(most, own)
    return RankScaling(
        cases=table,
        ranks=own,
        slowest=slowest,
        busy_share=busy,
        repeated_share=repeated,
        limit=limit(
            world_size=int(most["world_size"]),
            efficiency=float(most["efficiency"]),
            most_efficiency=_most_efficiency(table),
            slowest=slowest,
            busy_share=busy,
            is_unsharded=str(most.get(f"{FACT}coverage", "")).startswith("unsharded"),
            repeated_share=repeated,
            stall_share=float(most.get("stall_share", np.nan)),
        ),
    )


def _most_efficiency(table: pd.DataFrame) -> float:
    """Return the largest efficiency of the last case that the rounds allow; NaN where that is not known."""
    one, most = table.iloc[0], table.iloc[-1]
    if one["world_size"] != 1:
        return math.nan
    return float(most["high_samples_per_s"] / one["low_samples_per_s"] / most["world_size"])


def _repeated_share(case: pd.Series, ranks: pd.DataFrame) -> float:
    delivered = ranks.groupby("round")["samples"].sum().median()  # in a round, by all ranks
    repeated = float(case.get("repeated_samples", np.nan)) / delivered
    return 0.0 if math.isnan(repeated) else repeated


def slowest_rank(ranks: pd.DataFrame) -> Slowest | None:
    """Return which of `ranks` (a row for each rank and round) is the slowest in most rounds; None of fewer than two.

    What a rank waits for others before each step is not its own time.
    """
    if ranks["rank"].nunique() < 2:  # noqa: PLR2004 - one alone is not slower than others
        return None
    waited_s = ranks["sync_wait_s"].fillna(0.0) if "sync_wait_s" in ranks else 0.0
    own_s = ranks.assign(own_s=ranks["seconds"] - waited_s).pivot_table("own_s", index="round", columns="rank")
    times = own_s.idxmax(axis="columns").value_counts()
    rank, share = int(times.index[0]), float(times.iloc[0]) / len(own_s)
    excess = pd.Series(np.log(own_s[rank] / own_s.drop(columns=rank).mean(axis="columns")))
    all_s = ranks.groupby("round")["seconds"].max()
    others_s = (own_s.sum(axis="columns") - own_s.max(axis="columns")) / (own_s.shape[1] - 1)
    return Slowest(
        rank=rank,
        host=str(ranks.loc[ranks["rank"] == rank, "host"].iloc[0]),
        share=share,
        rounds=len(own_s),
        is_always=share >= STABLE and _is_above_zero(excess),
        behind=float((1 - others_s / all_s).median()),
    )


def _is_above_zero(values: pd.Series) -> bool:
    """Return whether the t interval of their mean is; of one alone, no one knows."""
    moments = pd.DataFrame({"log_sd": [values.std()], "n": [len(values)]})
    return bool(values.mean() > half_width(moments["log_sd"], moments["n"]).iloc[0])


def limit(
    *,
    world_size: int,
    efficiency: float,
    most_efficiency: float,
    slowest: Slowest | None,
    busy_share: float,
    is_unsharded: bool,
    repeated_share: float,
    stall_share: float,
) -> Limit:
    """Return what limits the scaling: the first of these that holds.

    Ranks that may scale, as `most_efficiency` says that the rounds allow it, vary too much to say. What costs a share
    of the ranks' time limits them where that is most of what is lost, or where one rank alone is not known: a rank that
    is always the slowest, and samples that several load. A slowest one that changes limits them only where it is known
    what is lost. `stall_share`, the share of waiting for data, is NaN without a
    step; with one, the step is what is slower where that share is not most of what is lost.

    >>> first = Slowest(rank=1, host="a", share=1.0, rounds=5, is_always=True, behind=0.3)
    >>> limit(world_size=2, efficiency=0.6, most_efficiency=0.7, slowest=first, busy_share=0.4, is_unsharded=False,
    ...     repeated_share=0.0, stall_share=math.nan)
    'one rank'
    >>> limit(world_size=2, efficiency=0.3, most_efficiency=0.4, slowest=first, busy_share=0.95, is_unsharded=False,
    ...     repeated_share=0.0, stall_share=math.nan)
    'cpus'
    """
    if world_size == 1 or is_unsharded:
        return "alone" if world_size == 1 else "unsharded"
    if max(efficiency, most_efficiency) >= SCALES:
        return "none" if efficiency >= SCALES else "varies"
    if slowest is not None and _is_most_of_the_loss(slowest.behind, efficiency):
        if slowest.is_always:
            return "one rank"
        if not math.isnan(efficiency):
            return "changing ranks"
    if _is_most_of_the_loss(repeated_share, efficiency):
        return "overlapping"
    return "unknown" if math.isnan(efficiency) else _what_is_shared(efficiency, busy_share, stall_share)


def _what_is_shared(efficiency: float, busy_share: float, stall_share: float) -> Limit:
    if busy_share >= BUSY:
        return "cpus"
    return "shared" if math.isnan(stall_share) or _is_most_of_the_loss(stall_share, efficiency) else "step"


def _is_most_of_the_loss(share: float, efficiency: float) -> bool:
    if share <= NOTABLE:
        return False
    return math.isnan(efficiency) or math.log1p(-share) <= MOST_OF_THE_LOSS * math.log(efficiency)
