"""Figures of the other costs of loading (starting, memory, copies), and of how true the measurements are."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.front import scatter_with_front
from loaderbench.reports.figures.panels import (
    Facet,
    at_usual_values,
    case_words,
    facet_figure,
    facets,
    ordered,
    rounds_of,
    short,
)
from loaderbench.reports.records.frame import FACT
from loaderbench.reports.units import quantity
from loaderbench.reports.vocabulary import sample_rate
from loaderbench.reports.wording import is_missing, levels, phrase, settings_of

STARTUP = (
    ("first_batch_s", "first batch", style.BLUE),
    ("next_first_batch_s", "first batch of the next epoch", style.ORANGE),
    ("shutdown_s", "shutdown", style.GREEN),
)
MOST_ROWS = 16
LANE = 0.2  # of a row: between the dots of its three times, which may be equal
MOST_NAMES = 6  # of points on the front
WITHIN = 0.02  # measurements are to be within 2 % of the known value


def startup(cases: pd.DataFrame) -> Figure | None:
    """Draw the time to the first batch, to the next epoch's, and to the end of the workers."""
    table = cases[(cases["bench"] == "startup") & cases["first_batch_s"].notna()]
    if table.empty:
        return None
    settings = ("start_method", "persistent_workers", "num_workers")
    fewer = "" if len(table) <= MOST_ROWS else f" ({MOST_ROWS} of {len(table)} rows)"
    table = ordered(table, ("dataset", *settings)).head(MOST_ROWS)
    heading = style.Heading(
        title="Starting and stopping workers",
        subtitle=f"From iter(loader) to the first batch, and from the last batch to the last worker's end{fewer}",
    )
    figure, ((axes,),) = style.sheet(heading, 1, heights=(0.36 * len(table) + 0.1,))
    for lane, (column, name, colour) in enumerate(STARTUP):
        y = np.arange(len(table)) + LANE * (lane - 1)
        axes.scatter(table[column], y, s=30, color=colour, edgecolor=style.PAPER, linewidth=0.6, label=name, zorder=3)
    axes.hlines(np.arange(len(table) - 1) + 0.5, 0, 1, color=style.GRID, lw=0.8, transform=axes.get_yaxis_transform())
    style.rows(axes, case_words(table, settings))
    style.log_x(axes, "s")
    style.legend(axes, columns=3)
    style.label(axes, x=f"time, median of {rounds_of(table)}")
    return figure


def memory(cases: pd.DataFrame) -> Figure | None:
    """Draw memory against throughput; the front holds the cases that none beats in both."""
    table = _with_throughput(cases)
    if table.empty:
        return None
    heading = style.Heading(
        title="Memory added against throughput",
        subtitle="PSS that the loader adds to the process tree, highest of a pass. "
        f"Line: the Pareto front, no case is better in both; {rounds_of(table)} a point",
    )
    return facet_figure(heading, facets(table), _scatter)


def _with_throughput(cases: pd.DataFrame) -> pd.DataFrame:
    """Join memory cases with the epoch cases of equal settings."""
    memory_, epoch = (cases[cases["bench"] == bench] for bench in ("memory", "epoch"))
    shared = [name for name in settings_of(cases) if memory_[name].notna().any() and epoch[name].notna().any()]
    if not shared or memory_["added_pss_bytes"].isna().all():
        return memory_.iloc[:0]
    rates = epoch[[*shared, "samples_per_s"]].drop_duplicates(shared)
    joined = memory_.drop(columns="samples_per_s").merge(rates, on=shared)
    return joined[joined["added_pss_bytes"].notna() & joined["samples_per_s"].notna()]


def _scatter(axes: Axes, facet: Facet) -> None:
    x, y = "added_pss_bytes", "samples_per_s"
    front = scatter_with_front(axes, facet.table, x, "bytes")
    named = front.iloc[np.unique(np.linspace(0, len(front) - 1, MOST_NAMES).astype(int))]
    for case in named.to_dict("records"):
        point = (case[x], case[y])
        axes.annotate(_point(case, facet.table), point, (-3, 8), textcoords="offset points", size=8)
    style.label(axes, title=facet.name, x="memory added, PSS", y=sample_rate(facet.dataset))


