"""The figure of what was tuned: throughput of every setting against the memory and the CPUs that it takes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.front import scatter_with_front
from loaderbench.reports.figures.panels import short

AGAINST = (("pss_bytes", "memory of all processes, PSS", "bytes"), ("busy_cpus", "CPU cores busy", ""))
MOST_NAMES = 4  # of settings on the front
LONGEST = 30  # characters of a name
WIDE, HIGH = 0.018, 0.13  # of an axis, that a letter of a name is wide, and a name with its dot high
LEFT, INNER = 0.1, 0.8  # of an axis, beside the dots on its left, and which they take


def throughput_against_costs(settings: pd.DataFrame) -> Figure:
    """Draw settings: name, samples_per_s, pss_bytes, busy_cpus and is_recommended, a row each."""
    heading = style.Heading(
        title="Throughput against memory and CPUs",
        subtitle="A dot is a setting. Line: the Pareto front, no setting is better in both; green: recommended",
    )
    figure, panels = style.sheet(heading, len(AGAINST))
    for (axes,), (cost, words, unit) in zip(panels, AGAINST, strict=True):
        _scatter(axes, settings, cost, unit)
        style.label(axes, x=words, y="samples/s")
    return figure


THROUGHPUT_AGAINST_COSTS = FigureKind(
    "throughput-against-costs", "Throughput against memory and CPUs", throughput_against_costs,
    "Each dot is a setting that was measured and may be used; none lies above the line. The green dot is recommended.",
)  # fmt: skip


def _scatter(axes: Axes, settings: pd.DataFrame, cost: str, unit: str) -> None:
    front, rate = scatter_with_front(axes, settings, cost, unit), "samples_per_s"
    chosen = settings[settings["is_recommended"]]
    axes.scatter(chosen[cost], chosen[rate], s=60, color=style.GREEN, edgecolor=style.PAPER, zorder=4)
    named = pd.concat([chosen, front.iloc[::-1]]).drop_duplicates("name")
    table = named[["name", cost, rate]].assign(on_front=named["name"].isin(front["name"]))
    table["name"] = [short(name, LONGEST) for name in named["name"]]
    for name, x, y, is_before in _apart(table, settings[cost].min(), settings[cost].max()):
        axes.annotate(
            name, (x, y), (3 if is_before else -3, 8),
            textcoords="offset points", size=8, ha="right" if is_before else "left",
        )  # fmt: skip


def _apart(named: pd.DataFrame, least: float, most: float) -> list[tuple[str, float, float, bool]]:
    """Return the first settings of `named` (name, x, y, on_front) whose names do not cover each other.

    They are `MOST_NAMES` at most. The name of one on the front stands before its dot where there is room, as no other
    dot lies above the front; whether it does is the last of the four.
    """
    apart: list[tuple[str, float, float, bool]] = []
    covered: list[tuple[float, float, float]] = []  # from, to and how high: shares of the axes
    height = 1.25 * named.iloc[:, 2].max()
    for name, x, y, is_on_front in named.itertuples(index=False):
        at, long = LEFT + INNER * (x - least) / ((most - least) or 1.0), WIDE * len(name)
        is_before = is_on_front and at >= long
        begin, end = (at - long, at) if is_before else (at, at + long)
        is_clear = all(end < a or b < begin or abs(y / height - high) > HIGH for a, b, high in covered)
        if is_clear and len(apart) < MOST_NAMES:
            apart.append((name, float(x), float(y), is_before))
            covered.append((begin, end, y / height))
    return apart
