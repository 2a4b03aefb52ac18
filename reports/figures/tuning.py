"""The figure of what was tuned: throughput of every setting against the memory and the CPUs that it takes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.other_costs import scatter_with_front
from loaderbench.reports.figures.panels import short

AGAINST = (("pss_bytes", "memory of all processes, PSS", "bytes"), ("busy_cpus", "CPU cores busy", ""))
MOST_NAMES = 4  # of settings on the front
LONGEST = 30  # characters of a name
WIDE, HIGH = 0.6, 0.13  # of an axis, that the name of a setting and its dot cover


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
    for name, x, y in _apart(named[["name", cost, rate]], width=settings[cost].max() - settings[cost].min()):
        axes.annotate(short(name, LONGEST), (x, y), (-3, 8), textcoords="offset points", size=8)


def _apart(named: pd.DataFrame, width: float) -> list[tuple[str, float, float]]:
    """Return the first settings of `named` (name, x, y) whose names do not cover each other, `MOST_NAMES` at most."""
    apart: list[tuple[str, float, float]] = []
    height = 1.25 * named.iloc[:, 2].max()
    for name, x, y in named.itertuples(index=False):
        is_clear = all(abs(x - a) > WIDE * width or abs(y - b) > HIGH * height for _, a, b in apart)
        if is_clear and len(apart) < MOST_NAMES:
            apart.append((str(name), float(x), float(y)))
    return apart
