"""Figures are pure functions of a summary: what is drawn, in what units, from how many rounds."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from loaderbench.reports.documents import drawing
from loaderbench.reports.documents.document import DrawnFigure
from loaderbench.reports.documents.report.report_document import Report
from loaderbench.reports.figures import style
from loaderbench.reports.figures.figure_kind import FigureKind
from loaderbench.reports.figures.report.catalogue import figure_kinds
from loaderbench.reports.figures.report.loading import heat_map, setting_effects, throughput
from loaderbench.reports.figures.report.other_costs import memory, startup
from loaderbench.reports.figures.report.training import ceiling

NAMES = [kind.name for kind in figure_kinds()]


@pytest.fixture(scope="module")
def both(realistic: Report) -> tuple[dict[str, Figure], tuple[DrawnFigure, ...]]:
    """Every figure, each drawn once: matplotlib's, and what a document has of it."""
    figures: dict[str, Figure] = {}

    def kept(kind: FigureKind) -> FigureKind:
        def draw(table: pd.DataFrame) -> Figure | None:
            if (figure := kind.draw(table)) is not None:
                figures[kind.name] = figure
            return figure

        return replace(kind, draw=draw)

    parts = drawing.all_drawn(map(kept, figure_kinds()), realistic.cases)
    return figures, parts


@pytest.fixture
def drawn(both: tuple[dict[str, Figure], tuple[DrawnFigure, ...]]) -> dict[str, Figure]:
    return both[0]


@pytest.fixture
def parts(both: tuple[dict[str, Figure], tuple[DrawnFigure, ...]]) -> tuple[DrawnFigure, ...]:
    return both[1]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def axes_labels(figure: Figure) -> str:
    return " ".join(f"{axes.get_xlabel()} {axes.get_ylabel()}" for axes in figure.axes)


def test_every_plot_is_drawn_where_its_data_are(drawn: dict[str, Figure]) -> None:
    assert list(drawn) == NAMES


