"""Figures of the loader alone: throughput over workers and batch size, and what single settings do."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from loaderbench.reports.figures import style
from loaderbench.reports.figures.panels import (
    Facet,
    at_usual_values,
    facet_figure,
    facets,
    rounds_of,
    setting_label,
    short,
)
from loaderbench.reports.stats.effects import paired_ratios, pooled_effects
from loaderbench.reports.units import count, quantity
from loaderbench.reports.vocabulary import sample_rate
from loaderbench.reports.wording import is_missing, levels, phrase, plain_number

MOST_LINES = 6
MOST_LEVELS = 8  # of a heat map's axis: more would not leave room for the figures in the cells
MOST_EFFECTS = 24
MOST_DOTS = 40  # pairs shown behind one effect

# One hue, light to dark: reads as "more" with every kind of colour vision, and in grey.
HEAT = LinearSegmentedColormap.from_list("heat", ["#eef5fa", "#9ccae3", "#3f93c0", "#0a5a8f", "#08335a"])
DARK_CELL = 0.55  # from here on a cell's text is light


def throughput(cases: pd.DataFrame) -> Figure | None:
    """Draw samples per second over num_workers, a line for each batch size, within-run spread as bars."""
    table = _surveyed(cases)
    if len(levels(table, "num_workers")) < 2:  # noqa: PLR2004 - a line needs two ends
        return None
    heading = style.Heading(
        title="Throughput over workers",
        subtitle=f"The loader alone. Bars: within-run spread (95 %), {rounds_of(table)} a point",
    )
    return facet_figure(heading, facets(table), _lines)


def _surveyed(cases: pd.DataFrame) -> pd.DataFrame:
    known = cases[["num_workers", "batch_size", "samples_per_s"]].notna().all(axis="columns")
    return at_usual_values(cases[(cases["bench"] == "epoch") & known], ("num_workers", "batch_size"))


def _lines(axes: Axes, facet: Facet) -> None:
    workers = levels(facet.table, "num_workers")
    sizes = levels(facet.table, "batch_size")[-MOST_LINES:]
    style.steps(axes, workers)
    ends = []
    for size, colour in zip(sizes, style.SERIES, strict=False):
        line = facet.table[facet.table["batch_size"] == size].set_index("num_workers")
        line = line[~line.index.duplicated()].reindex(workers).reset_index()
        rate, x = line["samples_per_s"], np.arange(len(line))
        axes.plot(x[rate.notna()], rate.dropna(), marker="o", color=colour)
        axes.vlines(x, line["low_samples_per_s"], line["high_samples_per_s"], color=colour, alpha=0.45, lw=3)
        last = int(np.flatnonzero(rate.notna())[-1])
        ends.append((float(last), float(rate[last]), f"batch {plain_number(size)}", colour))
    style.from_zero(axes)
    style.y_ticks(axes, "")
    style.name_lines(axes, ends)
    style.label(axes, title=facet.name, x=setting_label("num_workers"), y=sample_rate(facet.dataset))


def heat_map(cases: pd.DataFrame) -> Figure | None:
    """Draw throughput by workers and batch size, each panel shaded by the share of its best cell."""
    table = _surveyed(cases)
    shown = facets(table, least={"num_workers": 2, "batch_size": 2})
    if not shown.panels:
        return None
    most = max(len(levels(facet.table, "batch_size")[-MOST_LEVELS:]) for facet in shown.panels)
    heading = style.Heading(
        title="Workers and batch size",
        subtitle=f"The loader alone, {rounds_of(table)} a cell. Shade: share of the panel's best",
    )
    return facet_figure(heading, shown, _cells, (max(0.36 * most, 0.9),))


def _cells(axes: Axes, facet: Facet) -> None:
    grid = facet.table.pivot_table(index="batch_size", columns="num_workers", values="samples_per_s", aggfunc="first")
    grid = grid.iloc[-MOST_LEVELS:, -MOST_LEVELS:]
    share = grid.to_numpy() / np.nanmax(grid.to_numpy())
    axes.pcolormesh(share, cmap=HEAT, vmin=0, vmax=1, edgecolors=style.PAPER, linewidth=2)
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        colour = "#fdfdfd" if share[row, column] > DARK_CELL else "#1b1f27"  # on a cell, so alike on any page
        number = quantity(value, "").replace("\u202f", " ")
        axes.text(column + 0.5, row + 0.5, number, ha="center", va="center", color=colour, size=8)
    axes.set_xticks(np.arange(grid.shape[1]) + 0.5, [plain_number(level) for level in grid.columns])
    axes.set_yticks(np.arange(grid.shape[0]) + 0.5, [plain_number(level) for level in grid.index])
    axes.spines["bottom"].set_visible(False)
    style.label(
        axes,
        title=f"{facet.name}, {sample_rate(facet.dataset)}",
        x=setting_label("num_workers"),
        y=setting_label("batch_size"),
    )


def setting_effects(cases: pd.DataFrame) -> Figure | None:
    """Draw what one setting does at otherwise equal settings: ratios of throughput with their intervals."""
    every = pooled_effects(paired_ratios(cases))
    if every.empty:
        return None
    strongest = every.assign(size=np.log(every["ratio"]).abs()).nlargest(MOST_EFFECTS, "size")
    strongest = strongest.sort_values(["setting", "bench", "dataset", "ratio"], ascending=[True, True, True, False])
    fewer = f", the {MOST_EFFECTS} largest of {len(every)}" if len(every) > MOST_EFFECTS else ""
    heading = style.Heading(
        title="What single settings do",
        subtitle="Throughput at otherwise equal settings. Dots: pairs of cases; "
        f"bar: their mean with its within-run interval (95 %){fewer}",
    )
    figure, ((axes,),) = style.sheet(heading, 1, heights=(0.3 * len(strongest) + 0.1,))
    for row, effect in enumerate(strongest.to_dict("records")):
        _effect(axes, row, effect)
    subject = [name for name in ("dataset", "device") if name == "dataset" or len(levels(strongest, name)) > 1]
    style.rows(axes, [_worded(effect, subject) for effect in strongest.to_dict("records")])
    _ratio_axis(axes)
    style.label(axes, x=f"ratio of throughputs, {_rounds(strongest)} a case (1 = no effect)")
    return figure


def _effect(axes: Axes, row: int, effect: Mapping[Hashable, Any]) -> None:
    better, worse = effect["low"] > 1, effect["high"] < 1
    colour = style.BLUE if better else style.VERMILLION if worse else style.MUTED
    dots = np.sort(effect["ratios"])[:: -(-len(effect["ratios"]) // MOST_DOTS)]
    axes.scatter(dots, np.full(len(dots), row), s=12, color=colour, alpha=0.3, linewidth=0)
    axes.hlines(row, effect["low"], effect["high"], color=colour, lw=3, alpha=0.6)
    axes.scatter([effect["ratio"]], [row], s=34, color=colour, edgecolor=style.PAPER, zorder=3)
    interval = f"{effect['low']:.2f} to {effect['high']:.2f}" if np.isfinite(effect["low"]) else "no spread"
    style.write_beside(axes, row, f"{effect['ratio']:.2f}× ({interval})")


def _worded(effect: Mapping[Hashable, object], subject: Sequence[str]) -> str:
    """Name an effect: level over base, and in brackets what it was measured on."""
    setting = str(effect["setting"])
    level, base = (phrase(setting, _level(effect[name])) for name in ("level", "base"))
    where = " ".join(str(effect[name]) for name in subject if not is_missing(effect[name]))
    return short(f"{level} / {base}  ({where}, {effect['bench']})", 50)


def _level(value: object) -> object:
    return {"True": True, "False": False}.get(value, value) if isinstance(value, str) else value


def _rounds(effects_: pd.DataFrame) -> str:
    return "n ≥ " + count(int(effects_["rounds"].min()), "round")


def _ratio_axis(axes: Axes) -> None:
    """Make the horizontal axis a logarithmic one of ratios, with 1 marked."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    low, high = min(low, 0.8), max(high, 1.25)
    axes.set_xlim(low, high)
    candidates = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 20, 50, 100)
    ticks = [tick for tick in candidates if low <= tick <= high]
    crowded = high / low > 8  # noqa: PLR2004 - room for five or six ticks
    ticks = [tick for tick in ticks if not (crowded and tick in {0.8, 1.25})]
    axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x")
    axes.axvline(1, color=style.MUTED, lw=1, zorder=0.5)
