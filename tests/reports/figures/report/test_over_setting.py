"""The figure that any metric can have: which setting is its axis, and what is drawn."""

import pandas as pd
from matplotlib.figure import Figure

from loaderbench.reports.figures.report.over_setting import over_setting
from loaderbench.reports.figures.style import in_our_style
from loaderbench.reports.vocabulary import Metric

WARMTH = Metric("warmth", "warmth", "s", "higher", "How warm it became.")


def drawn(**columns: list[object]) -> Figure | None:
    """The figure of cases that have these columns."""
    number = len(next(iter(columns.values())))
    about = {"run": "r", "case": [str(row) for row in range(number)], "bench": "epoch", "dataset": "text"}
    settings = {name: values for name, values in columns.items() if name != "warmth"}
    cases = pd.DataFrame({**about, "device": "cpu", **settings, "rounds": 3, "warmth": columns.get("warmth")})
    with in_our_style():
        return over_setting(cases, WARMTH)


def test_a_setting_of_numbers_is_a_line_in_their_order() -> None:
    figure = drawn(zeal=[4, 1, 2], warmth=[0.4, 0.1, 0.2])
    assert figure is not None
    (axes,) = figure.axes
    (line,) = axes.lines
    assert list(line.get_ydata()) == [0.1, 0.2, 0.4]
    assert line.get_linestyle() == "-"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("zeal", "warmth")


def test_the_axis_begins_at_zero_and_ends_above_values_that_hardly_differ() -> None:
    figure = drawn(zeal=[1, 2], warmth=[0.1, 0.1001])
    assert figure is not None
    bottom, top = figure.axes[0].get_ylim()
    assert bottom == 0
    assert top > 1.05 * 0.1001


def test_a_setting_of_names_is_a_row_of_points() -> None:
    figure = drawn(sampling=["shuffle", "sequential"], warmth=[0.1, 0.2])
    assert figure is not None
    (line,) = figure.axes[0].lines
    assert line.get_linestyle() == "None"
    assert list(line.get_ydata()) == [0.2, 0.1]


def test_each_dataset_has_a_panel() -> None:
    figure = drawn(dataset=["text", "text", "images", "images"], zeal=[1, 2, 1, 2], warmth=[0.1, 0.2, 0.3, 0.4])
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["images", "text"]


def test_other_settings_are_held_at_their_commonest_value() -> None:
    figure = drawn(num_workers=[0, 2, 0], batch_size=[32, 32, 64], warmth=[0.1, 0.2, 9.0])
    assert figure is not None
    assert list(figure.axes[0].lines[0].get_ydata()) == [0.1, 0.2]


def test_nothing_is_drawn_where_no_setting_varies_or_the_metric_is_missing() -> None:
    assert drawn(zeal=[1, 1], warmth=[0.1, 0.2]) is None
    assert drawn(zeal=[1, 2], warmth=[float("nan"), float("nan")]) is None
