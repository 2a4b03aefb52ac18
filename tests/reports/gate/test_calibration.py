"""A calibration, as a gate on a machine like its own states it."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.documents import gate_wording as lines
from loaderbench.reports.gate.calibration import spans, stated
from loaderbench.reports.gate.comparison import Judgement, Noise, Row
from loaderbench.reports.gate.verdict_file import read_verdict
from loaderbench.reports.records.reading import MalformedError
from loaderbench.reports.render.gate_exports import dumps
from loaderbench.reports.render.gate_markdown import gate_markdown

MACHINE = {"cpu_model": "Imaginary 8-Core", "cpus_affinity": 8, "accelerator": None, "torch": "2.13.0"}
NOISE = Noise(measured="2026-11-25", blocks=44, false_cases=3, of_cases=1000, needed_s={"0.05": 240.0, "0.1": 120.0})
SAID = (
    "Calibrated on such a machine (2026-11-25, 44 blocks of identical code): 3 of 1 000 cases called changed; "
    "5.0 % is found in 4 min, 10 % is found in 2 min."
)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a calibration of `MACHINE`."""

    def write(**changed: Any) -> Path:
        path = tmp_path / "calibration.json"
        document = {"schema": 2, "machine": MACHINE, "noise": asdict(NOISE), **changed}
        path.write_text(json.dumps(document))
        return path

    return write


def test_on_a_machine_like_its_own_it_is_stated(file: Callable[..., Path]) -> None:
    assert stated(file(), {**MACHINE, "torch": "2.14.1"}) == NOISE


def test_on_an_unlike_machine_it_is_not(file: Callable[..., Path]) -> None:
    assert stated(file(), {**MACHINE, "cpus_affinity": 4}) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"schema": 99}, "has schema '99'"),
        ({"noise": {"blocks": -1}}, "noise"),
        ({"noise": "none"}, "noise"),
    ],
    ids=["schema", "numbers", "no object"],
)
def test_what_is_no_calibration_is_refused_in_one_line(
    file: Callable[..., Path], changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(MalformedError, match=words) as refused:
        stated(file(**changed), MACHINE)
    assert "\n" not in str(refused.value)


def test_a_gate_states_it_on_every_output(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    made = held(row("unchanged"), noise=NOISE)
    assert lines.calibrated(made).replace("\u202f", " ") == SAID
    assert "3 of 1 000 cases called changed" in gate_markdown(made).replace("\u202f", " ")


def test_a_gate_on_a_machine_that_was_not_calibrated_says_so(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    assert "is not known: loaderbench calibrate measures it" in lines.calibrated(held(row("unchanged")))


def test_recorded_runs_state_nothing_of_the_gate(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert not lines.calibrated(held(row("unchanged"), blocks=(), noise=NOISE))


def test_it_is_kept_in_the_verdict(measured: Judgement, tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(dumps(replace(measured, about=replace(measured.about, noise=NOISE)).document()))
    assert read_verdict(path).judged().about.noise == NOISE


def test_a_case_takes_from_its_first_round_to_the_next_ones() -> None:
    samples = [
        {"case": case, "place": place, "began_s": began_s}
        for place, (case, began_s) in enumerate([("a", 3.0), ("a", 3.5), ("b", 5.0), ("b", 6.0)])
    ]
    assert spans({"samples": samples, "seconds": 9.0}) == {"a": 2.0, "b": 4.0}