def _point(case: Mapping[Hashable, object], table: pd.DataFrame) -> str:
    names = [name for name in ("num_workers", "batch_size", "prefetch_factor") if len(levels(table, name)) > 1]
    words = [phrase(name, case[name]) for name in names if not is_missing(case.get(name))]
    return short(" ".join(words), 22)


def transfer(cases: pd.DataFrame) -> Figure | None:
    """Draw bytes per second of copies to the device, over the bytes of a batch."""
    table = cases[(cases["bench"] == "transfer") & cases["bytes_per_s"].notna()].copy()
    table["size"] = table.get(f"{FACT}batch_bytes", np.nan)
    if table["size"].isna().all():
        return None
    shown = facets(at_usual_values(table, ("pin_memory", "non_blocking", "batch_size")))
    subtitle = f"Copies one after the other; {rounds_of(table)} a point"
    return facet_figure(style.Heading(title="Copies to the device", subtitle=subtitle), shown, _bandwidths)


def _bandwidths(axes: Axes, facet: Facet) -> None:
    names = [name for name in ("pin_memory", "non_blocking") if name in facet.table]
    largest, ends = float(facet.table["size"].max()), []
    lines = list(facet.table.groupby(names, sort=True)) if names else [((), facet.table)]
    for (key, line), colour in zip(lines, style.SERIES, strict=False):
        by_size = line.sort_values("size")
        axes.plot(by_size["size"], by_size["bytes_per_s"], marker="o", color=colour)
        words = ", ".join(phrase(name, value) for name, value in zip(names, key, strict=True))
        ends.append((largest, float(by_size["bytes_per_s"].iloc[-1]), words, colour))
    if (ceiling := facet.table.get(f"{FACT}link_bytes_per_s")) is not None and ceiling.notna().any():
        link = float(ceiling.max())
        axes.axhline(link, color=style.MUTED, lw=1, ls="--")
        ends.append((largest, link, "the link", style.MUTED))
    style.log_x(axes, "bytes")
    axes.grid(visible=False, axis="x")
    style.log_y(axes, "bytes/s")
    style.name_lines(axes, ends)
    style.label(axes, title=facet.name, x="size of a batch", y="bytes/s")


def fidelity(cases: pd.DataFrame) -> Figure | None:
    """Draw measured values against known ones."""
    table = cases[cases["error"].notna()].sort_values("case").head(MOST_ROWS)
    if table.empty:
        return None
    heading = style.Heading(
        title="Can the figures be believed?",
        subtitle=f"Measurements of datasets whose cost is known; shaded: within {100 * WITHIN:g} %",
    )
    figure, ((axes,),) = style.sheet(heading, 1, heights=(0.3 * len(table) + 0.1,))
    y = np.arange(len(table))
    inside = table["error"].abs() <= WITHIN
    colours = [style.GREEN if good else style.VERMILLION for good in inside]
    axes.axvspan(-100 * WITHIN, 100 * WITHIN, color=style.GREEN, alpha=0.1, linewidth=0)
    axes.axvline(0, color=style.MUTED, lw=1)
    axes.hlines(y, 100 * table["low_error"], 100 * table["high_error"], color=colours, lw=3, alpha=0.5)
    axes.scatter(100 * table["error"], y, s=36, color=colours, edgecolor=style.PAPER, zorder=3)
    furthest = 110 * float(np.nanmax(table[["low_error", "high_error", "error"]].abs().to_numpy(float)))
    axes.set_xlim(-max(furthest, 3), max(furthest, 3))
    axes.grid(axis="x")
    style.rows(axes, case_words(table, ("quantity",)))
    for row, case in enumerate(table.to_dict("records")):
        _measured_and_known(axes, row, case)
    style.label(axes, x=f"error of what was measured (%); bar: the middle half of {rounds_of(table)}")
    return figure


def _measured_and_known(axes: Axes, row: int, case: Mapping[Hashable, float]) -> None:
    unit = {"s": "s", "B": "bytes", "bytes": "bytes"}.get(str(case.get(f"{FACT}unit")), "")
    reading = quantity(case["truth"] * (1 + case["error"]), unit)
    style.write_beside(axes, row, f"{reading} measured, {quantity(case['truth'], unit)} known")
