"""The figures of a report: what each shows and how it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from loaderbench.reports.figures import breakdown, loading, other_costs, training
from loaderbench.reports.figures.over_setting import over_setting
from loaderbench.reports.figures.style import in_our_style, png, svg
from loaderbench.reports.vocabulary import METRICS


@dataclass(frozen=True, slots=True)
class Plot:
    """One kind of figure: a pure function of a summary, which draws nothing where its data are absent."""

    name: str  # of its file, without the ending
    title: str
    draw: Callable[[pd.DataFrame], Figure | None]
    how_to_read: str  # how to read it, in a sentence or two
    section: str = "Figures"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A drawn plot, as SVG text and PNG bytes."""

    plot: Plot
    svg: str
    png: bytes
    width: float  # in points


_BY_SECTION = {
    "Training": (
        Plot(
            "ceiling", "The ceiling: loader alone, step alone, both", training.ceiling,
            "Where the loader's line lies above the step's, loading is not the bottleneck. What \"both\" falls short "
            "of the lower of the two is lost because loading and training do not fully overlap.",
        ),
        Plot(
            "waits", "The wait for one batch", training.waits,
            "A short median with a long tail means that batches arrive in bursts: one slow, then several at once.",
        ),
    ),
    "Loading": (
        Plot(
            "throughput", "Throughput over workers", loading.throughput,
            "More workers help until the line is flat. Where bars overlap, the rounds cannot tell two settings apart.",
        ),
        Plot(
            "heatmap", "Workers and batch size", loading.heat_map,
            "Darker is faster, within a panel. Choose the smallest setting in the dark region.",
        ),
        Plot(
            "effects", "What single settings do", loading.setting_effects,
            "Right of 1 is faster. Dots far apart mean that the effect depends on the other settings; a grey bar "
            "crosses 1, so the rounds show no effect.",
        ),
    ),
    "Costs": (
        Plot(
            "breakdown", "Where a pass's seconds go", breakdown.breakdown,
            "What was done for a batch while the loop waited for it. The widest part is what to make cheaper; what "
            "nothing waits for costs nothing, however long it takes.",
        ),
        Plot(
            "passes", "What each part of a loader adds", breakdown.passes,
            "Dark is what a part adds to the row above it, dotted what it saves: workers side by side read faster than "
            "one process, and what they read must then be transported.",
        ),
        Plot(
            "startup", "Starting and stopping workers", other_costs.startup,
            "Spent once a run or, if workers are not persistent, once an epoch. Throughput does not show it.",
        ),
        Plot(
            "startup-payload", "What the first batch waits for", breakdown.startup,
            "Under spawn and forkserver each worker is an interpreter of its own that is sent the dataset: the start "
            "grows with its size. Under fork it is there already.",
        ),
        Plot(
            "memory", "Memory against throughput", other_costs.memory,
            "Up and left is better. A case off the line can be replaced by one that is faster and smaller.",
        ),
        Plot(
            "transfer", "Copies to the device", other_costs.transfer,
            "The time of small batches is that of the call, of large ones that of the link. non_blocking helps only "
            "from pinned memory.",
        ),
    ),
    "Trust": (
        Plot(
            "fidelity", "Can the figures be believed?", other_costs.fidelity,
            "Measurements of what is known beforehand, on this machine, in this run.",
        ),
    ),
}  # fmt: skip
PLOTS = tuple(replace(plot, section=section) for section, plots in _BY_SECTION.items() for plot in plots)


def pictures(cases: pd.DataFrame) -> Iterator[Picture]:
    """Draw every plot whose data a summary holds."""
    drawn = (picture(plot, cases) for plot in plots())
    return (drawing for drawing in drawn if drawing is not None)


def plots() -> tuple[Plot, ...]:
    """Return our plots, and one for each metric of the vocabulary that names a section for its figure."""
    of_metrics = (
        Plot(
            metric.name,
            metric.label,
            partial(over_setting, metric=metric),
            f"{metric.better.capitalize()} is better." if metric.better else "",
            metric.figure,
        )
        for metric in METRICS.values()
        if metric.figure
    )
    return (*PLOTS, *of_metrics)


def picture(plot: Plot, table: pd.DataFrame) -> Picture | None:
    """Draw one plot, if `table` holds its data."""
    with in_our_style():
        figure = plot.draw(table)
    if figure is None:
        return None
    return Picture(plot=plot, svg=svg(figure, plot.name), png=png(figure), width=72 * float(figure.get_figwidth()))
