"""What a report says of many ranks: what limits their scaling, and the two figures that show it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from loaderbench.reports.documents.document import ON_PAPER, Callout, Part, Section, Table, Text, Tone
from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.documents.tables import amount, columns, numbers, row
from loaderbench.reports.figures.ranks import SCALING, SIDE_BY_SIDE
from loaderbench.reports.records.frame import FACT
from loaderbench.reports.stats.rank_scaling import Limit, RankScaling
from loaderbench.reports.units import count, percent, quantity
from loaderbench.reports.vocabulary import METRICS, sample_rate

MOST_SCALINGS = 6
MOST_RANKS = 64  # in the table
FEW_BATCHES = 8  # of a rank in a pass, most of which may go by until its workers are at work

HEADLINES: dict[Limit, str] = {
    "alone": "One rank alone was measured",
    "unsharded": "Every rank loads all samples",
    "none": "The ranks scale",
    "varies": "The rounds vary too much to say how the ranks scale",
    "one rank": "One rank holds the others back",
    "changing ranks": "The slowest rank holds the others back",
    "overlapping": "Ranks load the same samples",
    "cpus": "The ranks compete for the CPUs",
    "step": "The step is slower on several ranks",
    "shared": "The ranks share something that is not the CPUs",
    "unknown": "How well the ranks scale is not known",
}
_WAITING: tuple[Limit, ...] = ("one rank", "changing ranks", "unknown")  # whose sentence says what waiting costs
TONES: dict[Limit, Tone] = {
    "alone": "plain", "none": "good", "unknown": "plain", "varies": "plain", "unsharded": "bad", "one rank": "bad",
    "overlapping": "bad",
}  # fmt: skip


def ranks_parts(scalings: list[RankScaling]) -> Iterator[Part]:
    """Yield a callout for each group of cases that differ in their ranks alone, and its figures."""
    for number, scaling in enumerate(scalings[:MOST_SCALINGS], start=1):
        yield _callout(scaling)
        yield Section(
            title=f"Ranks: {_subject(scaling)}",
            parts=tuple(_details(scaling, number)),
            name=f"ranks-{number}",
            on=ON_PAPER,
        )
    if len(scalings) > MOST_SCALINGS:
        yield Text(
            text=f"No more than {MOST_SCALINGS} of {len(scalings)} settings of many ranks are given a verdict; every "
            "case is in the table.",
            tone="muted",
        )


def _subject(scaling: RankScaling) -> str:
    step = " · training" if scaling.most["bench"] == "ranks_training" else ""
    return f"{scaling.most['dataset']} · {scaling.most['device']}{step}"


def _callout(scaling: RankScaling) -> Callout:
    return Callout(
        subject=f"{_subject(scaling)} · {count(int(scaling.most['world_size']), 'rank')}",
        headline=HEADLINES[scaling.limit],
        tone=TONES.get(scaling.limit, "warn"),
        sentence=_sentence(scaling),
        evidence=_evidence(scaling),
    )


def _evidence(scaling: RankScaling) -> str:
    most, rate = scaling.most, sample_rate(scaling.most["dataset"])
    together = f"{quantity(most['samples_per_s'], rate)} together"
    if pd.notna(most["efficiency"]) and scaling.limit != "alone":
        together += f": {percent(most['efficiency'])} of {most['world_size']} times one rank's throughput"
    if pd.notna(most.get("predicted")):
        together += f"; whatif predicted {quantity(most['predicted'], rate)}"
    unknown = str(most.get(f"{FACT}coverage", "")).startswith("unknown")
    last = ("Samples cannot be told apart: whether ranks load the same ones is not known.",) if unknown else ()
    return " ".join((f"{together}.", *_rates(scaling, rate), *_waits(most), *last))


def _rates(scaling: RankScaling, rate: str) -> Iterator[str]:
    most = scaling.most
    if scaling.limit == "alone" or most["bench"] == "ranks_training":  # where all end together, `_waits` says it
        return
    rates = f"The ranks' own rates add up to {quantity(most['rates_sum_per_s'], rate)}"
    waited = f"{percent(most['straggler_cost'])} of the ranks' time is spent waiting for the slowest"
    yield f"{rates}." if scaling.limit in _WAITING else f"{rates}; {waited}."


def _waits(most: "pd.Series[Any]") -> Iterator[str]:
    """Yield what a step waits for, where one is taken."""
    if pd.notna(most.get("stall_share")) and pd.notna(most.get("sync_share")):
        yield (
            f"Of a pass, the mean rank waits {percent(most['stall_share'])} for data and {percent(most['sync_share'])} "
            f"for other ranks; AU (MLPerf Storage) is {percent(most['accelerator_utilization'])}."
        )


def _sentence(scaling: RankScaling) -> str:
    """Say what limits the scaling, and what to do."""
    most, slowest = scaling.most, scaling.slowest
    cost = percent(most["straggler_cost"])
    which = "" if slowest is None else f"{slowest.rank} on {slowest.host}"
    often = "" if slowest is None else f"in {percent(slowest.share)} of {slowest.rounds} rounds"
    return {
        "unsharded": "No sample is loaded by one rank alone, so more ranks load nothing more: give the loader a "
        "DistributedSampler, or split the stream by rank.",
        "none": "Each rank is nearly as fast as one alone.",
        "alone": "How ranks scale is seen beside several, for example with --nproc-per-node 1,2.",
        "varies": "From one round to the next, throughput differs by more than the ranks may lose: more --rounds, or a "
        "quieter machine, would show it.",
        "one rank": f"Rank {which} is the slowest {often}, and {cost} of the ranks' time is spent waiting for the "
        "slowest: "
        f"look at {'that host, and at ' if most.get(f'{FACT}hosts', 1) > 1 else ''}what that rank loads.",
        "changing ranks": f"{cost} of the ranks' time is spent waiting for the slowest, which is most often rank "
        f"{which} ({often}): loading is too uneven; more workers or a larger prefetch_factor may hide it. More "
        "--rounds show whether it is one rank after all.",
        "overlapping": f"{percent(scaling.repeated_share)} of what the ranks load is loaded by another one too, and "
        "counts once: give each rank samples of its own.",
        "cpus": f"{percent(scaling.busy_share)} of the CPUs are busy: fewer workers for each rank, cheaper samples, or "
        "more cores.",
        "step": "Waiting for data is the lesser part of what is lost: steps take longer, as ranks exchange gradients "
        "and share what they compute with.",
        "shared": f"{_busy(scaling.busy_share)}: storage, memory or the network is shared{_too_few(scaling)}.",
        "unknown": f"One rank alone was not measured. {cost} of the ranks' time is spent waiting for the slowest.",
    }[scaling.limit]


def _busy(share: float) -> str:
    return "How busy the CPUs were is not known" if pd.isna(share) else f"Only {percent(share)} of the CPUs are busy"


def _too_few(scaling: RankScaling) -> str:
    """Return what else may be where a rank reads few batches in a pass; nothing where it reads many."""
    batches = scaling.ranks.get("batches", pd.Series(dtype=float)).mean() / scaling.most.get(f"{FACT}passes", 1)
    return f", or {batches:.0f} batches in a rank's pass are too few" if batches <= FEW_BATCHES else ""


def _details(scaling: RankScaling, number: int) -> Iterator[Part]:
    ranks = scaling.ranks.assign(dataset=scaling.most["dataset"])
    for kind, table in ((SIDE_BY_SIDE, ranks), (SCALING, scaling.cases)):
        if (figure := drawn(replace(kind, name=f"{kind.name}-{number}"), table)) is not None:
            yield figure
    if not scaling.ranks.empty:
        yield _table(scaling, number)


def _table(scaling: RankScaling, number: int) -> Table:
    """Return a row for each rank: its host, its rate, its first batch, what it waited for, CPU time and memory."""
    rate = sample_rate(scaling.most["dataset"])
    first = {"host": ("host", "first"), "samples": ("samples", "sum"), "seconds": ("seconds", "sum")}
    means = [
        name
        for name in ("first_batch_s", "wait_s", "sync_wait_s", "compute_s", "cpu_s", "pss_bytes")
        if name in scaling.ranks and scaling.ranks[name].notna().any()
    ]
    table = scaling.ranks.groupby("rank").agg(**first, **{name: (name, "mean") for name in means})
    labels = {
        "first_batch_s": "first batch", "wait_s": "waiting for data", "sync_wait_s": "waiting for ranks",
        "compute_s": "computing", "cpu_s": "CPU time", "pss_bytes": "memory (PSS)",
    }  # fmt: skip
    rows = (
        row(
            int(str(rank)),
            str(of_rank["host"]),
            amount(of_rank["samples"] / of_rank["seconds"], rate),
            *(amount(of_rank[name], METRICS[name].unit) for name in means),
        )
        for rank, of_rank in table.iterrows()
    )
    return Table(
        name=f"ranks-table-{number}",
        columns=(*numbers("rank"), *columns("host"), *numbers("throughput", *(labels[name] for name in means))),
        rows=tuple(rows),
        most_rows={"markdown": MOST_RANKS, "html": MOST_RANKS},
    )
