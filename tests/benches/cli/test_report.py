"""The command line: what it prints, what it writes, with which exit code."""

import json
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from made_up_explanations import made_up_explanation
from made_up_predictions import made_up_whatif
from made_up_runs import Synthetic

from loaderbench.benches.cli import main as cli

Document = dict[str, Any]
WRITTEN = {"report.html", "report.md", "records.csv", "records.parquet", "figures"}
OLDER, NEWER = "20261123T000000-a", "20261124T000000-b"


@pytest.fixture(scope="module")
def document() -> Document:
    """A run of one bench on one dataset: few figures are drawn."""
    whole = Synthetic().run(3)
    cases = [case for case in whole["benchmarks"] if case["group"] == "training"]
    images = [case for case in cases if case["extra_info"]["settings"]["dataset"] == "images"]
    return {**whole, "benchmarks": images}


@dataclass(frozen=True)
class Reported:
    """What the command left where it was given no argument, in a folder with two runs."""

    runs: Path
    code: int
    out: str


@pytest.fixture(scope="module")
def reported(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("theirs")
    for name in (OLDER, NEWER):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "run.json").write_text(json.dumps(document))
    with chdir(folder), redirect_stdout(StringIO()) as out:
        code = cli.main(["report"])
    return Reported(runs=folder / "runs", code=code, out=out.getvalue())


def test_the_latest_run_is_the_default(reported: Reported) -> None:
    assert reported.code == 0
    assert reported.out.splitlines()[-1] == str(reported.runs / NEWER / "report.html")
    assert [path.name for path in (reported.runs / OLDER).iterdir()] == ["run.json"]


def test_a_report_is_written_beside_its_run(reported: Reported) -> None:
    assert {path.name for path in (reported.runs / NEWER).iterdir()} == WRITTEN | {"run.json"}


def test_the_table_and_the_verdicts_are_printed(reported: Reported) -> None:
    assert "training  images" in reported.out
    assert "is the smallest setting shown to be within" in " ".join(reported.out.split())
    assert "DataLoader(dataset, " in reported.out


def test_no_run_at_all_is_one_line_that_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "loaderbench: nothing to report: no run in runs/; make one with: loaderbench run --quick"
    ]


def test_nothing_readable_is_exit_code_2_with_each_fault_in_a_line(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write("{")
    assert cli.main(["report", str(folder), str(folder / "nowhere")]) == 2
    err = capsys.readouterr().err.splitlines()
    assert [line.split(": ", 2)[2] for line in err[:-1]] == [
        "run.json: is cut off: it ends in the middle",
        "cannot be read: No such file or directory",
    ]
    assert err[-1] == "loaderbench: nothing to report: no run could be read"


def test_the_files_that_can_be_read_are_reported_beside_those_that_cannot_where_it_is_told(
    write: Callable[..., Path], document: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good, out = write("{", "bad"), write(document, "good"), tmp_path / "deep" / "out"
    assert cli.main(["report", str(bad), str(good / "run.json"), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("is cut off") == 1
    assert captured.out.splitlines()[-1] == str(out / "report.html")
    assert {path.name for path in out.iterdir()} == WRITTEN
    assert {path.name for path in good.iterdir()} == {"run.json"}


def test_a_hostile_path_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["report", str(tmp_path / "\x1b[2J[red]")])
    assert "\x1b" not in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(
    write: Callable[..., Path], document: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert cli.main(["report", str(write(document)), "--out", str(tmp_path / "taken")]) == 2
    assert capsys.readouterr().err.startswith(f"loaderbench: {tmp_path / 'taken'} cannot be written")


def test_what_explain_found_is_part_of_the_report(reported: Reported, tmp_path: Path) -> None:
    name, content = made_up_explanation({"many tensors": 0.4}).file()
    (tmp_path / name).write_bytes(content)
    run = str(reported.runs / OLDER)
    assert cli.main(["report", run, "--out", str(tmp_path), "--explain", str(tmp_path)]) == 0
    for written in ("report.md", "report.html"):
        assert "many tensors" in (tmp_path / written).read_text()


def test_an_explanation_that_cannot_be_read_is_passed_over(
    reported: Reported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(reported.runs / OLDER)
    assert cli.main(["report", run, "--out", str(tmp_path), "--explain", str(tmp_path / "nowhere")]) == 2
    assert f"--explain {tmp_path / 'nowhere'} is passed over: " in capsys.readouterr().err
    assert (tmp_path / "report.html").exists()


def test_a_prediction_of_no_case_here_is_one_line(
    reported: Reported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content = made_up_whatif().file()
    (tmp_path / name).write_bytes(content)
    assert cli.main(["report", str(reported.runs / OLDER), "--out", str(tmp_path), "--whatif", str(tmp_path)]) == 2
    assert "--whatif: no case of bench_ranks here was predicted: ask about its dataset" in capsys.readouterr().err
