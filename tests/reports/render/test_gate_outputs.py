"""The files of a judgement: all that a job needs, and JSON that every reader takes."""

import json
import math
from collections.abc import Callable

import pytest

from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.render.gate_outputs import outputs

ALWAYS = {
    "verdict.json", "gate.md", "junit.xml", "smaller-is-better.json", "bigger-is-better.json", "bencher.json",
    "report.html",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(measured: Judgement) -> dict[str, bytes]:
    return dict(outputs(measured))


def test_every_output_is_there(files: dict[str, bytes]) -> None:
    figures = {f"figures/{name}.{ending}" for name in ("changes", "rounds") for ending in ("svg", "png")}
    assert set(files) == ALWAYS | figures


def test_the_verdict_comes_first_as_all_else_can_be_made_of_it(files: dict[str, bytes]) -> None:
    assert next(iter(files)) == "verdict.json"


def test_the_verdict_has_schema_seed_and_every_sample_in_its_order(
    files: dict[str, bytes], measured: Judgement
) -> None:
    found = json.loads(files["verdict.json"])
    assert (found["schema"], found["seed"], len(found["blocks"])) == (1, 7, len(measured.blocks))
    assert [sample["place"] for sample in found["blocks"][0]["samples"]] == list(range(36))


def test_what_is_not_finite_is_null(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    made = held(row("inconclusive", width=math.inf))
    text = dict(outputs(made))["verdict.json"].decode()
    assert "Infinity" not in text
    assert "NaN" not in text
    assert json.loads(text)["verdicts"][0]["low"] is None


def test_nothing_compared_has_every_file_but_figures(held: Callable[..., Judgement]) -> None:
    assert set(dict(outputs(held(blocks=())))) == ALWAYS


def test_hostile_names_are_written(hostile: Judgement) -> None:
    assert dict(outputs(hostile)).keys() >= ALWAYS
