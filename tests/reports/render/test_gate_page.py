"""The page of a judgement in a real browser: what it shows, what it folds away, and that it obeys no name."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.reports.figures.gate import pictures
from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.render import gate_page as pages


def page(held: Judgement) -> str:
    return pages.gate_page(held, pictures(held))


def embedded(html: str) -> dict[str, Any]:
    return json.loads(re.search(r'id="verdict">(.*?)</script>', html, re.DOTALL)[1])


@pytest.fixture(scope="module")
def html(measured: Judgement) -> str:
    return page(measured)


@pytest.fixture
def desktop(opened: Callable[..., Any], html: str) -> Any:
    return opened(html)


def test_the_first_screen_has_headline_faults_counts_and_command(desktop: Any) -> None:
    bottoms = desktop.execute_script(
        "return ['.verdict h2', '.faults', '.bars', '.call pre', '.evidence']"
        ".map(s => document.querySelector(s).getBoundingClientRect().bottom)"
    )
    assert max(bottoms) < 900
    assert desktop.find_element("css selector", ".verdict h2").text == "1 regressed: throughput"
    assert desktop.find_element("css selector", ".call code").text == "loaderbench gate --base origin/main"


def test_the_copy_button_copies_the_command(desktop: Any) -> None:
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    desktop.execute_cdp_cmd("Browser.grantPermissions", permissions)
    desktop.find_element("css selector", "button.copy").click()
    copied = desktop.execute_async_script("navigator.clipboard.readText().then(arguments[0], () => arguments[0](null))")
    assert copied == "loaderbench gate --base origin/main"


def test_what_calls_for_a_reader_is_shown_and_the_rest_is_folded(desktop: Any) -> None:
    tables = desktop.find_elements("css selector", "table.verdicts")
    assert [table.is_displayed() for table in tables] == [True, False]
    assert "epoch[text-workers=2]" in tables[0].text
    assert "epoch[images-workers=0]" in tables[1].get_attribute("textContent")


def test_both_figures_are_there(desktop: Any) -> None:
    assert [figure.get_attribute("id") for figure in desktop.find_elements("tag name", "figure")] == [
        "changes",
        "rounds",
    ]


def test_every_block_s_telemetry_is_folded_away(desktop: Any, measured: Judgement) -> None:
    assert len(desktop.find_elements("css selector", "table.blocks tbody tr")) == len(measured.blocks)
    assert not desktop.find_element("css selector", "table.blocks").is_displayed()


def test_the_plan_and_the_conditions_are_there(desktop: Any) -> None:
    said = desktop.find_element("id", "conditions").text.replace("\u202f", " ")
    for words in ("3.0 %", "seed\n7", "OMP_NUM_THREADS=1", "did not move", "2026-11-24T04:18:00+00:00"):
        assert words in said


def test_the_verdict_document_is_inside(html: str, measured: Judgement) -> None:
    assert embedded(html)["headline"] == measured.headline
    assert embedded(html)["blocks"] == json.loads(json.dumps(measured.blocks))


def test_a_page_of_very_many_samples_leaves_them_to_the_file(
    measured: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_EMBEDDED", 100)
    found = embedded(page(measured))
    assert found["left_out"] == "every sample is in verdict.json"
    assert [block["samples"] for block in found["blocks"]] == [[]] * len(measured.blocks)


def test_on_a_desktop_the_table_is_not_cut_off(opened: Callable[..., Any], html: str) -> None:
    script = "const s = document.querySelector('.verdicts').parentElement; return s.scrollWidth - s.clientWidth"
    assert opened(html).execute_script(script) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("selector", [".regressed td.word", ".gone td.word", ".unchanged td.word", ".why", ".faults"])
def test_words_stand_out_from_the_paper(
    opened: Callable[..., Any], html: str, scheme: str, selector: str, contrast: Callable[..., float]
) -> None:
    browser = opened(html, scheme=scheme)
    assert contrast(browser, selector) >= 4.5  # WCAG 2.2, AA


def test_hostile_names_are_shown_and_nothing_more(opened: Callable[..., Any], hostile: Judgement) -> None:
    browser = opened(page(hostile))
    assert browser.title != "owned"
    assert browser.find_elements("tag name", "img") == []
    assert "</script><img" in browser.find_element("css selector", ".subject").text
    assert "{{7*7}}" in browser.find_element("css selector", ".verdicts").text
    assert browser.get_log("browser") == []


def test_hostile_names_do_not_end_the_document(hostile: Judgement) -> None:
    html = page(hostile)
    assert embedded(html)["base"] == hostile.about.base
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_nothing_compared_is_a_page_that_says_so(opened: Callable[..., Any], held: Callable[..., Judgement]) -> None:
    browser = opened(page(held(blocks=(), machine={}, command=())))
    assert browser.find_element("css selector", ".verdict h2").text == "could not be judged"
    assert browser.find_element("css selector", ".faults").text == "no case was compared"
    assert browser.find_elements("tag name", "figure") == []


def test_recorded_runs_have_no_blocks_to_show(
    opened: Callable[..., Any], held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    browser = opened(page(held(row("unchanged"), kind="compare", blocks=())))
    assert "Recorded runs" in browser.find_element("tag name", "header").text
    assert browser.find_elements("css selector", "table.blocks") == []
