"""A calibration: what a gate on a machine like its own states of it, and how long the cases of a block took."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.gate.calibration.gate_calibration import reliability_on
from loaderbench.reports.gate.comparison import Reliability
from loaderbench.reports.gate.rounds_per_block import spans
from loaderbench.reports.records.json_files import MalformedError

MACHINE = {"cpu_model": "Imaginary 8-Core", "cpus_affinity": 8, "accelerator": None, "torch": "2.13.0"}
RELIABILITY = Reliability(
    measured="2026-11-25", blocks=44, false_cases=3, of_cases=1000, needed_s={"0.05": 240.0, "0.1": 120.0}
)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a calibration of `MACHINE`."""

    def write(**changed: Any) -> Path:
        path = tmp_path / "calibration.json"
        path.write_text(json.dumps({"schema": 1, "machine": MACHINE, "reliability": asdict(RELIABILITY), **changed}))
        return path

    return write


def test_on_a_machine_like_its_own_it_is_stated(file: Callable[..., Path]) -> None:
    assert reliability_on({**MACHINE, "torch": "2.14.1"}, file()) == RELIABILITY


def test_on_an_unlike_machine_it_is_not(file: Callable[..., Path]) -> None:
    assert reliability_on({**MACHINE, "cpus_affinity": 4}, file()) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"schema": 99}, "has schema 99"),
        ({"reliability": {"blocks": -1}}, "reliability"),
        ({"reliability": "none"}, "reliability: expected object"),
    ],
    ids=["schema", "numbers", "no object"],
)
def test_what_is_no_calibration_is_refused_in_one_line(
    file: Callable[..., Path], changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(MalformedError, match=words) as refused:
        reliability_on(MACHINE, file(**changed))
    assert "\n" not in str(refused.value)


def test_a_case_takes_from_its_first_round_to_the_next_ones() -> None:
    samples = [
        {"case": case, "place": place, "began_s": began_s}
        for place, (case, began_s) in enumerate([("a", 3.0), ("a", 3.5), ("b", 5.0), ("b", 6.0)])
    ]
    assert spans({"samples": samples, "seconds": 9.0}) == {"a": 2.0, "b": 4.0}
