"""A comparison as JUnit XML, which a CI shows beside the tests."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from xml.etree import ElementTree as ET

from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.outputs import sentences
from loaderbench.reports.gate.verdicts import CaseVerdict
from loaderbench.reports.text import plain, shell
from loaderbench.reports.units import quantity

FILE_NAME = "junit.xml"


def junit(comparison: Comparison, machine: str = "") -> str:
    """Return JUnit XML: one test case for each verdict, and one that fails where the whole could not be judged.

    A regression is a failure; what failed, vanished or is unproven is an error; inconclusive is skipped, or an error
    with ``--strict``. The elements are those of Jenkins' schema, which GitLab and GitHub's actions read.
    """
    seconds = _seconds(comparison)
    cases = [_whole(comparison), *(_test_case(v, comparison, seconds[v.case]) for v in comparison.verdicts)]
    outcomes = Counter(child.tag for case in cases for child in case)
    numbers = {
        "tests": str(len(cases)), "failures": str(outcomes["failure"]), "errors": str(outcomes["error"]),
        "skipped": str(outcomes["skipped"]), "time": f"{comparison.spent_s:.3f}",
    }  # fmt: skip
    name = f"loaderbench {comparison.setup.kind}"
    root = ET.Element("testsuites", {"name": "loaderbench", **numbers})
    suite = ET.SubElement(root, "testsuite", {"name": name, **numbers, **_timestamp(comparison.setup.started)})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(comparison, machine):
        ET.SubElement(properties, "property", {"name": name, "value": plain(value)})
    suite.extend(cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _timestamp(started: str) -> dict[str, str]:
    """Return when it began, without a zone: the schema has none."""
    try:
        return {"timestamp": datetime.fromisoformat(started).strftime("%Y-%m-%dT%H:%M:%S")}
    except ValueError:
        return {}


def _properties(comparison: Comparison, machine: str) -> Iterator[tuple[str, object]]:
    setup = comparison.setup
    yield from (("base", setup.base), ("head", setup.head), ("seed", setup.seed), ("blocks", len(comparison.blocks)))
    yield from (("margin", comparison.plan.margin), ("machine", machine), ("command", shell(setup.command)))


def _seconds(comparison: Comparison) -> dict[str, float]:
    """Return the seconds that each case was measured, shared evenly by its verdicts."""
    spent: defaultdict[str, float] = defaultdict(float)
    for block in comparison.blocks:
        for sample in block["samples"]:
            seconds = sample.get("seconds")
            spent[sample["case"]] += seconds if seconds is not None and math.isfinite(seconds) else 0.0
    verdicts = Counter(verdict.case for verdict in comparison.verdicts)
    return {case: spent[case] / number for case, number in verdicts.items()}


def _whole(comparison: Comparison) -> ET.Element:
    """Return a test case for the comparison itself: what is wrong with it has no verdict of its own."""
    case = ET.Element("testcase", {"classname": "loaderbench.gate", "name": "could be judged", "time": "0.000"})
    if faults := comparison.faults:
        _add_outcome(case, "error", "unjudged", "; ".join(faults), "\n".join(map(plain, faults)))
    return case


def _test_case(verdict: CaseVerdict, comparison: Comparison, seconds: float) -> ET.Element:
    bench = verdict.case.partition("[")[0].removeprefix("bench_")
    name = sentences.BETWEEN.join(filter(None, [plain(verdict.case), verdict.label]))
    case = ET.Element("testcase", {"classname": f"loaderbench.{plain(bench)}", "name": name, "time": f"{seconds:.3f}"})
    described = "\n".join(f"{name}: {plain(text)}" for name, text in _details(verdict) if text)
    if outcome := _outcome(verdict, comparison):
        change = sentences.change_of(verdict.estimate) if verdict.estimate else ""
        message = ", ".join(filter(None, [verdict.verdict, change, verdict.why]))
        _add_outcome(case, outcome, verdict.verdict, message, described)
    else:
        ET.SubElement(case, "system-out").text = described
    return case


def _details(verdict: CaseVerdict) -> Iterator[tuple[str, str]]:
    yield from (("case", verdict.case), ("metric", verdict.label), ("verdict", verdict.verdict))
    if (estimate := verdict.estimate) is not None:
        yield from ((name, quantity(getattr(estimate, name), estimate.unit)) for name in ("base", "head"))
        yield from (("change (95 % interval)", sentences.change_of(estimate)), ("n", str(estimate.blocks)))
    yield "why", verdict.why


def _outcome(verdict: CaseVerdict, comparison: Comparison) -> str:
    """Return the element that says how a test case ended; none where it passed."""
    if verdict.verdict == "gone" and comparison.setup.accept_gone:
        return "skipped"
    if verdict.verdict == "inconclusive" and comparison.setup.strict:
        return "error"
    return verdict.kind.junit


def _add_outcome(case: ET.Element, outcome: str, kind: str, message: str, text: str) -> None:
    attributes = {"message": plain(message)} if outcome == "skipped" else {"message": plain(message), "type": kind}
    ET.SubElement(case, outcome, attributes).text = text
