"""The figure that any metric can have: its values over the setting that varies."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.figures.panels import Facet, at_usual_values, facet_figure, facets, rounds_of, setting_label
from loaderbench.reports.vocabulary import Metric, panel_settings, unit_of
from loaderbench.reports.wording import levels, settings_of


def over_setting(cases: pd.DataFrame, metric: Metric) -> Figure | None:
    """Draw `metric` over the first setting that varies among the cases of the bench that has most of it."""
    if metric.name not in cases or cases[metric.name].isna().all():
        return None
    known = cases[cases[metric.name].notna()]
    bench = known["bench"].value_counts().sort_index().idxmax()
    known = known[known["bench"] == bench]
    setting = next((name for name in settings_of(known) if _varies(known, name) and name not in panel_settings()), None)
    if setting is None:
        return None
    table = at_usual_values(known, (setting,))
    shown = facets(table, least={setting: 2})
    if not shown.panels:
        return None
    about = " ".join(filter(None, [metric.meaning, f"Bench {bench}, {rounds_of(table)} a point"]))
    heading = style.Heading(title=f"{metric.label[:1].upper()}{metric.label[1:]}", subtitle=about)
    return facet_figure(heading, shown, partial(_points, metric=metric, setting=setting))


def _varies(cases: pd.DataFrame, setting: str) -> bool:
    return len(levels(cases, setting)) > 1


def _points(axes: Axes, facet: Facet, metric: Metric, setting: str) -> None:
    """Draw a point for each level of the setting, joined where the levels are numbers."""
    values = levels(facet.table, setting)
    line = facet.table.drop_duplicates(setting).set_index(setting)[metric.name].reindex(values)
    is_ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    style.steps(axes, values)
    axes.plot(
        np.arange(len(values)), line, marker="o", color=style.BLUE,
        linestyle="-" if is_ordered else "none",
    )  # fmt: skip
    style.from_zero(axes)
    style.y_ticks(axes, metric.unit)
    unit = unit_of(metric.name, facet.dataset)
    is_named = bool(unit) and metric.unit not in style.UNITS_OF_TICKS
    y = f"{metric.label}, {unit}" if is_named else metric.label
    style.label(axes, title=facet.name, x=setting_label(setting), y=y)
