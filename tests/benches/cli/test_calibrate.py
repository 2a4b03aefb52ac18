"""``loaderbench calibrate`` as its user calls it, on blocks that are there already."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.cli.main import main

MACHINE = {"cpu_model": "Imaginary 8-Core", "cpus_affinity": 8, "accelerator": None}
CASES = ("epoch[a]", "epoch[b]", "epoch[c]", "epoch[d]")

Calibrate = Callable[..., tuple[int, str, str]]


def block(regression: str, expected: str, change: float, rng: random.Random) -> dict[str, Any]:
    rows = [(case, "samples_per_s", rng.gauss(-change, 0.01)) for case in CASES]
    rows.append(("control[sleep]", "seconds", rng.gauss(0, 0.001)))
    return {
        "regression": regression, "expected": expected, "metric": "samples_per_s", "seconds": 10.0, "loaded": "",
        "spans": {case: 1.5 for case, *_ in rows},
        "effects": [
            {"case": case, "metric": metric, "effect": effect, "base": 1.0, "head": 1.0}
            for case, metric, effect in rows
        ],
    }  # fmt: skip


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A calibration's folder: identical code, an injected regression of 10 %, and two whole gates."""
    folder, rng = tmp_path / "recorded", random.Random(0)
    folder.mkdir()
    about = {"version": "0", "started": "2026-11-25T01:00:00", "command": ["loaderbench", "calibrate"], "seed": 1}
    (folder / "about.json").write_text(json.dumps({**about, "machine": MACHINE}))
    (folder / "sizes.json").write_text(json.dumps({"slower": {"Text.__getitem__": [1.1, 1.09, 1.11]}}))
    kinds = [("identical", "", 0.0)] * 30 + [("slower", "regressed", 0.1)] * 15
    (folder / "blocks.jsonl").write_text("".join(json.dumps(block(*kind, rng)) + "\n" for kind in kinds))
    gate = {"expected": "", "metric": "samples_per_s", "budget_s": 120.0, "spent_s": 60.0, "blocks": 6}
    gates = [
        {**gate, "name": "identical", "verdicts": {case: {"samples_per_s": "unchanged"} for case in CASES}},
        {**gate, "name": "a fault", "verdicts": {"startup[a]": {"shutdown_s": "regressed"}}},
    ]
    (folder / "gates.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in gates))
    return folder


@pytest.fixture
def calibrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Calibrate:
    """The command, in a folder of its own: its exit code, what it prints, what it complains of."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["calibrate", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_it_says_how_often_the_gate_errs_what_it_finds_and_how_long_that_takes(
    calibrate: Calibrate, recorded: Path
) -> None:
    code, out, _ = calibrate("--again", str(recorded), "--draws", "1")
    assert code == 0
    for word in (
        "Identical code",
        "Injected regressions",
        "Time needed",
        "Intervals",
        "shutdown regressed",
        "1.100×",
    ):
        assert word in out
    reliability = json.loads((recorded / "calibration.json").read_text())["reliability"]
    assert reliability["blocks"] == 30
    assert reliability["of_cases"] == 2 * len(CASES)
    assert reliability["needed_s"]["0.1"] <= reliability["needed_s"]["0.05"]
    assert "| slower | 1 replayed on 15 blocks |" in (recorded / "calibration.md").read_text().replace("\u202f", " ")


def test_gates_are_replayed_that_have_at_least_the_budget_for_which_the_blocks_were_measured(
    calibrate: Calibrate, recorded: Path
) -> None:
    rng = random.Random(1)
    lines = [{**block("slower", "regressed", 0.1, rng), "seconds": 3.0, "budget_s": 60.0} for _ in range(30)]
    lines += [{**block("a little slower", "regressed", 0.05, rng), "budget_s": 150.0} for _ in range(10)]
    (recorded / "blocks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert calibrate("--again", str(recorded), "--draws", "1")[0] == 0
    replayed = json.loads((recorded / "calibration.json").read_text())["replayed"]
    assert [(entry["name"], entry["budget_s"], entry["margin"]) for entry in replayed] == [
        ("slower", 60.0, 0.03),
        ("slower", 150.0, 0.03),
        ("a little slower", 150.0, 0.03),
    ]


def test_it_says_how_many_figures_of_identical_code_are_called_unchanged(calibrate: Calibrate, recorded: Path) -> None:
    assert calibrate("--again", str(recorded), "--draws", "2")[0] == 0
    document = json.loads((recorded / "calibration.json").read_text())
    assert document["replayed"][0]["unchanged"] == {"count": 2 * len(CASES), "of": 2 * len(CASES)}
    assert document["whole"][0]["unchanged"] == {"count": len(CASES), "of": len(CASES)}
    lines = (recorded / "calibration.md").read_text().splitlines()
    head = next(line for line in lines if line.startswith("|") and "cases changed" in line)
    assert "figures unchanged" in head


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--again", "nowhere"), "nowhere: no calibration is there"),
        (("--out", "recorded"), "recorded is there already: go on with it by --again"),
        (("--again", "recorded", "--out", "elsewhere"), "leave --out away"),
    ],
    ids=["nothing to go on with", "something there", "two folders"],
)
def test_a_folder_that_does_not_fit_is_refused(
    calibrate: Calibrate, recorded: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, _, printed = calibrate(*arguments)
    assert code == 2
    assert words in printed
    assert printed.count("\n") == 1


def test_a_block_whose_processes_measured_nothing_is_left_out(calibrate: Calibrate, recorded: Path) -> None:
    empty = [{**block(*kind, random.Random(2)), "effects": []} for kind in (("identical", "", 0.0), ("died", "", 0.0))]
    with (recorded / "blocks.jsonl").open("a") as file:
        file.write("".join(json.dumps(entry) + "\n" for entry in empty))
    assert calibrate("--again", str(recorded), "--draws", "1")[0] == 0
    assert json.loads((recorded / "calibration.json").read_text())["reliability"]["blocks"] == 30


@pytest.mark.parametrize(
    "torn", ["{", '{"regression": "identical"}\n', "[]\n"], ids=["cut off", "incomplete", "no object"]
)
def test_a_record_that_cannot_be_read_is_one_line(calibrate: Calibrate, recorded: Path, torn: str) -> None:
    with (recorded / "blocks.jsonl").open("a") as file:
        file.write(torn)
    code, _, printed = calibrate("--again", str(recorded), "--draws", "1")
    assert code == 2
    assert "blocks.jsonl, line 46: " in printed
    assert printed.count("\n") == 1
