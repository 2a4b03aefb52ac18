"""JUnit XML, github-action-benchmark and Bencher: of the shape their readers know, whatever a case is called."""

import json
import math
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.render.gate_exports import (
    BIGGER,
    SMALLER,
    bencher,
    dumps,
    finite,
    github_action_benchmark,
    junit,
)

# What Jenkins' schema allows, of what we write; GitLab and the actions that annotate pull requests read no more.
CHILDREN = {
    "testsuites": {"testsuite"}, "testsuite": {"properties", "testcase"}, "properties": {"property"}, "property": set(),
    "testcase": {"failure", "error", "skipped", "system-out"}, "failure": set(), "error": set(), "skipped": set(),
    "system-out": set(),
}  # fmt: skip
NEEDED = {
    "testsuites": {"tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname", "time"}, "failure": {"message", "type"}, "error": {"message", "type"},
    "skipped": {"message"}, "property": {"name", "value"},
}  # fmt: skip


def outcomes(held: Judgement) -> dict[str, str]:
    """The element that each test case ended with; none where it passed."""
    return {
        case.attrib["name"]: next((child.tag for child in case if child.tag != "system-out"), "passed")
        for case in ET.fromstring(junit(held)).iter("testcase")
    }


@pytest.mark.parametrize(
    ("word", "more", "outcome"),
    [
        ("regressed", {}, "failure"),
        ("failed", {}, "error"),
        ("gone", {}, "error"),
        ("gone", {"accept_gone": True}, "skipped"),
        ("unproven", {}, "error"),
        ("inconclusive", {}, "skipped"),
        ("inconclusive", {"strict": True}, "error"),
        ("improved", {}, "passed"),
        ("unchanged", {}, "passed"),
        ("new", {}, "passed"),
    ],
)
def test_a_word_is_an_outcome(
    held: Callable[..., Judgement], row: Callable[..., Row], word: Any, more: dict[str, Any], outcome: str
) -> None:
    assert outcomes(held(row(word), **more))["epoch[text-workers=2] · throughput"] == outcome


def test_a_judgement_that_is_no_pass_is_no_green_suite(held: Callable[..., Judgement]) -> None:
    assert outcomes(held()) == {"could be judged": "error"}


def test_every_row_is_a_test_case_of_its_bench(measured: Judgement) -> None:
    classes = [case.attrib["classname"] for case in ET.fromstring(junit(measured)).iter("testcase")]
    assert classes == ["loaderbench.gate", *["loaderbench.epoch"] * len(measured.rows)]


def test_the_counts_are_those_of_the_elements(measured: Judgement) -> None:
    root = ET.fromstring(junit(measured))
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root[0].attrib[name]) == len(list(root.iter(tag)))


def test_the_elements_and_attributes_are_those_that_readers_know(measured: Judgement, hostile: Judgement) -> None:
    for made in (measured, hostile):
        for element in ET.fromstring(junit(made)).iter():
            assert {child.tag for child in element} <= CHILDREN[element.tag]
            assert NEEDED.get(element.tag, set()) <= element.attrib.keys()
            assert element.attrib.get("time", "0.000").replace(".", "").isdigit()


def test_times_are_what_the_cases_took(measured: Judgement) -> None:
    times = [float(case.attrib["time"]) for case in ET.fromstring(junit(measured)).iter("testcase")]
    judged = [s for block in measured.blocks for s in block["samples"] if not s["case"].startswith("control[")]
    assert sum(times) == pytest.approx(sum(s["seconds"] for s in judged), abs=0.01)


def test_a_moment_that_is_not_known_is_left_out(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert "timestamp" not in junit(held(row("unchanged"), started=""))
    assert 'timestamp="2026-11-24T04:18:00"' in junit(held(row("unchanged")))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec=None), max_size=60), why=st.text(max_size=60))
def test_any_case_name_leaves_valid_xml(
    held: Callable[..., Judgement], row: Callable[..., Row], name: str, why: str
) -> None:
    case = f"epoch[{name}"
    made = held(row("regressed", case, why=why), row("inconclusive", case, why=why), row("failed", name, "", why=why))
    assert len(list(ET.fromstring(junit(made).encode()).iter("testcase"))) == 4


def exported(held: Judgement) -> dict[str, list[dict[str, Any]]]:
    return {name: json.loads(text) for name, text in github_action_benchmark(held).items()}


def test_values_are_split_by_which_way_is_better(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    found = exported(held(row("unchanged"), row("unchanged", "memory[x]", "pss_bytes", base=4e8)))
    assert [entry["name"] for entry in found[BIGGER]] == ["epoch[text-workers=2] · throughput"]
    assert [entry["name"] for entry in found[SMALLER]] == ["memory[x] · memory (PSS)"]


def test_a_value_is_head_s_in_its_unit(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    (entry,) = exported(held(row("regressed", effect=-0.2)))[BIGGER]
    assert entry["value"] == pytest.approx(1000 * math.exp(-0.2))
    assert (entry["unit"], entry["extra"].partition(":")[0]) == ("samples/s", "regressed")


def test_nothing_compared_is_two_empty_lists(held: Callable[..., Judgement]) -> None:
    assert exported(held()) == {SMALLER: [], BIGGER: []}


def test_bencher_has_value_and_interval_by_case_and_metric(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    found = json.loads(bencher(held(row("regressed", effect=-0.2, width=0.1))))
    measure = found["epoch[text-workers=2]"]["samples_per_s"]
    assert measure["lower_value"] == pytest.approx(measure["value"] * math.exp(-0.1))
    assert measure["upper_value"] == pytest.approx(measure["value"] * math.exp(0.1))


def test_an_interval_that_is_not_known_is_left_out(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    made = held(row("inconclusive", width=math.inf))
    assert list(json.loads(bencher(made))["epoch[text-workers=2]"]["samples_per_s"]) == ["value"]
    assert exported(made)[BIGGER][0]["range"] == ""


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec=None), max_size=60))
def test_any_case_name_leaves_valid_json(held: Callable[..., Judgement], row: Callable[..., Row], name: str) -> None:
    made = held(row("unchanged", f"mine[{name}]", "seconds"))
    assert len(json.loads(bencher(made).encode())) == 1
    assert sum(map(len, exported(made).values())) == 1


def test_what_json_has_no_number_for_is_null() -> None:
    assert json.loads(dumps({"a": [math.nan, (math.inf, 1.5)], "b": {"c": -math.inf}})) == {
        "a": [None, [None, 1.5]],
        "b": {"c": None},
    }


def test_what_json_has_stays_as_it_is() -> None:
    assert finite({"a": [1, True, None, "x", 0.1]}) == {"a": [1, True, None, "x", 0.1]}
