"""Throughput against a cost, and the Pareto front: the cases that none beats in both."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from loaderbench.reports.figures import style

MOST_POINTS = 300  # those nearest to the front


def pareto(table: pd.DataFrame, cost: str = "added_pss_bytes") -> pd.DataFrame:
    """Return the cases that none beats in both throughput and `cost`, least cost first.

    >>> front = pareto(pd.DataFrame({"added_pss_bytes": [1, 2, 3, 4], "samples_per_s": [10, 30, 20, 40]}))
    >>> front["added_pss_bytes"].tolist()
    [1, 2, 4]
    """
    cheapest_first = table.sort_values([cost, "samples_per_s"], ascending=[True, False])
    record = cheapest_first["samples_per_s"].astype(float).cummax().shift(fill_value=-np.inf)
    return cheapest_first[cheapest_first["samples_per_s"] > record]


def scatter_with_front(axes: Axes, table: pd.DataFrame, cost: str, unit: str) -> pd.DataFrame:
    """Draw throughput over `cost` (in `unit`) with the Pareto front, and return the cases that lie on it."""
    front, rate = pareto(table, cost), "samples_per_s"
    nearest = table.nlargest(MOST_POINTS, rate)
    axes.scatter(nearest[cost], nearest[rate], s=22, color=style.MUTED, alpha=0.45, linewidth=0)
    axes.plot(front[cost], front[rate], drawstyle="steps-post", color=style.BLUE, alpha=0.5, lw=1.4)
    axes.scatter(front[cost], front[rate], s=38, color=style.BLUE, edgecolor=style.PAPER, zorder=3)
    axes.set_ylim(0, 1.25 * table[rate].max())
    axes.margins(x=0.13)
    style.y_ticks(axes, "")
    axes.xaxis.set_major_formatter(style.in_units(unit))
    axes.locator_params(axis="x", nbins=4)
    return front
