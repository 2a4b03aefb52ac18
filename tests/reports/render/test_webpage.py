"""The page of a document in a real browser: alone, harmless, light and dark, on a phone, and a table to search."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_documents import document_of

from loaderbench.reports.documents.document import Cell, Column, Document, Section, Table
from loaderbench.reports.render.files import files
from loaderbench.reports.render.webpage import page


@pytest.fixture(scope="module")
def html() -> str:
    return page(document_of(lambda text: text, rows=120))


def column(browser: Any, name: str) -> list[str]:
    script = """
        const head = [...document.querySelectorAll('#cases th')].findIndex(th => th.textContent === arguments[0]);
        return [...document.querySelectorAll('#cases tbody tr')].map(tr => tr.children[head].textContent);
    """
    return browser.execute_script(script, name)


def click(browser: Any, heading: str) -> None:
    script = "[...document.querySelectorAll('#cases th button')].find(b => b.textContent === arguments[0]).click()"
    browser.execute_script(script, heading)


def keep(browser: Any, words: str) -> None:
    script = (
        "const f = document.querySelector('#cases input');f.value = arguments[0]; f.dispatchEvent(new Event('input'))"
    )
    browser.execute_script(script, words)


def number_of_rows(browser: Any) -> str:
    return browser.find_element("css selector", "#cases output").text


def test_it_opens_without_an_error_and_asks_for_nothing(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_nothing_in_it_points_outside(html: str) -> None:
    assert re.findall(r"(?:src|href|action)\s*=\s*[\"']?(?!#)([^\"'\s>]+)|url\((?!#)([^)]*)\)|@import", html) == []


def test_its_policy_allows_its_own_script_alone(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    script = (
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "window.ran === undefined"
    )
    assert browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script})["result"]["value"] is True
    browser.get_log("browser")  # the refusal is logged


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_width_scrolls_sideways(
    opened: Callable[..., Any], html: str, hostile_document: Document, width: int
) -> None:
    for written in (html, page(hostile_document)):
        assert opened(written, width=width).execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_the_paper(
    opened: Callable[..., Any], html: str, scheme: str, contrast: Callable[..., float]
) -> None:
    browser = opened(html, scheme=scheme)
    for selector in (
        "body", ".muted", ".callout h2", ".evidence", "figcaption", "#cases td", ".call code", "td.good", ".faults li",
        ".warn li",
    ):  # fmt: skip
        assert contrast(browser, selector) >= 4.5, selector  # WCAG 2.2, AA
    assert contrast(browser, "figure svg text", "fill") >= 4.5


def test_the_copy_button_copies_the_call(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    browser.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    browser.find_element("css selector", "button.copy").click()
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], () => arguments[0](null))")
    assert copied == "DataLoader(\n    dataset,\n)"


def test_the_table_begins_with_the_largest_and_a_heading_sorts_and_sorts_back(
    opened: Callable[..., Any], html: str
) -> None:
    browser = opened(html)
    assert column(browser, "throughput")[:2] == ["119/s", "118/s"]
    click(browser, "throughput")
    assert column(browser, "throughput")[:2] == ["1/s", "2/s"]
    click(browser, "case")
    assert column(browser, "case")[:2] == ["case 0 · a note", "case 1"]
    heading = browser.find_element("css selector", "[aria-sort]")
    assert (heading.text.strip(" ↑"), heading.get_attribute("aria-sort")) == ("case", "ascending")


def test_missing_values_come_last_both_ways(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    for _ in range(2):
        click(browser, "throughput")
        assert column(browser, "throughput")[0] != ""


def test_words_filter_all_of_them_at_once_and_a_column_by_its_name(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    keep(browser, "TRAINING 10/s")
    assert column(browser, "case") == ["case 110", "case 10"]
    keep(browser, "bench=epoch 119/s")
    assert column(browser, "case") == ["case 119"]
    keep(browser, "no such case")
    assert browser.find_element("css selector", "#cases .range").text == "no row fits"


def test_a_column_that_none_of_the_filtered_rows_has_is_hidden(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    headings = "return [...document.querySelectorAll('#cases th')].filter(th => !th.hidden).map(th => th.textContent)"
    keep(browser, "note")  # the case without a throughput
    assert browser.execute_script(headings) == ["case", "bench"]
    keep(browser, "no such case")
    assert browser.execute_script(headings) == ["case", "bench", "throughput"]


def test_a_value_of_a_column_can_be_chosen(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    script = (
        "const s = document.querySelector('#cases select'); s.value = 'epoch'; s.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script)
    assert number_of_rows(browser) == "60 of 120 rows"
    assert set(column(browser, "bench")) == {"epoch"}


def test_the_table_is_drawn_a_page_at_a_time(opened: Callable[..., Any], html: str) -> None:
    browser = opened(html)
    assert len(column(browser, "bench")) == 50
    browser.find_element("css selector", "#cases .later").click()
    assert browser.find_element("css selector", "#cases .range").text == "51 to 100"
    browser.find_element("css selector", "#cases .earlier").click()
    assert browser.find_element("css selector", "#cases .range").text == "1 to 50"


def test_ten_thousand_rows_are_searched(opened: Callable[..., Any]) -> None:
    document = document_of(lambda text: text, rows=10_000)
    browser = opened(page(replace(document, parts=document.parts[-1:])))
    keep(browser, "epoch")
    assert number_of_rows(browser) == "5000 of 10000 rows"


def test_hostile_texts_are_shown_and_nothing_more(opened: Callable[..., Any], hostile_document: Document) -> None:
    browser = opened(page(hostile_document))
    assert browser.title.startswith("title </script>")
    assert browser.find_elements("tag name", "img") == []
    for selector in (
        ".about",
        ".notice",
        ".subject",
        ".callout h2",
        ".sentence",
        "#cases td",
        "figcaption",
        "dt",
        "nav a",
    ):
        assert "</script><img" in browser.find_element("css selector", selector).text
        assert "{{7*7}}" in browser.find_element("css selector", selector).text
    assert browser.get_log("browser") == []


def test_hostile_texts_do_not_end_their_data(hostile_document: Document) -> None:
    written = page(hostile_document)
    data = re.search(r'id="cases">.*?<script type="application/json">(.*?)</script>', written, re.DOTALL)
    assert "</script><img" in json.loads(data[1])["rows"][0][0]
    assert "</script><img" in json.loads(re.search(r'id="extra">(.*?)</script>', written, re.DOTALL)[1])["x"]
    assert "\x1b" not in written
    assert "\u202e" not in written


def test_a_number_that_is_missing_is_sorted_as_missing() -> None:
    rows = ((Cell(text="–", number=float("nan")),), (Cell(text="2", number=np.float32(2)),))  # type: ignore[arg-type]
    table = Table(columns=(Column(label="n", number=True),), rows=rows, searchable=True)
    assert '"rows":[[[null,"–"]],[[2.0,"2"]]]' in page(Document(title="t", parts=(table,)))


def test_each_section_has_an_anchor_of_its_own() -> None:
    sections = tuple(Section(title=title, parts=()) for title in ("Costs", "Costs", "Costs 2", "漢字", "!"))
    written = page(Document(title="t", parts=sections))
    anchors = re.findall(r'<section id="([^"]*)"', written)
    assert anchors == re.findall(r'<a href="#([^"]*)"', written)
    assert len(set(anchors)) == 5


def test_every_figure_has_its_title_for_those_who_do_not_see_it(whole_document: Document, html: str) -> None:
    titles = [figure.title for figure in whole_document.figures]
    assert re.findall(r'<svg role="img" aria-label="([^"]*)"', html) == titles


def test_the_files_are_the_figures_the_markdown_and_last_the_page(whole_document: Document) -> None:
    written = dict(files(whole_document, "report"))
    assert list(written) == ["figures/line.svg", "figures/line.png", "report.md", "report.html"]
    assert written["figures/line.svg"].startswith(b"<?xml")
    assert written["figures/line.png"].startswith(b"\x89PNG")
