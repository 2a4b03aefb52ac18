"""What a report says of many ranks: what limits their scaling, and the two figures that show it."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from loaderbench.reports.documents.document import ON_PAPER, Callout, Part, Section, Table, Tone
from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.documents.tables import amount, columns, numbers, row
from loaderbench.reports.figures.ranks import SCALING, SIDE_BY_SIDE
from loaderbench.reports.stats.rank_scaling import Limit, RankScaling
from loaderbench.reports.units import percent, quantity
from loaderbench.reports.vocabulary import METRICS, sample_rate

MOST_SCALINGS = 6
MOST_RANKS = 64  # in the table

HEADLINES: dict[Limit, str] = {
    "unsharded": "Every rank loads all samples",
    "none": "The ranks scale",
    "one rank": "One rank holds the others back",
    "changing ranks": "The slowest rank holds the others back",
    "cpus": "The ranks compete for the CPUs",
    "shared": "The ranks share something that is not the CPUs",
    "unknown": "How well the ranks scale is not known",
}
_WAITING: tuple[Limit, ...] = ("one rank", "changing ranks", "unknown")  # whose sentence says what waiting costs
TONES: dict[Limit, Tone] = {"none": "good", "unknown": "plain", "unsharded": "bad", "one rank": "bad"}


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


def _subject(scaling: RankScaling) -> str:
    step = " · training" if scaling.most["bench"] == "ranks_training" else ""
    return f"{scaling.most['dataset']} · {scaling.most['device']}{step}"


def _callout(scaling: RankScaling) -> Callout:
    return Callout(
        subject=f"{_subject(scaling)} · {scaling.most['world_size']} ranks",
        headline=HEADLINES[scaling.limit],
        tone=TONES.get(scaling.limit, "warn"),
        sentence=_sentence(scaling),
        evidence=_evidence(scaling),
    )


def _evidence(scaling: RankScaling) -> str:
    most, rate = scaling.most, sample_rate(scaling.most["dataset"])
    together = f"{quantity(most['samples_per_s'], rate)} together"
    if not pd.isna(most["efficiency"]):
        together += f": {percent(most['efficiency'])} of {most['world_size']} times one rank's throughput"
    if pd.notna(most.get("predicted")):
        together += f"; whatif predicted {quantity(most['predicted'], rate)}"
    rates = f"The ranks' own rates add up to {quantity(most['rates_sum_per_s'], rate)}"
    waited = f"{percent(most['straggler_cost'])} of the ranks' time is spent waiting for the slowest"
    return f"{together}. {rates}." if scaling.limit in _WAITING else f"{together}. {rates}; {waited}."


def _sentence(scaling: RankScaling) -> str:
    """Say what limits the scaling, and what to do."""
    most, slowest = scaling.most, scaling.slowest
    cost = percent(most["straggler_cost"])
    which = "" if slowest is None else f"rank {slowest.rank} on {slowest.host}"
    often = "" if slowest is None else f"in {percent(slowest.share)} of {slowest.rounds} rounds"
    return {
        "unsharded": "No sample is loaded by one rank alone, so more ranks load nothing more: give the loader a "
        "DistributedSampler, or split the stream by rank.",
        "none": "Each rank is nearly as fast as one alone.",
        "one rank": f"{which} is the slowest {often}, and {cost} of the ranks' time is spent waiting for the slowest: "
        "look at that host, and at the samples of that rank.",
        "changing ranks": f"{cost} of the ranks' time is spent waiting for the slowest, which is most often {which} "
        f"({often}): loading is too uneven; more workers or a larger prefetch_factor may hide it.",
        "cpus": f"{percent(scaling.busy_share)} of the CPUs are busy: fewer workers for each rank, cheaper samples, or "
        "more cores.",
        "shared": f"Only {percent(scaling.busy_share)} of the CPUs are busy: storage, memory or the network is shared, "
        "or each rank has too few workers.",
        "unknown": f"One rank alone was not measured. {cost} of the ranks' time is spent waiting for the slowest.",
    }[scaling.limit]


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
