"""Figures of training: the ceiling triple, the share of time spent waiting, the wait for each batch."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.panels import Facet, at_usual_values, facet_figure, facets, rounds_of, setting_label
from loaderbench.reports.units import percent
from loaderbench.reports.vocabulary import panel_settings, sample_rate
from loaderbench.reports.wording import levels, plain_number

TRIPLE = (
    ("loader_samples_per_s", "loader alone", style.BLUE),
    ("step_samples_per_s", "step alone", style.ORANGE),
    ("samples_per_s", "both", style.INK),
)
SHORTEST_WAIT_S = 1e-6  # drawn in place of shorter waits, as a logarithmic axis has no zero
QUANTILES = ("wait_p05_s", "wait_p25_s", "wait_p50_s", "wait_p75_s", "wait_p95_s", "wait_max_s")


def ceiling(cases: pd.DataFrame) -> Figure | None:
    """Draw the ceiling triple over num_workers, and below it the share of a pass that the step waits."""
    known = cases[["num_workers", "samples_per_s", "step_samples_per_s"]].notna().all(axis="columns")
    training = cases[(cases["bench"] == "training") & known]
    if training.empty:
        return None
    shown = facets(_one_batch_size(at_usual_values(training, ("num_workers", "batch_size"))))
    heading = style.Heading(
        title="The ceiling: loader alone, step alone, both",
        subtitle=f"Training cannot be faster than the lower of the two; {rounds_of(training)} a point",
    )
    return facet_figure(heading, shown, _triple_and_stall, (1.7, 0.6))


def _one_batch_size(cases: pd.DataFrame) -> pd.DataFrame:
    """Keep for each dataset and device the batch size that trains fastest."""
    about = [cases[name] for name in panel_settings()]
    best = cases["samples_per_s"].groupby(about, dropna=False).transform("max")
    fastest = cases["batch_size"].where(cases["samples_per_s"] == best)
    sizes = fastest.groupby(about, dropna=False).transform("first")
    return cases[(cases["batch_size"] == sizes) | sizes.isna()]


def _triple_and_stall(above: Axes, below: Axes, facet: Facet) -> None:
    _triple(above, facet)
    _stall(below, facet)


def _triple(axes: Axes, facet: Facet) -> None:
    workers = levels(facet.table, "num_workers")
    table = facet.table.drop_duplicates("num_workers").set_index("num_workers").reindex(workers).reset_index()
    x = np.arange(len(workers))
    for column, _, colour in TRIPLE:
        axes.plot(x, table[column], marker="o", color=colour)
    axes.vlines(x, table["low_samples_per_s"], table["high_samples_per_s"], color=style.INK, alpha=0.35, lw=3)
    style.steps(axes, workers)
    style.from_zero(axes)
    style.y_ticks(axes, "")
    last = table.iloc[-1]
    style.name_lines(axes, [(float(x[-1]), float(last[column]), name, colour) for column, name, colour in TRIPLE])
    sizes = levels(facet.table, "batch_size")
    batch = f", batch {plain_number(sizes[0])}" if sizes else ""
    style.label(axes, title=facet.name + batch, y=sample_rate(facet.dataset))


def _stall(axes: Axes, facet: Facet) -> None:
    workers = levels(facet.table, "num_workers")
    table = facet.table.drop_duplicates("num_workers").set_index("num_workers").reindex(workers)
    axes.bar(range(len(workers)), 100 * table["stall_share"], width=0.34, color=style.VERMILLION)
    style.steps(axes, workers)
    for x, share in enumerate(table["stall_share"]):
        if math.isnan(share):
            continue
        axes.text(x, 100 * share + 6, percent(share), ha="center", color=style.INK, size=8)
    axes.set_ylim(0, 100)
    axes.set_yticks([])
    style.label(axes, x=setting_label("num_workers"), y="% of the time the step waits")


def waits(cases: pd.DataFrame) -> Figure | None:
    """Draw how long a batch is waited for, from the quantiles of each round (median over rounds)."""
    measured = cases[["num_workers", *QUANTILES]].notna().all(axis="columns")
    known = cases[cases["bench"].isin(["training", "epoch"]) & measured]
    if known.empty:
        return None
    bench = "training" if (known["bench"] == "training").any() else "epoch"
    table = at_usual_values(known[known["bench"] == bench], ("num_workers",))
    shown = facets(table)
    beside = "while training" if bench == "training" else "with no step beside it"
    most = max(len(levels(facet.table, "num_workers")) for facet in shown.panels)
    heading = style.Heading(
        title="The wait for one batch",
        subtitle=f"Waits {beside}, {rounds_of(table)} a row. Thin: 5 to 95 %, thick: the middle half, "
        "dot: median, tick: longest",
    )
    return facet_figure(heading, shown, _boxes, (0.3 * most + 0.1,))


def _boxes(axes: Axes, facet: Facet) -> None:
    table = facet.table.drop_duplicates("num_workers").sort_values("num_workers")
    p05, p25, p50, p75, p95, longest = table[list(QUANTILES)].clip(lower=SHORTEST_WAIT_S).to_numpy(float).T
    y = np.arange(len(table))
    axes.hlines(y, p05, p95, color=style.BLUE, lw=1.4, alpha=0.75)
    axes.hlines(y, p25, p75, color=style.BLUE, lw=7, alpha=0.45)
    axes.scatter(p50, y, s=26, color=style.BLUE, edgecolor=style.PAPER, zorder=3)
    axes.scatter(longest, y, s=60, marker="|", color=style.VERMILLION, linewidth=1.6)
    style.log_x(axes, "s")
    style.rows(axes, [plain_number(level) for level in table["num_workers"]])
    style.label(axes, title=facet.name, x="wait for a batch", y="num_workers")
