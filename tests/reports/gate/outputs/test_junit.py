"""JUnit XML of a comparison: of the shape its readers know, whatever a case is called."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.outputs.junit import junit
from loaderbench.reports.gate.verdicts import CaseVerdict

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


def outcomes(comparison: Comparison) -> dict[str, str]:
    """The element that each test case ended with; none where it passed."""
    return {
        case.attrib["name"]: next((child.tag for child in case if child.tag != "system-out"), "passed")
        for case in ET.fromstring(junit(comparison)).iter("testcase")
    }


@pytest.mark.parametrize(
    ("name", "more", "outcome"),
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
def test_a_verdict_is_an_outcome(
    compared: Callable[..., Comparison],
    verdict: Callable[..., CaseVerdict],
    name: Any,
    more: dict[str, Any],
    outcome: str,
) -> None:
    assert outcomes(compared(verdict(name), **more))["epoch[text-workers=2] · throughput"] == outcome


def test_a_comparison_that_is_no_pass_is_no_green_suite(compared: Callable[..., Comparison]) -> None:
    assert outcomes(compared()) == {"could be judged": "error"}


def test_every_verdict_is_a_test_case_of_its_bench(measured: Comparison) -> None:
    classes = [case.attrib["classname"] for case in ET.fromstring(junit(measured)).iter("testcase")]
    assert classes == ["loaderbench.gate", *["loaderbench.epoch"] * len(measured.verdicts)]


def test_the_counts_are_those_of_the_elements(measured: Comparison) -> None:
    root = ET.fromstring(junit(measured))
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root[0].attrib[name]) == len(list(root.iter(tag)))


def test_the_elements_and_attributes_are_those_that_readers_know(
    measured: Comparison, hostile_comparison: Comparison
) -> None:
    for made in (measured, hostile_comparison):
        for element in ET.fromstring(junit(made)).iter():
            assert {child.tag for child in element} <= CHILDREN[element.tag]
            assert NEEDED.get(element.tag, set()) <= element.attrib.keys()
            assert element.attrib.get("time", "0.000").replace(".", "").isdigit()


def test_times_are_what_the_cases_took(measured: Comparison) -> None:
    times = [float(case.attrib["time"]) for case in ET.fromstring(junit(measured)).iter("testcase")]
    judged = [s for block in measured.blocks for s in block["samples"] if not s["case"].startswith("control[")]
    assert sum(times) == pytest.approx(sum(s["seconds"] for s in judged), abs=0.01)


def test_a_moment_that_is_not_known_is_left_out(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    assert "timestamp" not in junit(compared(verdict("unchanged"), started=""))
    assert 'timestamp="2026-11-24T04:18:00"' in junit(compared(verdict("unchanged")))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec=None), max_size=60), why=st.text(max_size=60))
def test_any_case_name_leaves_valid_xml(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict], name: str, why: str
) -> None:
    case = f"epoch[{name}"
    made = compared(
        verdict("regressed", case, why=why),
        verdict("inconclusive", case, why=why),
        verdict("failed", name, "", why=why),
    )
    assert len(list(ET.fromstring(junit(made).encode()).iter("testcase"))) == 4
