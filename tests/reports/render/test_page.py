"""The report in a real browser: its first screen, and a table that sorts and filters."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.documents.report import Report
from loaderbench.reports.explain.ranking import rank
from loaderbench.reports.render.page import page

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> [bold]{{7*7}} `|` \x1b[31m\u202e"


@pytest.fixture(scope="module")
def html(realistic: Report) -> str:
    return page(realistic)


@pytest.fixture
def desktop(opened: Callable[..., Any], html: str) -> Any:
    return opened(html)


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
    script = "const f = document.getElementById('filter'); f.value = arguments[0]; f.dispatchEvent(new Event('input'))"
    browser.execute_script(script, words)


def shown(browser: Any) -> str:
    return browser.find_element("id", "shown").text


def test_the_first_screen_has_machine_verdict_and_call(desktop: Any) -> None:
    bottoms = desktop.execute_script(
        "return ['.machine', '.verdict h2', '.verdict .sentence', '.call pre', 'button.copy']"
        ".map(s => document.querySelector(s).getBoundingClientRect().bottom)"
    )
    assert max(bottoms) < 900
    assert "num_workers=" in desktop.find_element("css selector", ".call code").text
    assert "Imaginary 8-Core" in desktop.find_element("css selector", ".machine").text


def test_the_copy_button_copies_the_call(desktop: Any) -> None:
    desktop.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    desktop.find_element("css selector", "button.copy").click()
    copied = desktop.execute_async_script("navigator.clipboard.readText().then(arguments[0], () => arguments[0](null))")
    assert copied == desktop.find_element("css selector", ".call code").get_attribute("textContent")


def test_the_table_begins_with_the_fastest_case(desktop: Any) -> None:
    rates = [float(re.sub(r"\D", "", text)) for text in column(desktop, "throughput")[:10]]
    assert rates == sorted(rates, reverse=True)


def test_a_heading_sorts_and_sorts_back(desktop: Any) -> None:
    click(desktop, "num_workers")
    assert column(desktop, "num_workers")[:2] == ["64", "8"]
    click(desktop, "num_workers")
    assert column(desktop, "num_workers") == sorted(column(desktop, "num_workers"), key=int)
    sorted_by = (
        "return document.querySelector('[aria-sort]').textContent + document.querySelector('[aria-sort]').ariaSort"
    )
    assert desktop.execute_script(sorted_by) == "num_workersascending"


def test_missing_values_come_last_both_ways(desktop: Any) -> None:
    for _ in range(2):
        click(desktop, "shutdown")
        assert column(desktop, "shutdown")[0] != ""


def test_words_filter_all_of_them_at_once(desktop: Any) -> None:
    keep(desktop, "training IMAGES")
    assert shown(desktop) == "10 of 149 cases"
    assert set(column(desktop, "bench")) == {"training"}


def test_a_setting_can_be_filtered_by_name(desktop: Any) -> None:
    keep(desktop, "epoch num_workers=4 pinned")
    assert set(column(desktop, "num_workers")) == {"4"}


def test_failed_cases_are_listed_with_their_reason(desktop: Any) -> None:
    keep(desktop, "failed")
    assert column(desktop, "reason") == ["DataLoader worker (pid 4242) is killed by signal: Killed."]


def test_skipped_cases_are_listed_with_their_reason(desktop: Any) -> None:
    keep(desktop, "skipped")
    assert column(desktop, "reason") == ["needs an accelerator"]


def test_a_bench_can_be_chosen(desktop: Any) -> None:
    script = "const s = document.getElementById('bench'); s.value = 'memory'; s.dispatchEvent(new Event('change'))"
    desktop.execute_script(script)
    assert shown(desktop) == "10 of 149 cases"


def test_the_table_is_drawn_a_page_at_a_time(desktop: Any) -> None:
    assert len(column(desktop, "bench")) == 50
    desktop.find_element("id", "later").click()
    assert desktop.find_element("id", "range").text == "51 to 100"
    desktop.find_element("id", "earlier").click()
    assert desktop.find_element("id", "range").text == "1 to 50"


def test_a_filter_that_nothing_fits_says_so(desktop: Any) -> None:
    keep(desktop, "no such case")
    assert desktop.find_element("id", "range").text == "no case fits"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "selector", ["body", ".muted", ".verdict h2", ".evidence", "figcaption", "#cases td", ".call code"]
)
def test_letters_stand_out_from_the_paper(
    opened: Callable[..., Any], html: str, scheme: str, selector: str, contrast: Callable[..., float]
) -> None:
    browser = opened(html, scheme=scheme)
    assert contrast(browser, selector) >= 4.5  # WCAG 2.2, AA


@pytest.fixture
def hostile(synthetic: Callable[..., Any], report_of: Callable[..., Report]) -> Report:
    document = synthetic().run(
        2,
        failed=[{"name": HOSTILE, "bench": HOSTILE, "settings": {}, "reason": HOSTILE, "phase": HOSTILE}],
        machine={"cpu_model": HOSTILE},
        run=HOSTILE,
        command=["--model", HOSTILE],
        planned=1000,
        complete=False,
    )
    document["commit_info"] |= {"id": HOSTILE, "branch": HOSTILE}
    for case in document["benchmarks"]:
        case["name"] += HOSTILE
        case["extra_info"]["settings"] |= {"dataset": HOSTILE, "collate_fn": HOSTILE}
    return report_of(document)


def test_hostile_names_are_shown_and_nothing_more(opened: Callable[..., Any], hostile: Report) -> None:
    browser = opened(page(hostile))
    assert browser.title != "owned"
    assert browser.find_elements("tag name", "img") == []
    assert "</script><img" in browser.find_element("css selector", ".machine").text
    assert "{{7*7}}" in browser.find_element("css selector", ".subject").text
    assert browser.get_log("browser") == []


def test_hostile_names_do_not_end_the_tables_data(hostile: Report) -> None:
    rendered = page(hostile)
    data = re.search(r'id="cases-data">(.*?)</script>', rendered, re.DOTALL)
    assert any(str(row[0]).startswith("</script><img") for row in json.loads(data[1])["rows"])
    assert "\x1b" not in rendered
    assert "\u202e" not in rendered


def test_ten_thousand_cases_open_and_filter_in_no_time(opened: Callable[..., Any], realistic: Report) -> None:
    many = pd.concat([realistic.cases] * 70, ignore_index=True)
    browser = opened(page(replace(realistic, cases=many, pictures=())))
    script = """
        const start = performance.now(), f = document.getElementById('filter');
        f.value = 'images'; f.dispatchEvent(new Event('input'));
        return performance.now() - start;
    """
    assert browser.execute_script(script) < 1000
    assert shown(browser).endswith(f"of {len(many) + 2} cases")


def test_nothing_measured_is_a_page_that_says_so(
    opened: Callable[..., Any], synthetic: Callable[..., Any], report_of: Callable[..., Report]
) -> None:
    entry = {"name": "bench_epoch[x]", "bench": "epoch", "settings": {}, "reason": "it fell over", "phase": "call"}
    browser = opened(page(report_of(synthetic().document([], failed=[entry]))))
    assert browser.find_element("css selector", ".verdict h2").text == "Nothing to recommend"
    assert column(browser, "reason") == ["it fell over"]


def test_what_was_explained_is_shown_with_every_cause(
    opened: Callable[..., Any], realistic: Report, explained: Callable[..., Any]
) -> None:
    found = rank(explained({HOSTILE: 0.4, "small": 0.1, "none": 0.0}))
    browser = opened(page(replace(realistic, explained=(found,))), width=390)
    rows = [row.text for row in browser.find_elements("css selector", "table.causes tbody tr")]
    assert len(rows) == 4
    assert "<img" in rows[0]
    assert browser.find_elements("tag name", "img") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert browser.get_log("browser") == []
