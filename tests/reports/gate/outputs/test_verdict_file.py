"""``verdict.json``: what was compared is there as it was."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import pytest

from loaderbench.reports.gate.comparison import Comparison, Reliability, Setup
from loaderbench.reports.gate.outputs.verdict_file import RESULTS, encode
from loaderbench.reports.gate.verdicts import CaseVerdict


@pytest.fixture(scope="module")
def document(measured: Comparison) -> dict[str, Any]:
    return dict(json.loads(encode(measured)))


def test_it_has_schema_seed_and_every_sample_in_its_order(measured: Comparison, document: dict[str, Any]) -> None:
    assert (document["schema"], document["seed"], len(document["blocks"])) == (1, 7, len(measured.blocks))
    assert [sample["place"] for sample in document["blocks"][0]["samples"]] == list(range(36))


def test_everything_that_was_compared_and_came_of_it_is_there(document: dict[str, Any]) -> None:
    setup = {field.name for field in fields(Setup)}
    assert document.keys() == {"schema", "plan", "allocation", "forecast", "verdicts", *RESULTS, *setup}


def test_every_verdict_is_there_with_its_numbers(measured: Comparison, document: dict[str, Any]) -> None:
    assert len(document["verdicts"]) == len(measured.verdicts)
    first = document["verdicts"][0]
    assert (first["verdict"], first["scale"]) == ("regressed", "ratio")
    assert first["low"] < first["effect"] < first["high"] < 0
    assert first["p_regressed"] < 0.01 < first["p_improved"]


def test_what_it_was_judged_by_comes_back_as_it_was(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]
) -> None:
    reliability = Reliability(measured="2026-11-25", blocks=9, false_cases=0, of_cases=8, needed_s={"0.1": 120.0})
    made = compared(verdict("unchanged"), strict=True, reliability=reliability)
    result = json.loads(encode(made))
    assert (result["strict"], result["exit_code"]) == (True, made.exit_code)
    assert (result["reliability"], result["plan"]) == (asdict(reliability), asdict(made.plan))


def test_what_is_not_finite_is_null(compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict]) -> None:
    content = encode(compared(verdict("inconclusive", width=math.inf)))
    assert json.loads(content)["verdicts"][0]["low"] is None


def test_hostile_texts_come_back_as_they_are(hostile_comparison: Comparison) -> None:
    result = json.loads(encode(hostile_comparison))
    assert result["base"] == hostile_comparison.setup.base
    assert tuple(result["command"]) == hostile_comparison.setup.command
