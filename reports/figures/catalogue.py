"""The figures of a report: what each shows and how it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from loaderbench.reports.figures import breakdown, costs, loading, training
from loaderbench.reports.figures.over_setting import over_setting
from loaderbench.reports.figures.style import in_our_style, png, svg
from loaderbench.reports.vocabulary import METRICS


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """One kind of figure: a pure function of a summary, which draws nothing where its data are absent."""

    name: str
    """File name without its ending."""
    section: str
    title: str
    reading: str
    """How to read it, in a sentence or two."""
    draw: Callable[[pd.DataFrame], Figure | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A drawn plot, as SVG text and PNG bytes."""

    plot: Plot
    svg: str
    png: bytes
    width: float
    """In points."""


PLOTS = (
    Plot(
        name="ceiling",
        section="Training",
        title="The ceiling: loader alone, step alone, both",
        reading="Where the loader's line lies above the step's, loading is not the bottleneck. What \"both\" "
        "falls short of the lower of the two is lost because loading and training do not fully overlap.",
        draw=training.ceiling,
    ),
    Plot(
        name="waits",
        section="Training",
        title="The wait for one batch",
        reading="A short median with a long tail means that batches arrive in bursts: one slow, then several at once.",
        draw=training.waits,
    ),
    Plot(
        name="throughput",
        section="Loading",
        title="Throughput over workers",
        reading="Workers pay until the line is flat. Where bars overlap, the rounds cannot tell two settings apart.",
        draw=loading.throughput,
    ),
    Plot(
        name="heatmap",
        section="Loading",
        title="Workers and batch size",
        reading="Darker is faster, within a panel. The cheapest corner of the dark region is where to stop.",
        draw=loading.heat_map,
    ),
    Plot(
        name="effects",
        section="Loading",
        title="What single settings do",
        reading="Right of 1 is faster. Dots far apart mean that the effect depends on the other settings; a grey bar "
        "crosses 1, so the rounds show no effect.",
        draw=loading.setting_effects,
    ),
    Plot(
        name="breakdown",
        section="Costs",
        title="Where a pass's seconds go",
        reading="What was done for a batch while the loop waited for it. The widest part is what to make cheaper; what "
        "nothing waits for costs nothing, however long it takes.",
        draw=breakdown.breakdown,
    ),
    Plot(
        name="passes",
        section="Costs",
        title="What each part of a loader adds",
        reading="Dark is what a part adds to the row above it, dotted what it saves: workers side by side read faster "
        "than one process, and what they read must then be transported.",
        draw=breakdown.passes,
    ),
    Plot(
        name="startup",
        section="Costs",
        title="Starting and stopping workers",
        reading="Paid once a run, or with workers that are not persistent once an epoch. Throughput never shows it.",
        draw=costs.startup,
    ),
    Plot(
        name="startup-payload",
        section="Costs",
        title="What the first batch waits for",
        reading="Under spawn and forkserver each worker is an interpreter of its own that is sent the dataset: the "
        "start grows with its size. Under fork it is there already.",
        draw=breakdown.startup,
    ),
    Plot(
        name="memory",
        section="Costs",
        title="Memory against throughput",
        reading="Up and left is better. A case off the line can be replaced by one that is faster and smaller.",
        draw=costs.memory,
    ),
    Plot(
        name="transfer",
        section="Costs",
        title="Copies to the device",
        reading="Small batches pay for the call, large ones for the link. non_blocking only helps from pinned memory.",
        draw=costs.transfer,
    ),
    Plot(
        name="fidelity",
        section="Trust",
        title="Can the figures be believed?",
        reading="The instrument reading what is known beforehand, on this machine, in this run.",
        draw=costs.fidelity,
    ),
)


def pictures(cases: pd.DataFrame) -> Iterator[Picture]:
    """Draw every plot whose data a summary holds."""
    drawn = (picture(plot, cases) for plot in plots())
    return (drawing for drawing in drawn if drawing is not None)


def plots() -> tuple[Plot, ...]:
    """Return our plots, and one for each metric of the vocabulary that names a section for its figure."""
    of_metrics = (
        Plot(
            name=metric.name,
            section=metric.figure,
            title=metric.label,
            reading=f"{metric.better.capitalize()} is better." if metric.better else "",
            draw=partial(over_setting, metric=metric),
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
