"""Figures of a judgement: the frames they draw, and what they show of them."""

import math
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from loaderbench.reports.figures import style as theme
from loaderbench.reports.figures.catalogue import picture
from loaderbench.reports.figures.gate import (
    FOREST,
    MOST_PANELS,
    MOST_ROWS,
    changes,
    forest,
    pictures,
    rounds,
    run_order,
)
from loaderbench.reports.gate.comparison import Judgement, Row


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_change_is_positive_where_head_is_better_whichever_way_its_metric_goes(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    table = changes(held(row("regressed"), row("regressed", "memory[x]", "pss_bytes", effect=0.3, width=0.1)))
    assert table["effect"].tolist() == [-0.3, -0.2]
    assert table["low"].tolist() == pytest.approx([-0.4, -0.22])


def test_cases_that_were_not_measured_have_no_change(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert len(changes(held(row("gone", "epoch[old]", ""), row("improved", effect=0.4)))) == 1


def test_no_more_rows_are_drawn_than_are_legible_and_the_unchanged_go_first(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    made = held(
        *(row("unchanged", f"epoch[same {n}]", effect=0.001 * n) for n in range(60)),
        *(row("inconclusive", f"epoch[wide {n}]") for n in range(30)),
    )
    drawn = picture(FOREST, changes(made))
    assert drawn is not None
    names = texts(drawn.svg)
    assert sum("wide" in name for name in names) == 30
    assert sum("same" in name for name in names) == MOST_ROWS - 30
    assert any("(40 of 90 figures)" in name for name in names)


def test_shares_have_an_axis_of_their_own(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    figure = forest(
        changes(held(row("regressed"), row("regressed", "training[x]", "stall_share", effect=0.1, base=0.2)))
    )
    assert figure is not None
    assert len(figure.axes) == 2


def test_nothing_compared_is_nothing_drawn(held: Callable[..., Judgement]) -> None:
    assert list(pictures(held(blocks=()))) == []


def test_an_interval_that_is_not_known_is_drawn_to_the_edges(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    assert forest(changes(held(row("inconclusive", width=math.inf)))) is not None


@pytest.mark.parametrize("effect", [0.0, 1e-9, -5.0, 300.0])
def test_any_effect_is_drawn(held: Callable[..., Judgement], row: Callable[..., Row], effect: float) -> None:
    drawn = picture(FOREST, changes(held(row("inconclusive", effect=effect, width=1e-9))))
    assert drawn is not None
    assert "1×" in texts(drawn.svg)


def test_rounds_are_in_the_order_in_which_they_were_run(measured: Judgement) -> None:
    table = rounds(measured)
    slow = table[table["case"] == "epoch[text-workers=2]"]
    assert slow["order"].tolist() == list(range(len(slow)))
    assert slow["block"].is_monotonic_increasing
    first = [sample["side"] for sample in measured.blocks[0]["samples"] if sample["case"] == "epoch[text-workers=2]"]
    assert slow.loc[slow["block"] == 1, "side"].tolist() == first


def test_a_round_is_drawn_in_its_metric(measured: Judgement) -> None:
    table = rounds(measured)
    sample = measured.blocks[0]["samples"][0]
    drawn = table[(table["case"] == sample["case"]) & (table["order"] == 0)]
    assert drawn["value"].tolist() == [sample["samples"] / sample["seconds"]]


def test_a_case_has_one_panel_the_gravest_first(measured: Judgement) -> None:
    assert rounds(measured)["case"].unique().tolist() == ["epoch[text-workers=2]", "epoch[images-workers=0]"]


def test_no_more_than_a_dozen_cases_have_panels(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    figure = run_order(rounds(held(*(row("unchanged", f"epoch[{n}]") for n in range(20)))))
    assert figure is not None
    assert len(figure.axes) == MOST_PANELS
    assert any("12 of 20 cases" in text.get_text() for text in figure.texts)


def test_sides_are_coloured_apart_and_named(measured: Judgement) -> None:
    (_, drawn) = pictures(measured)
    assert {"base", "head"} <= set(texts(drawn.svg))
    assert theme.BLUE in drawn.svg
    assert theme.ORANGE in drawn.svg


def test_many_rounds_are_thinned_evenly(measured: Judgement) -> None:
    table = rounds(measured)
    many = table.loc[table.index.repeat(20)].reset_index(drop=True)
    many["order"] = many.groupby("case").cumcount()
    figure = run_order(many)
    assert figure is not None
    assert any("one round in" in text.get_text() for text in figure.texts)


def test_equal_judgements_are_equal_pictures(measured: Judgement) -> None:
    assert [each.svg for each in pictures(measured)] == [each.svg for each in pictures(measured)]


def test_hostile_names_are_drawn_as_they_are(hostile: Judgement) -> None:
    for drawn in pictures(hostile):
        assert texts(drawn.svg)
        assert "\x1b" not in drawn.svg
