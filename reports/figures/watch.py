"""The figure of a watched script: the time of a step and the part of it that waits, over the run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.units import count
from loaderbench.reports.watch.loops import Floats
from loaderbench.reports.watch.verdict import LoopVerdict

MOST_LOADERS = 3
MOST_POINTS = 400  # of a line: beyond it a point is the mean of several steps


def steps_table(verdicts: Sequence[LoopVerdict]) -> pd.DataFrame:
    """Return a row for each step, or for the mean of several: loader, began and ended (s), wait_s, step_s, steps."""
    tables = [_of_loader(verdict) for verdict in verdicts[:MOST_LOADERS]]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["loader"])


def _of_loader(verdict: LoopVerdict) -> pd.DataFrame:
    times = verdict.times
    steps = np.flatnonzero(times.is_whole)
    parts = np.array_split(steps, min(MOST_POINTS, len(steps))) if len(steps) else []
    rows = [
        (
            times.received[part[0]] - times.waits[part[0]],
            times.received[part[-1]] + times.others[part[-1]],
            times.waits[part].mean(),
            times.others[part].mean(),
            len(part),
        )
        for part in parts
    ]
    table = pd.DataFrame(rows, columns=["began", "ended", "wait_s", "step_s", "steps"])
    return table.assign(loader=verdict.loader.name)


def steps(table: pd.DataFrame) -> Figure | None:
    """Draw for each loader the seconds of a step over the run, waiting below and everything else above it."""
    if table.empty:
        return None
    most = int(table["steps"].max())
    points = "each step" if most == 1 else f"means of up to {count(most, 'step')}"
    heading = style.Heading(title="Steps over the run", subtitle=f"Time of a step: waiting, and the rest; {points}")
    names = list(dict.fromkeys(table["loader"]))
    figure, panels = style.sheet(heading, len(names))
    for (axes,), name in zip(panels, names, strict=True):
        _panel(axes, table[table["loader"] == name])
        style.label(axes, title=str(name), x="seconds since the watch began")
        axes.set_title(str(name), pad=20)  # the legend lies between
    style.legend(panels[0][0], columns=2)
    return figure


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    """Draw each row as wide as it took: between two passes there is nothing."""
    edges = table[["began", "ended"]].to_numpy().ravel()
    waits, ends = _with_gaps(table["wait_s"]), _with_gaps(table["wait_s"] + table["step_s"])
    edgeless: dict[str, Any] = {"fill": True, "linewidth": 0, "antialiased": False}
    axes.stairs(waits, edges, color=style.VERMILLION, label="waiting", **edgeless)
    axes.stairs(ends, edges, baseline=waits, color=style.SKY, label="everything else", **edgeless)
    style.from_zero(axes)
    style.y_ticks(axes, "s")


def _with_gaps(heights: pd.Series) -> Floats:
    """Return the height between each two edges: a row's, then 0 until the next one begins."""
    return np.column_stack([heights, np.zeros(len(heights))]).ravel()[:-1]


STEPS = FigureKind(
    "steps",
    "Steps over the run",
    steps,
    "A red floor is waiting in every step: the loader is too slow. Red spikes are single slow batches, or starts of "
    "passes.",
)
