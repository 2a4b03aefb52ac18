"""The command `loaderbench`: its list of commands, what each may import, its one-line errors; and `loaderbench run`."""

import os
import subprocess
import sys
from importlib.metadata import version
from time import monotonic
from typing import Any

import pytest

from loaderbench.benches.cli import main as cli
from loaderbench.benches.cli import report
from loaderbench.benches.harness.errors import RefusedError

QUIETLY = ("-q", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
BRIEF = ("--num-workers", "0", "--batch-size", "8", "--rounds", "1", "--round-time", "0", "-k", "epoch")


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_command_the_commands_are_listed_with_an_example_each(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed or f"\n  {name}\n" in listed for name in cli.COMMANDS)
    assert listed.count("$ loaderbench ") == len(cli.COMMANDS)


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name != "run"])
def test_a_commands_help_ends_with_its_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"  $ loaderbench {name}")


def test_a_process_started_for_a_command_counts_from_its_start_and_has_threads_that_wait_without_spinning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(report, "run", lambda options: given.append(options.began) or 0)
    monkeypatch.setattr(cli, "age_s", lambda: 1000.0)
    monkeypatch.setattr("sys.argv", ["loaderbench", "report"])
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # as it was before, after this test
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert cli.main() == 0
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert given[0] <= monotonic() - 1000


def test_what_the_user_has_set_stays_and_a_call_counts_from_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(report, "run", lambda options: given.append(options.began) or 0)
    monkeypatch.setattr(cli, "age_s", lambda: 1000.0)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setattr("sys.argv", ["loaderbench", "report"])
    cli.main()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    began = monotonic()
    cli.main(["report"])
    assert given[1] >= began


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"loaderbench {version('loaderbench')}\n"


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rport"]) == 2
    assert one_line(capsys) == "loaderbench: there is no command 'rport'; did you mean report?"


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", "--zeal"])
    assert ended.value.code == 2
    assert one_line(capsys) == "loaderbench: unrecognized arguments: --zeal; see loaderbench report --help"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RefusedError("--out x: is\nthere"), 2, "loaderbench: --out x: is there"),
        (FileNotFoundError(2, "No such file", "a.json"), 2, "loaderbench: a.json: No such file"),
        (KeyboardInterrupt(), 130, "loaderbench: interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_stops_a_command_is_a_line_and_an_exit_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: object) -> int:
        raise error

    monkeypatch.setattr(report, "run", stopped)
    assert cli.main(["report"]) == code
    assert one_line(capsys) == line


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "run", lambda _: {}["zeal"])
    with pytest.raises(KeyError):
        cli.main(["report"])


def test_listing_the_commands_imports_nothing_that_takes_long() -> None:
    code = "import sys; from loaderbench.benches.cli.main import main; main([]); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "pandas", "numpy", "matplotlib", "sqlalchemy", "scipy", "pytest"}
    assert not heavy & set(ended.stdout.splitlines()[-1].split())


def test_run_passes_every_option_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[list[str]] = []
    monkeypatch.setattr(pytest, "main", lambda arguments, **_: passed.append(arguments) or 3)
    monkeypatch.setattr(sys, "path", list(sys.path))
    options = ["--quick", "-k", "epoch and text", "--benchmark-json", "x.json", "--", "--out"]
    assert cli.main(["run", *options]) == 3
    assert [arguments[-len(options) :] for arguments in passed] == [options]
    assert "loaderbench.benches" in passed[0]


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (pytest.Session.Interrupted("1 error during collection"), 2)]
)
def test_ctrl_c_in_a_run_has_an_exit_code_of_its_own(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: list[str], plugins: list[Any]) -> pytest.ExitCode:
        with pytest.raises(BaseException) as excinfo:  # noqa: PT011 - as pytest catches it
            raise error
        plugins[0].pytest_keyboard_interrupt(excinfo)
        return pytest.ExitCode.INTERRUPTED

    monkeypatch.setattr(pytest, "main", interrupted)
    assert cli.main(["run"]) == code


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a dataset of the user's, which is not on the path."""
    pytester.makepyfile(project_data="train = list(range(20))")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    return pytester


def test_run_measures_a_dataset_of_the_folder_it_is_run_in(project: pytest.Pytester) -> None:
    assert cli.main(["run", *QUIETLY, "--dataset", "project_data:train", *BRIEF, "--run-dir", "run"]) == 0
    assert (project.path / "run" / "run.json").exists()


def test_run_refuses_what_cannot_be_loaded(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", *QUIETLY, "--dataset", "nowhere:train"]) == 2
    assert "ERROR: --dataset nowhere:train: no module 'nowhere'" in capsys.readouterr().err


def test_run_s_help_has_the_benches_options_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", *QUIETLY, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--num-workers LIST", "--budget TIME", "--resume DIR", "pytest --help"))
    assert "--benchmark-min-rounds" not in shown
