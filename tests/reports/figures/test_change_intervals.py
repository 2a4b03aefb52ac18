"""The figure of a comparison: the frame it draws, and what it shows of it."""

import math
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.figures.change_intervals import CHANGES, MOST_ROWS, change_table, forest
from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.verdicts import CaseVerdict


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_change_is_positive_where_head_is_better_whichever_way_its_metric_goes(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    table = change_table(
        compared(verdict("regressed"), verdict("regressed", "memory[x]", "pss_bytes", effect=0.3, width=0.1))
    )
    assert table["effect"].tolist() == [-0.3, -0.2]
    assert table["low"].tolist() == pytest.approx([-0.4, -0.22])


def test_cases_that_were_not_measured_have_no_change(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    assert len(change_table(compared(verdict("gone", "epoch[old]", ""), verdict("improved", effect=0.4)))) == 1


def test_no_more_rows_are_drawn_than_are_legible_and_the_unchanged_go_first(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    made = compared(
        *(verdict("unchanged", f"epoch[same {n}]", effect=0.001 * n) for n in range(60)),
        *(verdict("inconclusive", f"epoch[wide {n}]") for n in range(30)),
    )
    figure = drawn(CHANGES, change_table(made))
    assert figure is not None
    names = texts(figure.svg)
    assert sum("wide" in name for name in names) == 30
    assert sum("same" in name for name in names) == MOST_ROWS - 30
    assert any("(40 of 90 figures)" in name for name in names)


def test_shares_have_an_axis_of_their_own(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    figure = forest(
        change_table(
            compared(verdict("regressed"), verdict("regressed", "training[x]", "stall_share", effect=0.1, base=0.2))
        )
    )
    assert figure is not None
    assert len(figure.axes) == 2


def test_nothing_compared_is_nothing_drawn(compared: Callable[..., Comparison]) -> None:
    assert drawn(CHANGES, change_table(compared(blocks=()))) is None


def test_an_interval_that_is_not_known_is_drawn_to_the_edges(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    assert forest(change_table(compared(verdict("inconclusive", width=math.inf)))) is not None


@pytest.mark.parametrize("effect", [0.0, 1e-9, -5.0, 300.0])
def test_any_effect_is_drawn(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict], effect: float
) -> None:
    figure = drawn(CHANGES, change_table(compared(verdict("inconclusive", effect=effect, width=1e-9))))
    assert figure is not None
    assert "1×" in texts(figure.svg)


def test_equal_comparisons_are_equal_figures(measured: Comparison) -> None:
    first, second = (drawn(CHANGES, change_table(measured)) for _ in range(2))
    assert first == second
    assert first is not None


def test_hostile_names_are_drawn_as_they_are(hostile_comparison: Comparison) -> None:
    figure = drawn(CHANGES, change_table(hostile_comparison))
    assert figure is not None
    assert texts(figure.svg)
    assert "\x1b" not in figure.svg
