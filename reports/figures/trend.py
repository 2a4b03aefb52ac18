"""The figure of trends: a case's metric run by run, the levels between its changes, and the commits at the changes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.panels import NAME_LENGTHS, short, sizes, titles
from loaderbench.reports.text import plain
from loaderbench.reports.units import quantity
from loaderbench.reports.vocabulary import label_of, unit_of

MOST_PANELS = 12
MOST_LABELLED = 2  # changes of a panel, the newest, that have room for their commits
COMMIT = 7  # characters of a commit's name


def trend(points: pd.DataFrame) -> Figure | None:
    """Draw points with levels (`trends.with_levels`): a panel for each series of two runs or more.

    Series with changes come first, the newest change leading, then those that were run last.
    """
    drawable = [series for _, series in points.groupby("series", sort=False) if len(series) > 1]
    if not drawable:
        return None
    shown = sorted(drawable, key=_newest, reverse=True)[:MOST_PANELS]
    rounds = sizes(pd.concat([series["n"] for series in shown]), "round")
    part = f" ({len(shown)} of {len(drawable)} cases)" if len(shown) < len(drawable) else ""
    heading = style.Heading(
        title="Run by run",
        subtitle=f"Dot: median of a run, bar: the middle half of its rounds, {rounds}; line: level{part}",
    )
    figure, panels = style.sheet(heading, len(shown))
    names = titles([str(series["case"].iloc[-1]) for series in shown])
    longest = NAME_LENGTHS[min(len(shown), max(NAME_LENGTHS))]
    for (axes,), series, name in zip(panels, shown, names, strict=True):
        _draw(axes, series, short(name, longest))
    return figure


def _newest(series: pd.DataFrame) -> tuple[str, str]:
    changed = series.loc[series["ratio"].notna(), "started"]
    return (str(changed.max()) if len(changed) else "", str(series["started"].iloc[-1]))


def _draw(axes: Axes, series: pd.DataFrame, name: str) -> None:
    x, last = series["position"].to_numpy(), series.iloc[-1]
    axes.vlines(x, series["low"], series["high"], color=style.BLUE, lw=3, alpha=0.3)
    axes.scatter(x, series["median"], s=14, color=style.BLUE, edgecolor=style.PAPER, linewidth=0.6, zorder=3)
    edges = np.flatnonzero(series["ratio"].notna().to_numpy())
    for first, stop in zip([0, *edges], [*edges, len(series)], strict=True):
        level = series["level"].iloc[first]
        axes.plot([x[first] - 0.4, x[stop - 1] + 0.4], [level, level], color=style.INK, lw=1.2)
    _changes(axes, series.iloc[edges])
    ends = sorted({0, len(series) - 1})
    axes.set_xticks(x[ends], [str(series["started"].iloc[end])[:10] or "no date" for end in ends])
    for tick in axes.get_xticklabels():
        tick.set_horizontalalignment("left" if tick.get_position()[0] == 0 else "right")
    axes.set_xlim(-0.6, max(len(series) - 0.4, 1))
    axes.margins(y=0.18)
    unit = unit_of(last["metric"], last["dataset"])
    style.y_ticks(axes, unit)
    style.label(axes, title=name, y=f"{label_of(last['metric'])}, {unit}".rstrip(", "))


def _changes(axes: Axes, changed: pd.DataFrame) -> None:
    """Mark the changes, with commit and ratio beside the newest."""
    for row, change in enumerate(changed.to_dict("records"), start=1):
        x = change["position"] - 0.5
        axes.axvline(x, color=style.VERMILLION, lw=1, ls=(0, (3, 2)))
        place = len(changed) - row
        if place < MOST_LABELLED:
            label = f"{plain(change['commit'] or change['run'])[:COMMIT]} {quantity(change['ratio'], 'ratio')}"
            right = x > axes.get_xlim()[1] / 2
            axes.annotate(
                label, (x, 1 - 0.13 * place), (-4 if right else 4, -2), xycoords=("data", "axes fraction"),
                textcoords="offset points", ha="right" if right else "left", va="top", size=8, color=style.VERMILLION,
            )  # fmt: skip


TREND = FigureKind(
    "trend", "Run by run", trend,
    "A dashed line is a change point, with the first commit of the new level and its ratio to the one before. In pure "
    "noise fewer than 1 run in 1000 shows one. Runs on unlike machines are not joined.",
    section="Trend",
)  # fmt: skip
