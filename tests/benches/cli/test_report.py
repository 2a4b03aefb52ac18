"""The command line: what it prints, what it writes, with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.cli import main as cli

Document = dict[str, Any]
WRITTEN = {"report.html", "report.md", "records.csv", "records.parquet", "figures"}


@pytest.fixture
def document(synthetic: Callable[..., Any]) -> Document:
    source = synthetic()
    whole = source.run(3)
    return {**whole, "benchmarks": [case for case in whole["benchmarks"] if case["group"] == "training"]}


def test_a_report_is_written_beside_its_run(
    write: Callable[..., Path], document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(document)
    assert cli.main(["report", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == WRITTEN | {"run.json"}
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "report.html")


def test_the_table_and_the_verdicts_are_printed(
    write: Callable[..., Path], document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["report", str(write(document))])
    out = capsys.readouterr().out
    assert "training  images" in out
    assert "is the smallest setting shown to be within" in " ".join(out.split())
    assert "DataLoader(dataset, " in out


def test_a_report_goes_where_it_is_told(write: Callable[..., Path], document: Document, tmp_path: Path) -> None:
    folder = write(document)
    assert cli.main(["report", str(folder / "run.json"), "--out", str(tmp_path / "deep" / "out")]) == 0
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == WRITTEN
    assert {path.name for path in folder.iterdir()} == {"run.json"}


def test_the_latest_run_is_the_default(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("20261123T000000-a", "20261124T000000-b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("runs/20261124T000000-b/report.html")


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
        "is cut off: it ends in the middle",
        "cannot be read: No such file or directory",
    ]
    assert err[-1] == "loaderbench: nothing to report: no run could be read"


def test_the_files_that_can_be_read_are_reported_beside_those_that_cannot(
    write: Callable[..., Path], document: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(write("{", "bad")), str(write(document, "good"))]) == 0
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("is cut off") == 1
    assert captured.out.splitlines()[-1].endswith("good/report.html")


def test_a_hostile_path_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["report", str(tmp_path / "\x1b[2J[red]")])
    assert "\x1b" not in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(
    write: Callable[..., Path], document: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert cli.main(["report", str(write(document)), "--out", str(tmp_path / "taken")]) == 2
    assert capsys.readouterr().err.startswith(f"loaderbench: {tmp_path / 'taken'} cannot be written")