def test_every_figure_says_how_many_rounds_it_is_from(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        assert re.search(r"n [=≥] \d+|, \d+ rounds?", " ".join(texts(figure))), name


UNITS = {
    "ceiling": ["images/s", "texts/s", "% of the time", "num_workers (worker processes)"],
    "waits": ["wait for a batch", "num_workers"],
    "throughput": ["images/s", "num_workers (worker processes)"],
    "heatmap": ["num_workers (worker processes)", "batch_size (samples in a batch)"],
    "effects": ["ratio of throughputs"],
    "breakdown": ["share of a pass"],
    "passes": ["time of a pass"],
    "startup": ["time, median"],
    "startup-payload": ["time, median"],
    "memory": ["memory added, PSS", "images/s"],
    "transfer": ["size of a batch", "bytes/s"],
    "fidelity": ["error of what was measured (%)"],
    "cpu_per_sample_s": ["num_workers (worker processes)", "CPU time a sample"],
}


def test_every_axis_has_its_unit(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        assert [unit for unit in UNITS[name] if unit not in axes_labels(figure)] == [], name


TICKS = {
    "waits": "s", "passes": "s", "startup": "s", "startup-payload": "s", "memory": "B", "transfer": "B",
    "breakdown": "%", "cpu_per_sample_s": "s",
}  # fmt: skip


def test_ticks_of_times_and_sizes_have_their_units(drawn: dict[str, Figure]) -> None:
    for name, unit in TICKS.items():
        axes = drawn[name].axes[0]
        with style.in_our_style():
            written = [axis.get_major_formatter().format_ticks([1.0]) for axis in (axes.xaxis, axes.yaxis)]
        assert any(tick.endswith(unit) for (tick,) in written), name


def test_a_subtitle_that_is_wider_than_its_figure_has_several_lines() -> None:
    with style.in_our_style():
        figure, ((axes,),) = style.sheet(
            style.Heading(title="t", subtitle="The loader alone. Bars: within-run spread, n = 3 rounds a point; " * 3),
            1,
        )
        figure.draw_without_rendering()
    _, subtitle = figure.texts
    assert subtitle.get_text().count("\n") >= 1
    width = figure.get_window_extent().width
    assert subtitle.get_window_extent().x1 < width
    assert subtitle.get_window_extent().y0 > axes.get_tightbbox().y1


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_cut_off(drawn: dict[str, Figure], name: str) -> None:
    figure = drawn[name]
    with style.in_our_style():
        figure.draw_without_rendering()
        drawn_in = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn_in.x0 >= -0.02
    assert drawn_in.y0 >= -0.02
    assert drawn_in.x1 <= width + 0.02
    assert drawn_in.y1 <= height + 0.02


def test_a_kind_of_figure_without_data_draws_nothing(
    synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]
) -> None:
    source = synthetic()
    epoch = source.case("epoch", {"num_workers": 1, "batch_size": 2, "dataset": "text"}, 3)
    cases = cases_of(source.document([epoch, source.case("fidelity", {}, 3)]))
    for kind in figure_kinds():
        bench = "epoch" if kind.name == "fidelity" else "fidelity"
        assert kind.draw(cases[cases["bench"] == bench]) is None, kind.name


def test_throughput_is_drawn_from_zero_with_a_line_for_each_batch_size(drawn: dict[str, Figure]) -> None:
    axes = drawn["throughput"].axes[0]
    assert axes.get_ylim()[0] == 0
    assert len(axes.lines) == 2
    assert {"batch 32", "batch 256"} <= set(texts(drawn["throughput"]))


def test_the_line_shows_the_throughput_of_the_summary(realistic: Report, drawn: dict[str, Figure]) -> None:
    cases = realistic.cases
    epoch = cases[(cases["bench"] == "epoch") & (cases["dataset"] == "images") & (cases["batch_size"] == 32)]
    shown = epoch[~epoch["pin_memory"].astype(bool)].sort_values("num_workers")
    assert drawn["throughput"].axes[0].lines[0].get_ydata().tolist() == shown["samples_per_s"].tolist()


def test_the_heat_map_writes_the_value_in_each_cell(drawn: dict[str, Figure]) -> None:
    numbers = [text for text in texts(drawn["heatmap"]) if re.fullmatch(r"[\d ]{3,}", text)]
    assert len(numbers) >= 3 * 5 * 2


def test_the_ceiling_names_its_three_lines(drawn: dict[str, Figure]) -> None:
    assert {"loader alone", "step alone", "both"} <= set(texts(drawn["ceiling"]))


def test_small_multiples_are_bounded_and_say_so(
    synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]
) -> None:
    cases = cases_of(synthetic().run())
    many = pd.concat([cases.assign(dataset=f"data {number:02d}") for number in range(20)], ignore_index=True)
    figure = throughput(many)
    assert len(figure.axes) == style.MOST_PANELS
    assert "(6 of 20 panels)" in " ".join(texts(figure))


def test_one_case_alone_makes_no_line(synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]) -> None:
    cases = cases_of(synthetic().epochs(1, 3))
    assert throughput(cases) is heat_map(cases) is setting_effects(cases) is None


def test_one_round_is_drawn_without_a_spread(
    synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]
) -> None:
    cases = cases_of(synthetic().run(1))
    with style.in_our_style():
        figures = {kind.name: kind.draw(cases) for kind in figure_kinds()}
        figures["throughput"].draw_without_rendering()
        figures["effects"].draw_without_rendering()
    assert [name for name, figure in figures.items() if figure is None] == ["transfer"]  # no device


def test_equal_figures_are_equal_bytes_and_matplotlibs_settings_are_left_alone(
    realistic: Report, parts: tuple[DrawnFigure, ...]
) -> None:
    before = dict(mpl.rcParams)
    assert drawing.drawn(figure_kinds()[0], realistic.cases) == parts[0]
    assert dict(mpl.rcParams) == before


HOSTILE = ("$\\frac{$", "</text><script>alert(1)</script>", "a\x00b\x1b[31m", "漢字 🙂", "x" * 500)


