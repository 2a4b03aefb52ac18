"""A setting and a metric that are each registered in one place, and nowhere else, reach the frame, table and page."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.documents.report import Report, assemble, report_document
from loaderbench.reports.records.frame import read
from loaderbench.reports.render.html import page
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.vocabulary import METRICS, SETTINGS, Metric, Setting, register

ZEAL = Setting(name="zeal", help="how eagerly samples are read", kind="whole", default=1, has_column=True)
WARMTH = Metric("warmth_s", "warmth", "s", "higher", "How warm it became.", in_table=True, figure="Comfort")


@pytest.fixture(scope="module")
def report(synthetic: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """A report of epochs that sweep the setting and measure the metric."""
    source = synthetic()
    cases = []
    for zeal in (1, 2, 16):
        settings = {"dataset": "images", "device": "cpu", "num_workers": 1, "batch_size": 32, "zeal": zeal}
        case = source.case("epoch", settings, 3)
        case["extra_info"]["rounds"]["warmth_s"] = [0.001 * zeal] * 3
        cases.append(case)
    folder: Path = tmp_path_factory.mktemp("made-up")
    (folder / "run.json").write_text(json.dumps(source.document(cases)))
    register(ZEAL)
    register(WARMTH)
    try:
        yield assemble(read([folder]))
    finally:
        del SETTINGS["zeal"], METRICS["warmth_s"]


def test_the_frame_has_both(report: Report) -> None:
    frame = report.records.frame
    assert frame.groupby("zeal")["warmth_s"].median().to_dict() == {1: 0.001, 2: 0.002, 16: 0.016}
    assert report.cases["warmth_s"].tolist() == [0.001, 0.002, 0.016]


def test_the_table_has_a_column_of_each_and_says_what_the_metric_means(report: Report) -> None:
    text = markdown(report_document(report))
    head = next(line for line in text.splitlines() if line.startswith("| bench"))
    assert {"zeal", "warmth"} <= set(head.split(" | "))
    assert "2\u202fms" in text


def test_the_metric_has_a_figure_over_the_setting(report: Report) -> None:
    picture = next(picture for picture in report.pictures if picture.plot.name == "warmth_s")
    assert "zeal (how eagerly samples are read)" in picture.svg
    assert "warmth (s)" in picture.svg


def test_the_page_shows_the_figure_in_its_section_and_the_column(report: Report) -> None:
    written = page(report_document(report))
    assert '<section id="comfort">' in written
    assert '<figure id="warmth_s"' in written
    assert '"label":"zeal"' in written
    assert '"meaning":"How warm it became."' in written
