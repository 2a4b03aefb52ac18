"""A judgement for other tools: JUnit XML, github-action-benchmark and Bencher Metric Format.

JUnit is what a CI shows beside the tests. The other two keep histories, of head: what a value may be compared with is
theirs to decide, and the verdicts here are not among what they read.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from loaderbench.reports.documents import gate_wording as lines
from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.text import plain
from loaderbench.reports.units import count, quantity

SMALLER, BIGGER = "smaller-is-better.json", "bigger-is-better.json"


def finite(value: Any) -> Any:
    """Return JSON-like data with null in place of what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): finite(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [finite(held) for held in value]
    return value


def dumps(value: object) -> str:
    """Write data as JSON that every reader takes: ASCII, no NaN, no infinity."""
    return json.dumps(finite(value), allow_nan=False) + "\n"


def junit(held: Judgement) -> str:
    """Render JUnit XML: one test case for each row, and one that fails where the whole could not be judged.

    A regression is a failure; what failed, vanished or is unproven is an error; inconclusive is skipped, or an error
    where the gate is strict. The elements are those that Jenkins' schema has, which GitLab and GitHub's actions read.
    """
    shares = _seconds(held)
    cases = [_whole(held), *(_testcase(row, held, shares[row.case]) for row in held.rows)]
    kinds = Counter(child.tag for case in cases for child in case)
    numbers = {
        "tests": str(len(cases)), "failures": str(kinds["failure"]), "errors": str(kinds["error"]),
        "skipped": str(kinds["skipped"]), "time": f"{held.spent_s:.3f}",
    }  # fmt: skip
    root = ET.Element("testsuites", {"name": "loaderbench", **numbers})
    suite = ET.SubElement(root, "testsuite", {"name": f"loaderbench {held.about.kind}", **numbers, **_moment(held)})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(held):
        ET.SubElement(properties, "property", {"name": name, "value": plain(value)})
    suite.extend(cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _moment(held: Judgement) -> dict[str, str]:
    """When it began, without a zone: the schema has none."""
    try:
        return {"timestamp": datetime.fromisoformat(held.about.started).strftime("%Y-%m-%dT%H:%M:%S")}
    except ValueError:
        return {}


def _properties(held: Judgement) -> Iterator[tuple[str, object]]:
    about = held.about
    yield from (("base", about.base), ("head", about.head), ("seed", about.seed), ("blocks", len(held.blocks)))
    yield from (("margin", held.plan.margin), ("machine", lines.machine(held)), ("command", lines.command(held)))


def _seconds(held: Judgement) -> dict[str, float]:
    """Seconds that a case was measured, shared evenly by its rows."""
    spent: defaultdict[str, float] = defaultdict(float)
    for block in held.blocks:
        for sample in block["samples"]:
            seconds = sample.get("seconds")
            spent[sample["case"]] += seconds if seconds is not None and math.isfinite(seconds) else 0.0
    rows = Counter(row.case for row in held.rows)
    return {case: spent[case] / number for case, number in rows.items()}


def _whole(held: Judgement) -> ET.Element:
    """The comparison itself: what is wrong with it has no row of its own."""
    case = ET.Element("testcase", {"classname": "loaderbench.gate", "name": "could be judged", "time": "0.000"})
    if held.faults:
        _outcome(case, "error", "unjudged", "; ".join(held.faults), "\n".join(map(plain, held.faults)))
    return case


def _testcase(row: Row, held: Judgement, seconds: float) -> ET.Element:
    bench = row.case.partition("[")[0].removeprefix("bench_")
    name = " · ".join(filter(None, [plain(row.case), row.label]))
    case = ET.Element("testcase", {"classname": f"loaderbench.{plain(bench)}", "name": name, "time": f"{seconds:.3f}"})
    described = [f"{name}: {plain(cell)}" for name, cell in zip(lines.COLUMNS, lines.cells(row), strict=True) if cell]
    if kind := _kind(row, held):
        change = lines.change_of(row.estimate) if row.estimate else ""
        message = ", ".join(filter(None, [row.word, change, row.why]))
        _outcome(case, kind, row.word, message, "\n".join(described))
    else:
        ET.SubElement(case, "system-out").text = "\n".join(described)
    return case


def _kind(row: Row, held: Judgement) -> str:
    """The element that tells how a row ended; none where it passed."""
    if row.word == "regressed":
        return "failure"
    if row.word == "gone":
        return "skipped" if held.about.accept_gone else "error"
    if row.word == "inconclusive":
        return "error" if held.about.strict else "skipped"
    return "error" if row.word in {"failed", "unproven"} else ""


def _outcome(case: ET.Element, kind: str, word: str, message: str, text: str) -> None:
    about = {"message": plain(message)} if kind == "skipped" else {"message": plain(message), "type": word}
    ET.SubElement(case, kind, about).text = text


def github_action_benchmark(held: Judgement) -> dict[str, str]:
    """Return the files for its tools customSmallerIsBetter and customBiggerIsBetter, by name: head's values."""
    found: dict[str, list[dict[str, object]]] = {SMALLER: [], BIGGER: []}
    for row, each in _known(held):
        low, high = _around(each)
        unit = lines.unit_of(each)
        spread = f"{quantity(low, unit)} to {quantity(high, unit)}" if math.isfinite(high - low) else ""
        entry = {
            "name": f"{plain(row.case)} · {row.label}", "value": each.head, "unit": unit, "range": spread,
            "extra": f"{row.word}: {lines.change_of(each)}, {count(each.blocks, lines.unit_of_inference(held))}",
        }  # fmt: skip
        found[SMALLER if each.quantity.direction == "lower" else BIGGER].append(entry)
    return {name: dumps(entries) for name, entries in found.items()}


def bencher(held: Judgement) -> str:
    """Return Bencher Metric Format: head's values by case and metric, with the interval of the change around them."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row, each in _known(held):
        low, high = _around(each)
        ends = {"lower_value": low, "upper_value": high} if math.isfinite(high - low) else {}
        name = row.case.encode("utf-8", "replace").decode("utf-8")
        found.setdefault(name, {})[each.metric] = {"value": each.head, **ends}
    return dumps(found)


def _known(held: Judgement) -> Iterator[tuple[Row, Estimate]]:
    for row in held.rows:
        if row.estimate is not None and math.isfinite(row.estimate.head):
            yield row, row.estimate


def _around(each: Estimate) -> tuple[float, float]:
    """Head's value, as far up and down as the change is uncertain."""
    down, up = each.low - each.effect, each.high - each.effect
    if each.quantity.scale == "difference":
        return each.head + down, each.head + up
    return each.head * math.exp(min(down, 0.0)), each.head * math.exp(up) if up < lines.LARGEST else math.inf
