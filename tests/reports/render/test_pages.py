"""Both pages in a real browser, a report's and a judgement's: alone, harmless, light and dark, and on a phone."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.reports.documents.report import Report
from loaderbench.reports.figures.gate import pictures
from loaderbench.reports.gate.comparison import Judgement
from loaderbench.reports.render import gate_page as judgements
from loaderbench.reports.render.page import page


@pytest.fixture(scope="module", params=["report", "judgement"])
def html(request: pytest.FixtureRequest, realistic: Report, measured: Judgement) -> str:
    return page(realistic) if request.param == "report" else judgements.gate_page(measured, pictures(measured))


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
def test_no_width_scrolls_sideways(opened: Callable[..., Any], html: str, width: int) -> None:
    assert opened(html, width=width).execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_light_or_dark_as_the_page_is(
    opened: Callable[..., Any], html: str, scheme: str, contrast: Callable[..., float]
) -> None:
    assert contrast(opened(html, scheme=scheme), "figure svg text", "fill") >= 4.5  # WCAG 2.2, AA
