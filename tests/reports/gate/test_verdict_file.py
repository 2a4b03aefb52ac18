"""``verdict.json`` read back: judged again it says the same, and what is not what was written is refused."""

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.gate.comparison import Judgement, Noise, Row
from loaderbench.reports.gate.verdict_file import read_verdict
from loaderbench.reports.records.reading import MalformedError
from loaderbench.reports.render.gate_exports import dumps

Written = Callable[[object], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a document, or a text, as verdict.json."""

    def write(document: object) -> Path:
        path = tmp_path / "verdict.json"
        path.write_text(document if isinstance(document, str) else dumps(document))
        return path

    return write


@pytest.fixture(scope="module")
def document(measured: Judgement) -> dict[str, Any]:
    return json.loads(dumps(measured.document()))


def test_judged_again_a_gate_says_the_same(measured: Judgement, written: Written) -> None:
    again = read_verdict(written(measured.document())).judged()
    assert again.rows == measured.rows
    assert again.looks == measured.looks
    assert again.exit_code == measured.exit_code


def test_judged_again_the_document_is_the_same(document: dict[str, Any], written: Written) -> None:
    again = read_verdict(written(document)).judged()
    assert json.loads(dumps(again.document())) == document


def test_cases_that_were_settled_early_are_replayed_as_they_were_measured(
    measured: Judgement, written: Written
) -> None:
    sizes = {len(block["samples"]) for block in measured.blocks}
    assert len(sizes) > 1
    again = read_verdict(written(measured.document())).judged()
    assert [len(block["samples"]) for block in again.blocks] == [len(block["samples"]) for block in measured.blocks]


def test_another_margin_judges_anew(measured: Judgement, written: Written) -> None:
    recorded = read_verdict(written(measured.document()))
    assert recorded.judged(replace(recorded.plan, margin=2.0)).counts.get("regressed") is None


def test_a_plan_that_wants_more_blocks_than_there_are_ends_with_them(measured: Judgement, written: Written) -> None:
    recorded = read_verdict(written(measured.document()))
    again = recorded.judged(replace(recorded.plan, margin=0.0001, budget_s=1e6))
    assert len(again.blocks) <= len(measured.blocks)


def test_no_blocks_cannot_be_judged_again(document: dict[str, Any], written: Written) -> None:
    with pytest.raises(MalformedError, match="has no blocks to judge again"):
        read_verdict(written({**document, "blocks": []}))


def test_a_missing_value_stays_missing(document: dict[str, Any], written: Written) -> None:
    changed = copy.deepcopy(document)
    changed["blocks"][0]["samples"][0]["cpu_s"] = None
    assert read_verdict(written(changed)).blocks[0]["samples"][0]["cpu_s"] is None


def test_hostile_texts_come_back_as_they_are(hostile: Judgement, written: Written) -> None:
    recorded = read_verdict(written(hostile.document()))
    assert (recorded.about.base, recorded.about.command) == (hostile.about.base, hostile.about.command)


def test_half_a_surrogate_pair_comes_back_as_a_question_mark(document: dict[str, Any], written: Written) -> None:
    assert read_verdict(written({**document, "base": "a\ud800"})).about.base == "a?"


@pytest.mark.parametrize(
    ("where", "value", "fault"),
    [
        (("schema",), 2, "has schema '2'; this loaderbench reads schema 1"),
        (("schema",), True, "has schema 'True'"),
        (("kind",), "run", "kind must be one of gate, compare, got 'run'"),
        (("seed",), "7", "seed must be a whole number"),
        (("strict",), 1, "strict must be true or false"),
        (("command",), "gate", "has no list of command"),
        (("command",), [1], "a word of the command must be a text"),
        (("machine",), None, "machine is missing"),
        (("plan", "growth"), 1, "plan.growth must be > 1, got 1"),
        (("plan", "first"), 4.5, "plan.first must be a whole number"),
        (("plan", "extra"), 1, "'extra' differs"),
        (("blocks",), {}, "has no list of blocks"),
        (("blocks", 0), 3, "a block must be an object, got a number"),
        (("blocks", 0, "seconds"), -1, "block 1: seconds must be a finite number >= 0, got '-1'"),
        (("blocks", 0, "samples", 0, "side"), "both", "side must be base or head, got 'both'"),
        (("blocks", 0, "samples", 0, "round"), 0.5, "must be a whole number"),
        (("blocks", 0, "samples", 0, "seconds"), "0.1", "seconds must be a finite number"),
        (("blocks", 0, "samples", 0, "seconds"), 1e300, "seconds must be a finite number"),
        (("blocks", 0, "samples", 0, "case"), "", "must have 1 to 1000 characters"),
        (("blocks", 0, "missed"), [{"case": "x", "side": "base", "status": "lost"}], "failed or skipped"),
        (("blocks", 0, "telemetry", "base", "load"), [], "load must be a finite number"),
        (("verdicts",), [None], "a verdict is missing"),
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
    with pytest.raises(MalformedError) as found:
        read_verdict(written(changed))
    assert fault in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is cut off"),
        ("[]", "is not a loaderbench verdict: no JSON object"),
        ('{"schema": 1', "is cut off"),
        ("{}", "has schema 'None'"),
    ],
)
def test_a_file_that_is_no_verdict_is_refused(written: Written, text: str, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        read_verdict(written(text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="cannot be read"):
        read_verdict(tmp_path / "verdict.json")


def test_two_blocks_of_one_number_are_refused(document: dict[str, Any], written: Written) -> None:
    with pytest.raises(MalformedError, match="block 1 is there twice"):
        read_verdict(written({**document, "blocks": [document["blocks"][0]] * 2}))


def test_what_was_compared_comes_back(
    held: Callable[..., Judgement], row: Callable[..., Row], written: Written
) -> None:
    noise = Noise(measured="2026-11-25", blocks=9, false_cases=0, of_cases=8, needed_s={"0.1": 120.0})
    made = held(row("unchanged"), strict=True, noise=noise)
    assert asdict(read_verdict(written(made.document())).about) == {**asdict(made.about), "machine": made.about.machine}