def test_hostile_names_are_drawn_as_text(synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]) -> None:
    document = synthetic().run(2)
    for case in document["benchmarks"]:
        values = case["extra_info"]["settings"]
        name = HOSTILE[len(values.get("dataset", "")) % len(HOSTILE)]  # text, images, tokens, table: four of them
        values |= {"dataset": name, "collate_fn": HOSTILE[-1] + name}
    cases = cases_of(document)
    for draw in (throughput, setting_effects, startup, memory):
        with style.in_our_style():
            drawn = style.svg(draw(cases), "figure")
        assert not ET.fromstring(drawn).findall(".//{http://www.w3.org/2000/svg}script")


def test_figures_refer_to_nothing_outside(parts: tuple[DrawnFigure, ...]) -> None:
    for figure in parts:
        assert not re.findall(r'(?:href|src)="(?!#)[^"]*"', figure.svg)


def test_on_the_page_no_colour_of_ours_is_left_as_it_was(parts: tuple[DrawnFigure, ...]) -> None:
    inlined = style.inline(parts[0].svg)
    assert not any(colour in inlined for colour in style.COLOURS)
    assert "var(--ink)" in inlined


def test_ids_of_two_figures_on_one_page_differ(parts: tuple[DrawnFigure, ...]) -> None:
    referred = [set(re.findall(r'(?:url\(|href=")#([\w-]+)', figure.svg)) for figure in parts]
    assert sum(map(len, referred)) == len(set().union(*referred))


def test_startup_rows_read_from_the_lightest_method(drawn: dict[str, Figure]) -> None:
    words = [tick.get_text() for tick in drawn["startup"].axes[0].get_yticklabels()]
    assert words[0] == "fork · restarted"
    assert words[-1] == "spawn · persistent"


def test_memory_needs_the_epoch_of_equal_settings(realistic: Report) -> None:
    cases = realistic.cases
    assert memory(cases) is not None
    assert memory(cases[cases["bench"] != "epoch"]) is None


def test_memory_that_a_loader_gave_back_is_drawn_below_zero(realistic: Report) -> None:
    with style.in_our_style():
        drawn = memory(realistic.cases.assign(added_pss_bytes=realistic.cases["added_pss_bytes"] - 1e9))
    assert drawn is not None
    assert all(axes.get_xlim()[0] < 0 for axes in drawn.axes)


def test_missing_columns_of_startup_leave_gaps(realistic: Report) -> None:
    with style.in_our_style():
        assert startup(realistic.cases.assign(shutdown_s=float("nan"))) is not None


def test_ceiling_takes_the_batch_size_that_trains_fastest(realistic: Report) -> None:
    with style.in_our_style():
        figure = ceiling(realistic.cases)
    training = realistic.cases[realistic.cases["bench"] == "training"]
    best = training[training["dataset"] == "tokens"].nlargest(1, "samples_per_s")["batch_size"].iloc[0]
    assert f"tokens, batch {best:.0f}" in texts(figure)


def test_the_passes_say_what_each_part_adds_or_saves(drawn: dict[str, Figure]) -> None:
    written = " ".join(texts(drawn["passes"])).replace("\u202f", " ")  # a narrow space
    for words in (
        "250 ms",
        "300 ms  +50.0 ms",
        "150 ms  −150 ms",
        "180 ms  +30",
        "200 ms  +20.0 ms",
        "and copies",
    ):
        assert words in written


def test_on_the_cpu_the_passes_have_no_copies(
    synthetic: Callable[..., Any], cases_of: Callable[..., pd.DataFrame]
) -> None:
    source = synthetic()
    settings = {"dataset": "text", "device": "cpu", "num_workers": 2}
    passes = next(kind for kind in figure_kinds() if kind.name == "passes")
    figure = passes.draw(cases_of(source.document([source.case("breakdown", settings, 3)])))
    assert figure is not None
    assert "and copies" not in texts(figure)
    assert "200\u202fms  +50.0\u202fms" in texts(figure)
