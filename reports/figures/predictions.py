"""The figure of predictions: passes that were measured, beside what was predicted for them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.units import percent

MOST_ROWS = 24


def held_out_passes(passes: pd.DataFrame) -> Figure:
    """Draw passes that were measured and not used: num_workers, batch_size, measured_s, predicted_s, a row each."""
    table = passes.sort_values(["batch_size", "num_workers"]).head(MOST_ROWS)
    error = (table["predicted_s"] / table["measured_s"] - 1).abs()
    heading = style.Heading(
        title="Measured, and predicted from other settings",
        subtitle=f"A pass of the loader; the prediction is off by {percent(float(error.median()))} in the median",
    )
    size = (0.3 * len(table) + 0.1,)
    figure, ((axes,),) = style.sheet(heading, 1, heights=size)
    rows = np.arange(len(table))
    axes.hlines(rows, table["measured_s"], table["predicted_s"], color=style.GRID, lw=2)
    axes.scatter(table["measured_s"], rows, s=36, color=style.INK, label="measured", zorder=3)
    axes.scatter(table["predicted_s"], rows, s=36, color=style.BLUE, label="predicted", zorder=4, alpha=0.85)
    cases = zip(table["batch_size"].astype(int), table["num_workers"].astype(int), strict=True)
    style.rows(axes, [f"batch={size} workers={workers}" for size, workers in cases])
    style.log_x(axes, "s")
    style.legend(axes, columns=2)
    style.label(axes, x="time of a pass, mean of the middle half of its rounds")
    return figure


HELD_OUT_PASSES = FigureKind(
    "whatif", "Measured and predicted", held_out_passes,
    "Two dots close together are a pass that was predicted well.",
)  # fmt: skip
