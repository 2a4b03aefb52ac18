"""The figure of trends: a panel for each series, its levels, and the commits at which they change."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from loaderbench.reports.figures.style import in_our_style
from loaderbench.reports.figures.trend import MOST_PANELS, TREND, trend
from loaderbench.reports.history.trends import with_levels


def points(names: list[str], runs: int = 30, steps: dict[str, int] | None = None, **columns: Any) -> pd.DataFrame:
    """Runs of cases, an hour apart; those in `steps` are half as fast from that run on."""
    random = np.random.default_rng(5)
    rows = [
        {
            "run": f"run-{run}",
            "started": f"2026-01-{1 + run // 24:02d}T{run % 24:02d}:00:00+00:00",
            "commit": f"{run:02d}{'c' * 38}",
            "machine": "m",
            "identity": name,
            "case": name,
            "bench": "epoch",
            "dataset": "images",
            "metric": "samples_per_s",
            "n": 5,
            "median": 1000 * np.exp(random.normal(0, 0.01)) / (1 + (run >= (steps or {}).get(name, runs))),
        }
        for run in range(runs)
        for name in names
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(low=0.99 * frame["median"], high=1.01 * frame["median"], **columns)


def drawn(table: pd.DataFrame) -> Figure:
    with in_our_style():
        figure = trend(with_levels(table))
    assert figure is not None
    return figure


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def panels(figure: Figure) -> list[str]:
    """What stands above each panel."""
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_a_change_is_marked_with_its_first_commit_and_the_ratio_of_the_levels() -> None:
    labels = texts(drawn(points(["a"], steps={"a": 20})))
    assert "20ccccc 0.50×" in labels


def test_every_run_is_a_dot() -> None:
    (axes,) = drawn(points(["a"], steps={"a": 20})).axes
    dots = axes.collections[1].get_offsets()
    assert len(dots) == 30


def test_every_level_is_a_line() -> None:
    (axes,) = drawn(points(["a"], steps={"a": 20})).axes
    levels = [line.get_ydata()[0] for line in axes.lines if line.get_color() == "#1f2430"]
    assert levels == pytest.approx([1000, 500], rel=0.01)


def test_the_figure_says_from_how_many_rounds_a_point_is() -> None:
    assert any("n = 5 rounds" in text for text in texts(drawn(points(["a"]))))


def test_the_axis_has_the_unit_of_the_dataset() -> None:
    assert drawn(points(["a"])).axes[0].get_ylabel() == "throughput, images/s"


def test_series_with_changes_come_first_the_newest_leading() -> None:
    names = panels(drawn(points(["still", "early", "late"], steps={"early": 10, "late": 20})))
    assert names == ["late", "early", "still"]


def test_without_changes_what_was_run_last_comes_first() -> None:
    table = points(["old", "new"])
    table = table[(table["case"] == "new") | (table["started"] < "2026-01-02")]
    assert panels(drawn(table)) == ["new", "old"]


def test_no_more_panels_are_drawn_than_can_be_read() -> None:
    figure = drawn(points([f"case{number}" for number in range(15)], runs=3))
    assert len(figure.axes) == MOST_PANELS
    assert any("(12 of 15 cases)" in text for text in texts(figure))


def test_one_run_is_no_trend() -> None:
    assert TREND.draw(with_levels(points(["a"], runs=1))) is None


def test_no_run_is_no_trend() -> None:
    assert TREND.draw(with_levels(points(["a"]).head(0))) is None


def test_unknown_dates_and_commits_are_drawn() -> None:
    labels = texts(drawn(points(["a"], steps={"a": 20}, started="", commit="")))
    assert {"no date", "run-20 0.50×"} <= set(labels)


def test_a_median_of_zero_is_drawn() -> None:
    (axes,) = drawn(points(["a"]).assign(median=0.0, low=0.0, high=0.0)).axes
    assert set(axes.collections[1].get_offsets()[:, 1]) == {0.0}


def test_a_hostile_name_is_drawn_as_it_is() -> None:
    assert "$x$ <b> \\x1b" in texts(drawn(points(["$x$ <b> \x1b"])))
