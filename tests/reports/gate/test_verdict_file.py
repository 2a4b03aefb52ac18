"""``verdict.json``: what was compared is there as it was, and what is not what was written is refused in a line."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.gate.comparison import Comparison, Reliability
from loaderbench.reports.gate.verdict_file import encode, read_verdict
from loaderbench.reports.gate.verdicts import CaseVerdict
from loaderbench.reports.records.reading import MalformedError

Written = Callable[[bytes | dict[str, Any]], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a document as verdict.json."""

    def write(document: bytes | dict[str, Any]) -> Path:
        path = tmp_path / "verdict.json"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    return write


@pytest.fixture(scope="module")
def document(measured: Comparison) -> dict[str, Any]:
    return dict(json.loads(encode(measured)))


def test_it_has_schema_seed_and_every_sample_in_its_order(measured: Comparison, document: dict[str, Any]) -> None:
    assert (document["schema"], document["seed"], len(document["blocks"])) == (1, 7, len(measured.blocks))
    assert [sample["place"] for sample in document["blocks"][0]["samples"]] == list(range(36))


def test_every_verdict_is_there_with_its_numbers(measured: Comparison, document: dict[str, Any]) -> None:
    assert len(document["verdicts"]) == len(measured.verdicts)
    first = document["verdicts"][0]
    assert (first["verdict"], first["scale"]) == ("regressed", "ratio")
    assert first["low"] < first["effect"] < first["high"] < 0
    assert first["p_regressed"] < 0.01 < first["p_improved"]


def test_read_back_it_is_what_was_compared(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict], written: Written
) -> None:
    reliability = Reliability(measured="2026-11-25", blocks=9, false_cases=0, of_cases=8, needed_s={"0.1": 120.0})
    made = compared(verdict("unchanged"), strict=True, reliability=reliability)
    result = read_verdict(written(encode(made)))
    assert (result.strict, result.reliability, result.plan) == (True, reliability, made.plan)
    assert result.exit_code == made.exit_code


def test_what_is_not_finite_is_null(
    compared: Callable[..., Comparison], verdict: Callable[..., CaseVerdict], written: Written
) -> None:
    content = encode(compared(verdict("inconclusive", width=math.inf)))
    assert json.loads(content)["verdicts"][0]["low"] is None
    assert read_verdict(written(content)).verdicts[0].low is None


def test_hostile_texts_come_back_as_they_are(hostile_comparison: Comparison, written: Written) -> None:
    result = read_verdict(written(encode(hostile_comparison)))
    assert result.base == hostile_comparison.setup.base
    assert tuple(result.command) == hostile_comparison.setup.command


@pytest.mark.parametrize(
    ("where", "value", "fault"),
    [
        (("schema",), 99, "has schema 99; this loaderbench reads schema 1"),
        (("kind",), "run", "kind: "),
        (("seed",), "7", "seed: expected int, got str"),
        (("plan", "growth"), "x", "plan.growth: expected float"),
        (("blocks",), {}, "blocks: expected array, got object"),
        (("blocks", 0, "samples", 0, "case"), [], "blocks[0].samples[0]"),
        (
            ("blocks", 0, "missed"),
            [{"case": "x", "revision": "base", "status": "lost", "reason": ""}],
            "blocks[0].miss",
        ),
        (("verdicts", 0, "verdict"), "slower", "verdicts[0].verdict: "),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_in_one_line(
    document: dict[str, Any], written: Written, where: tuple[Any, ...], value: object, fault: str
) -> None:
    changed = copy.deepcopy(document)
    place: Any = changed
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = value
    with pytest.raises(MalformedError) as refused:
        read_verdict(written(changed))
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)
