"""Figures of many ranks: the ranks of a pass side by side, and throughput over their number with its ideal line."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.units import THIN, count, quantity
from loaderbench.reports.vocabulary import sample_rate

MOST_RANKS = 16  # drawn: of more, the slowest
PARTS = (
    ("wait_s", "waiting for data", style.VERMILLION),
    ("sync_wait_s", "waiting for other ranks", style.ORANGE),
    ("compute_s", "computing", style.BLUE),
)


def side_by_side(ranks: pd.DataFrame) -> Figure | None:
    """Draw the mean seconds of a round of each rank, and what they went to: all of it is loading where no step was.

    `ranks` has a row for each rank and round, as `Records.ranks`, and their dataset.
    """
    if ranks.empty:
        return None
    mean = ranks.groupby("rank").mean(numeric_only=True)
    shown = mean.nlargest(MOST_RANKS, "seconds").sort_index()
    others = f"; the {MOST_RANKS} slowest of {len(mean)}" if len(mean) > MOST_RANKS else ""
    title, rounds = "Ranks of a pass, side by side", count(ranks["round"].nunique(), "round")
    heading = style.Heading(title=title, subtitle=f"Mean of {rounds}; a rank's own clock{others}")
    figure, panels = style.sheet(heading, 1, heights=(0.3 * len(shown) + 0.4,))
    _bars(panels[0][0], shown, sample_rate(ranks["dataset"].iloc[0]))
    return figure


def _bars(axes: Axes, shown: pd.DataFrame, rate: str) -> None:
    y, left = np.arange(len(shown)), np.zeros(len(shown))
    has_step = "compute_s" in shown and bool(shown["compute_s"].notna().any())
    if has_step:
        for column, words, colour in PARTS:
            axes.barh(y, shown[column], left=left, color=colour, label=words, height=0.62)
            left = left + shown[column].to_numpy(np.float64)
    else:
        axes.barh(y, shown["seconds"], color=style.BLUE, height=0.62)
    for row, (seconds, samples) in enumerate(zip(shown["seconds"], shown["samples"], strict=True)):
        style.write_beside(axes, row, quantity(samples / seconds, rate), seconds)
    style.rows(axes, [f"rank{THIN}{rank}" for rank in shown.index])
    axes.set_xlim(0, 1.3 * float(shown["seconds"].max()))
    axes.xaxis.set_major_formatter(style.in_units("s"))
    style.label(axes, x="time of a round")
    if has_step:
        style.legend(axes, columns=3)


def scaling(table: pd.DataFrame) -> Figure | None:
    """Draw throughput over the number of ranks (`RankScaling.cases`), and what as many as fast as one would reach.

    Where ``whatif`` was asked about them, what it predicted is drawn beside.
    """
    if len(table) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    heading = style.Heading(
        title="Throughput over ranks", subtitle="All samples over the slowest rank's time; bars: within-run spread"
    )
    figure, panels = style.sheet(heading, 1)
    axes = panels[0][0]
    x = np.arange(len(table))
    names = [(float(x[-1]), float(table["samples_per_s"].iloc[-1]), "measured", style.BLUE)]
    if table["ideal"].notna().all():
        axes.plot(x, table["ideal"], color=style.MUTED, linestyle="--")
        names.append((float(x[-1]), float(table["ideal"].iloc[-1]), "ideal", style.MUTED))
    if "predicted" in table and (known := table["predicted"].notna().to_numpy()).any():
        names.append(_predicted(axes, x[known], table[known]))
    axes.plot(x, table["samples_per_s"], marker="o", color=style.BLUE)
    axes.vlines(x, table["low_samples_per_s"], table["high_samples_per_s"], color=style.BLUE, alpha=0.35, lw=3)
    worlds = table["world_size"].tolist()
    style.steps(axes, worlds)
    style.from_zero(axes)
    style.y_ticks(axes, "")
    style.name_lines(axes, names)
    style.label(axes, x="ranks", y=sample_rate(table["dataset"].iloc[0]))
    return figure


def _predicted(
    axes: Axes, x: "np.ndarray[tuple[int], np.dtype[np.int_]]", table: pd.DataFrame
) -> tuple[float, float, str, str]:
    """Draw what was predicted, with its interval, and return the line's name."""
    axes.fill_between(x, table["low_predicted"], table["high_predicted"], color=style.ORANGE, alpha=0.15, lw=0)
    axes.plot(x, table["predicted"], color=style.ORANGE, linestyle=":", marker="s", markersize=4)
    return float(x[-1]), float(table["predicted"].iloc[-1]), "predicted", style.ORANGE


SIDE_BY_SIDE = FigureKind(
    "ranks", "Ranks of a pass, side by side", side_by_side,
    "What is longest beside waiting for other ranks is what all others wait for. If it is always the same rank, look "
    "at its host, and at what it loads.",
)  # fmt: skip
SCALING = FigureKind(
    "scaling", "Throughput over ranks", scaling,
    "What lies below the dashed line is lost: to the slowest rank, or to what the ranks share. A dotted line, where "
    "there is one, is what whatif predicted from one loader's costs, with its interval.",
)  # fmt: skip
