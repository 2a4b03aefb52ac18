"""The kinds of figures of a report, by its sections: what each shows and how it is read."""

from dataclasses import replace
from functools import partial

from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.report import breakdown, loading, other_costs, training
from loaderbench.reports.figures.report.over_setting import over_setting
from loaderbench.reports.vocabulary import METRICS

_BY_SECTION = {
    "Training": (
        FigureKind(
            "ceiling", "The ceiling: loader alone, step alone, both", training.ceiling,
            "Where the loader's line lies above the step's, loading is not the bottleneck. What \"both\" falls short "
            "of the lower of the two is lost because loading and training do not fully overlap.",
        ),
        FigureKind(
            "waits", "The wait for one batch", training.waits,
            "A short median with a long tail means that batches arrive in bursts: one slow, then several at once.",
        ),
    ),
    "Loading": (
        FigureKind(
            "throughput", "Throughput over workers", loading.throughput,
            "More workers help until the line is flat. Where bars overlap, the rounds cannot tell two settings apart.",
        ),
        FigureKind(
            "heatmap", "Workers and batch size", loading.heat_map,
            "Darker is faster, within a panel. Choose the smallest setting in the dark region.",
        ),
        FigureKind(
            "effects", "What single settings do", loading.setting_effects,
            "Right of 1 is faster. Dots far apart mean that the effect depends on the other settings; a grey bar "
            "crosses 1, so the rounds show no effect.",
        ),
    ),
    "Costs": (
        FigureKind(
            "breakdown", "Where a pass's seconds go", breakdown.breakdown,
            "What was done for a batch while the loop waited for it. The widest part is what to make cheaper; what "
            "nothing waits for costs nothing, however long it takes.",
        ),
        FigureKind(
            "passes", "What each part of a loader adds", breakdown.passes,
            "Dark is what a part adds to the row above it, dotted what it saves: workers side by side read faster than "
            "one process, and what they read must then be transported.",
        ),
        FigureKind(
            "startup", "Starting and stopping workers", other_costs.startup,
            "Spent once a run or, if workers are not persistent, once an epoch. Throughput does not show it.",
        ),
        FigureKind(
            "startup-payload", "What the first batch waits for", breakdown.startup,
            "Under spawn and forkserver each worker is an interpreter of its own that is sent the dataset: the start "
            "grows with its size. Under fork it is there already.",
        ),
        FigureKind(
            "memory", "Memory against throughput", other_costs.memory,
            "Up and left is better. A case off the line can be replaced by one that is faster and smaller.",
        ),
        FigureKind(
            "transfer", "Copies to the device", other_costs.transfer,
            "The time of small batches is that of the call, of large ones that of the link. non_blocking helps only "
            "from pinned memory.",
        ),
    ),
    "Trust": (
        FigureKind(
            "fidelity", "Can the figures be believed?", other_costs.fidelity,
            "Measurements of what is known beforehand, on this machine, in this run.",
        ),
    ),
}  # fmt: skip
LISTED = tuple(replace(kind, section=section) for section, kinds in _BY_SECTION.items() for kind in kinds)


def figure_kinds() -> tuple[FigureKind, ...]:
    """Return the kinds listed here, and one for each metric of the vocabulary that names a section for its figure."""
    of_metrics = (
        FigureKind(
            metric.name,
            metric.label,
            partial(over_setting, metric=metric),
            f"{metric.better.capitalize()} is better." if metric.better else "",
            metric.figure,
        )
        for metric in METRICS.values()
        if metric.figure
    )
    return (*LISTED, *of_metrics)
