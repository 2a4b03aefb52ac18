"""``loaderbench history``: what it prints, what it writes, with which exit code."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loaderbench.benches.cli import main as cli
from loaderbench.reports.history.database import History
from loaderbench.reports.records.files import RecordedRun

STEP = 30  # the commit from which on everything takes a quarter longer


@pytest.fixture(scope="module")
def runs(trunk: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Forty runs of a trunk."""
    folder = tmp_path_factory.mktemp("runs")
    for number in range(40):
        (folder / f"{number:02d}").mkdir()
        document = trunk(number, slower=1.25 if number >= STEP else 1)
        (folder / f"{number:02d}" / "run.json").write_text(json.dumps(document))
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def database(runs: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("history") / "deep" / "history.sqlite")
    assert cli.main(["history", "add", *runs, "--db", path]) == 0
    return path


@pytest.fixture
def printed(database: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run an action that must succeed, and return what it prints."""

    def run(*words: str) -> str:
        assert cli.main(["history", *words, "--db", database]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(database: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run an action that must fail with exit code 2, and return its one line."""

    def run(*words: str) -> str:
        assert cli.main(["history", *words, "--db", database]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return run


def test_every_run_in_runs_is_added_to_a_history_there_where_none_is_named(
    runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["history", "add"]) == 2
    assert capsys.readouterr().err == "loaderbench: no run in runs/; make one with: loaderbench run --quick\n"
    for run in runs[:2]:
        shutil.copytree(run, tmp_path / "runs" / Path(run).name)
    (tmp_path / "runs" / "20260101-gate").mkdir()
    assert cli.main(["history", "add"]) == 0
    assert capsys.readouterr().out == "runs/history.sqlite: 2 runs added\n"


def test_list_has_the_newest_run_first(printed: Callable[..., str]) -> None:
    lines = printed("list").splitlines()
    assert len(lines) == 1 + 40
    assert lines[1].startswith("20260102T150000Z-00000027  2026-01-02 15:00  0000002700  main")


def test_show_has_the_change_between_its_commits(printed: Callable[..., str]) -> None:
    last = printed("show", "bench_epoch[images-workers=1]").splitlines()[-1]
    expected = (
        r"2026-01-02 06:00 regressed 0\.(79|80|81)× between 0000001d00 and 0000001e00, detected with 20260102T0\d"
    )
    assert re.match(expected, last)


def test_show_finds_a_case_by_words_of_its_name(printed: Callable[..., str]) -> None:
    lines = printed("show", "EPOCH workers=1").splitlines()
    assert lines[0] == "bench_epoch[images-workers=1]"
    assert lines[1].startswith("throughput on Imaginary 8-Core")


def test_show_takes_the_case_at_its_defaults_where_words_fit_several_and_names_another(
    printed: Callable[..., str],
) -> None:
    lines = printed("show", "epoch images").splitlines()
    assert lines[0] == "these words also fit 1 other case, such as bench_epoch[images-workers=1]"
    assert lines[2] == "bench_epoch[images-workers=0]"


def test_show_has_the_newest_runs_first_and_says_how_many_are_left_out(printed: Callable[..., str]) -> None:
    lines = printed("show", "workers=1").splitlines()
    newest = next(number for number, line in enumerate(lines) if line.startswith("started")) + 1
    assert lines[newest].startswith("2026-01-02 15:00  20260102T150000Z-00000027")
    assert "and 20 more rows" in lines


def test_show_takes_any_metric(printed: Callable[..., str]) -> None:
    lines = printed("show", "workers=0", "--metric", "seconds").splitlines()
    assert lines[1].startswith("time on ")
    assert re.search(r"regressed 1\.2[456]×", lines[-1])


def test_show_refuses_words_that_fit_several_cases_with_a_command_that_works(
    synthetic: Callable[..., Any], write: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, settings = synthetic(), {"num_workers": 1, "batch_size": 32, "dataset": "images"}
    folder = write(source.document([source.case(bench, settings, 3) for bench in ("memory", "epoch")]))
    database = str(tmp_path / "history.sqlite")
    cli.main(["history", "add", str(folder), "--db", database])
    assert cli.main(["history", "show", "images", "--db", database]) == 2
    line = capsys.readouterr().err
    names, command = re.fullmatch(
        r"loaderbench: 'images' fits 2 cases: (.*); name one, such as: loaderbench (.*)\n", line
    ).groups()
    assert len(names.split(", ")) == 2
    assert cli.main([*shlex.split(command), "--db", database]) == 0


def test_show_names_the_nearest_where_no_case_is_called_so(refused: Callable[..., str]) -> None:
    assert refused("show", "bench_epoch[images-wrokers=1]").startswith(
        "loaderbench: no case is called 'bench_epoch[images-wrokers=1]'; the nearest are: bench_epoch[images-workers=1]"
    )


@pytest.mark.parametrize("narrowed", [("--metric", "zeal"), ("--machine", "Cray"), ("--branch", "other")])
def test_show_says_where_nothing_is_left(refused: Callable[..., str], narrowed: tuple[str, str]) -> None:
    assert "has no such metric or run; see --metric, --machine and --branch" in refused("show", "workers=1", *narrowed)


@pytest.mark.parametrize(("suffix", "head"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_show_writes_the_figure(printed: Callable[..., str], tmp_path: Path, suffix: str, head: bytes) -> None:
    printed("show", "workers=1", "--out", str(tmp_path / f"trend.{suffix}"))
    assert (tmp_path / f"trend.{suffix}").read_bytes().startswith(head)


def test_show_refuses_to_write_another_kind_of_figure(refused: Callable[..., str]) -> None:
    assert refused("show", "workers=1", "--out", "trend.gif") == (
        "loaderbench: --out trend.gif must end in .svg or .png"
    )


def test_a_figure_that_cannot_be_written_is_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "trend.svg"
    assert refused("show", "workers=1", "--out", str(path)) == (
        f"loaderbench: {path} cannot be written: No such file or directory"
    )


def test_changes_lists_every_case_with_its_commits(printed: Callable[..., str]) -> None:
    lines = printed("changes").splitlines()[1:]
    assert [line.split()[2] for line in lines] == ["bench_epoch[images-workers=0]", "bench_epoch[images-workers=1]"]
    assert all({"regressed", "0000001d00", "0000001e00"} <= set(line.split()) for line in lines)


@pytest.mark.parametrize(("since", "number"), [("2026-01-02", 2), ("2026-01-02T07:00", 0)])
def test_changes_since_a_date_are_those_that_began_then(printed: Callable[..., str], since: str, number: int) -> None:
    changes = [line for line in printed("changes", "--since", since).splitlines() if "regressed" in line]
    assert len(changes) == number


def test_a_date_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["history", "changes", "--since", "tuesday"])
    assert ended.value.code == 2
    assert "argument --since: expected a date such as 2026-11-24, got 'tuesday'" in capsys.readouterr().err


def test_every_format_holds_every_round(printed: Callable[..., str], tmp_path: Path) -> None:
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "json": lambda path: pd.read_json(path, precise_float=True),
    }
    values = []
    for name, read in readers.items():
        printed("export", "--format", name, "--out", str(tmp_path / name))
        values.append(read(tmp_path / name)["value"].astype(float).tolist())
    assert len(values[0]) == 40 * 2 * 12 * (1 + 3)
    assert values[0] == values[1] == pytest.approx(values[2], rel=1e-14)


def test_export_goes_to_standard_output(printed: Callable[..., str]) -> None:
    rows = list(csv.DictReader(StringIO(printed("export", "workers=1"))))
    assert {row["case"] for row in rows} == {"bench_epoch[images-workers=1]"}


def test_export_of_a_case_that_is_not_there_names_the_nearest(refused: Callable[..., str]) -> None:
    assert "no case is called 'epochs'; the nearest are: " in refused("export", "epochs")


def test_an_interrupted_add_keeps_the_runs_that_were_added(
    runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(history: History, recorded: RecordedRun) -> str:
        if recorded.run.name.endswith("2"):
            raise KeyboardInterrupt
        return whole(history, recorded)

    whole = History.add
    monkeypatch.setattr(History, "add", interrupted)
    database = str(tmp_path / "history.sqlite")
    assert cli.main(["history", "add", *runs[:5], "--db", database]) == 130
    assert capsys.readouterr().out == f"{database}: 2 runs added\n"
    assert cli.main(["history", "list", "--db", database]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 2


def test_a_report_shows_the_trends_of_its_cases(
    runs: list[str], database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", runs[-1], "--out", str(tmp_path), "--history", database]) == 0
    assert '<section id="trend">' in (tmp_path / "report.html").read_text()
    assert re.search(r"0000001 0\.(79|80|81)×", (tmp_path / "figures" / "trend.svg").read_text())


def test_a_report_is_written_without_a_history_that_cannot_be_read(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", runs[-1], "--out", str(tmp_path), "--history", str(tmp_path / "nowhere")]
    assert cli.main(words) == 2
    assert "nowhere does not exist; make it with: loaderbench history add RUN" in capsys.readouterr().err
    assert (tmp_path / "report.html").exists()


def test_reading_commands_import_neither_torch_nor_what_another_needs(
    runs: list[str], database: str, tmp_path: Path
) -> None:
    code = (
        "import sys; from loaderbench.benches.cli.main import main; "
        "assert main(['report', sys.argv[1], '--out', sys.argv[2]]) == 0; print('sqlalchemy' in sys.modules); "
        "assert main(['history', 'list', '--db', sys.argv[3]]) == 0; print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, runs[0], str(tmp_path), database]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in lines if line in {"True", "False"}] == ["False", "False"]
