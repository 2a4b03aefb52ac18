"""One session: an order that is drawn, a record of all that was planned, and a run that goes on."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.harness.session.record import now
from loaderbench.reports.records.frame import read_records

Suite = Callable[..., pytest.RunResult]
BENCHES = ("--pyargs", "loaderbench.benches.bench_epoch")
FIVE = ("--dataset", "mine:Numbers", "--num-workers", "0", "--batch-size", "1,2,3,4,5")
ONE = ("--batch-size", "8")  # instead of five
BRIEF = ("--rounds", "1", "--round-time", "0")


def record(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text()))


def measured(folder: Path) -> list[str]:
    return [case["name"] for case in record(folder)["benchmarks"]]


@pytest.fixture
def five(suite: Suite, pytester: pytest.Pytester) -> Callable[..., Path]:
    """Run five brief cases into a folder; the folder."""

    def run(into: str, *arguments: str) -> Path:
        suite(*BENCHES, *FIVE, *BRIEF, "--run-dir", into, *arguments)
        return pytester.path / into

    return run


class Interrupted:
    """Ctrl-C after each case, in a finalizer."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)

    @staticmethod
    def pytest_runtest_logfinish() -> None:
        Interrupted()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_in_a_finalizer_between_two_cases_ends_the_run(pytester: pytest.Pytester) -> None:
    """Python ignores an exception there, KeyboardInterrupt too."""
    pytester.makepyfile(mine="train = list(range(20))")
    asked = ("--dataset", "mine:train", "--num-workers", "0", "--batch-size", "1,2,3", *BRIEF, "--run-dir", "run")
    plugins = ("-p", "loaderbench.benches.harness.plugin", "-p", "no:hypothesispytest", "-p", "no:unraisableexception")
    ended = pytester.runpytest_inprocess(*plugins, *BENCHES, *asked, plugins=[Interrupted], no_reraise_ctrlc=True)
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    assert len(measured(pytester.path / "run")) == 1
    assert record(pytester.path / "run")["loaderbench"]["complete"] is False


def test_the_order_is_drawn_by_the_seed(names: Callable[..., list[str]]) -> None:
    first, again, other = (names(*BENCHES, *FIVE, "--seed", seed) for seed in "001")
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)
    assert first != sorted(first)


def test_the_order_and_its_seed_are_recorded(five: Callable[..., Path]) -> None:
    folder = five("run", "--seed", "5")
    ours = record(folder)["loaderbench"]
    assert ours["order"] == measured(folder)
    assert (ours["seed"], ours["planned"]) == (5, 5)


def test_the_command_and_the_machine_are_recorded(five: Callable[..., Path]) -> None:
    ours = record(five("run", *ONE, "--seed", "5"))["loaderbench"]
    assert ours["command"][-2:] == ["--seed", "5"]
    assert {"cpu_model", "torch", "cpus_affinity"} <= set(ours["machine"])


def test_the_record_is_pytest_benchmark_s_own_with_our_block(five: Callable[..., Path]) -> None:
    whole = record(five("run", *ONE))
    assert {"machine_info", "commit_info", "datetime", "version", "benchmarks", "loaderbench"} == set(whole)
    assert whole["loaderbench"]["schema"] == 2
    assert whole["loaderbench"]["started"] <= whole["loaderbench"]["finished"]


def test_every_run_has_a_name_of_its_own(five: Callable[..., Path]) -> None:
    assert record(five("a", *ONE))["loaderbench"]["run"] != record(five("b", *ONE))["loaderbench"]["run"]


def test_a_run_is_kept_under_its_time_and_commit(suite: Suite, pytester: pytest.Pytester) -> None:
    git = ("git", "-c", "user.name=me", "-c", "user.email=me@here")
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run([*git, *words], cwd=pytester.path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=pytester.path, check=True, capture_output=True, text=True)
    suite(*BENCHES, *FIVE, *BRIEF, *ONE)
    (folder,) = (pytester.path / "runs").iterdir()
    assert folder.name.rpartition("-")[2] == head.stdout[:8]


def test_a_run_without_a_commit_says_so(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(*BENCHES, *FIVE, *BRIEF, *ONE)
    (folder,) = (pytester.path / "runs").iterdir()
    assert folder.name.endswith("-nocommit")


def test_runs_of_one_second_and_commit_have_folders_of_their_own(
    suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    monkeypatch.setattr("loaderbench.benches.harness.session.record.now", lambda: moment)
    for _ in range(3):
        suite(*BENCHES, *FIVE, *BRIEF, *ONE)
    folders = sorted((pytester.path / "runs").iterdir())
    assert [folder.name.partition("-nocommit")[2] for folder in folders] == ["", "-2", "-3"]
    assert len({record(folder)["loaderbench"]["run"] for folder in folders}) == 3


@pytest.mark.parametrize("name", ["run.json", "run.jsonl"])
def test_a_record_is_never_replaced(suite: Suite, pytester: pytest.Pytester, name: str) -> None:
    there = pytester.mkdir("run") / name
    there.write_text("precious")
    result = suite(*BENCHES, *FIVE, *BRIEF, "--run-dir", "run")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: --run-dir run: {name} of an earlier run is there. Go on with --resume run, or name a new folder"]
    )
    assert there.read_text() == "precious"


def test_a_folder_without_a_record_may_be_named(suite: Suite, pytester: pytest.Pytester) -> None:
    (pytester.mkdir("run") / "notes.txt").touch()
    assert suite(*BENCHES, *FIVE, *BRIEF, *ONE, "--run-dir", "run").ret == 0
    assert len(measured(pytester.path / "run")) == 1


def test_a_run_is_resumed_or_put_somewhere_and_not_both(suite: Suite) -> None:
    result = suite(*BENCHES, *FIVE, *BRIEF, "--resume", "one", "--run-dir", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --resume and --run-dir both say where the record goes: give one"])


def test_the_end_says_where_the_record_is_and_what_to_do_next(suite: Suite) -> None:
    result = suite(*BENCHES, *FIVE, *BRIEF, "--run-dir", "run")
    result.stdout.fnmatch_lines(
        ["5 cases measured, 0 failed, 0 skipped", "record: run/run.json", "report: loaderbench report run"]
    )


def test_tests_that_measure_nothing_leave_no_run(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): ...")
    suite("test_own.py").assert_outcomes(passed=1)
    assert not (pytester.path / "runs").exists()


FLAWED = """
import os

class Flawed:
    def __len__(self):
        return 30

    def __getitem__(self, index):
        if index == 13 and not os.path.exists("mended"):
            raise ValueError("broken until it is mended")
        return range(30)[index]
"""


@pytest.fixture
def flawed(suite: Suite, pytester: pytest.Pytester) -> Suite:
    pytester.makepyfile(flawed=FLAWED)
    asked = ("--dataset", "flawed:Flawed,mine:Numbers", "--num-workers", "0", "--batch-size", "8")
    return lambda *arguments: suite(*BENCHES, *asked, *BRIEF, *arguments)


def test_a_run_that_stops_at_a_failure_says_how_to_go_on(flawed: Suite) -> None:
    result = flawed("--run-dir", "run", "--maxfail", "1", "--seed", "1")
    result.stdout.fnmatch_lines(
        ["* case* measured, 1 failed, 0 skipped*", "resume: the same command with --resume run"]
    )


def test_what_failed_is_run_again_when_a_run_is_resumed(flawed: Suite, pytester: pytest.Pytester) -> None:
    flawed("--run-dir", "run")
    before = record(pytester.path / "run")["benchmarks"]
    (pytester.path / "mended").touch()
    result = flawed("--resume", "run")
    result.assert_outcomes(passed=1, deselected=1)
    whole = record(pytester.path / "run")
    assert whole["loaderbench"]["failed"] == []
    assert whole["benchmarks"][0] == before[0]
    assert len(whole["benchmarks"]) == 2


def test_a_resumed_run_may_be_named_by_its_record(flawed: Suite, pytester: pytest.Pytester) -> None:
    flawed("--run-dir", "run")
    (pytester.path / "mended").touch()
    assert flawed("--resume", "run/run.json").ret == 0
    assert record(pytester.path / "run")["loaderbench"]["complete"]


def test_a_run_that_lacks_nothing_but_its_end_is_completed(five: Callable[..., Path], suite: Suite) -> None:
    folder = five("run")
    whole = record(folder)
    head = {name: value for name, value in whole.items() if name != "benchmarks"}
    lines = [head, *({"benchmark": case} for case in whole["benchmarks"])]
    (folder / "run.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "run.json").unlink()
    assert suite(*BENCHES, *FIVE, *BRIEF, "--resume", "run").ret == 0
    assert measured(folder) == [case["name"] for case in whole["benchmarks"]]
    assert not (folder / "run.jsonl").exists()


def test_a_run_resumed_in_part_is_not_complete(five: Callable[..., Path], suite: Suite) -> None:
    folder = five("run")
    whole = record(folder)
    whole["benchmarks"] = whole["benchmarks"][:2]
    (folder / "run.json").write_text(json.dumps(whole))
    missing = whole["loaderbench"]["order"][2]
    suite("--pyargs", f"{BENCHES[1]}::{missing}", *FIVE, *BRIEF, "--resume", "run")
    ours = record(folder)["loaderbench"]
    assert (len(measured(folder)), ours["planned"], ours["complete"]) == (3, 5, False)


@pytest.mark.parametrize("key", ["cpu_model", "torch", "python", "cpus_quota"])
def test_a_run_of_another_machine_is_not_resumed(five: Callable[..., Path], suite: Suite, key: str) -> None:
    folder = five("run", *ONE)
    whole = record(folder)
    whole["loaderbench"]["machine"][key] = "abacus"
    (folder / "run.json").write_text(json.dumps(whole))
    result = suite(*BENCHES, *FIVE, *BRIEF, "--resume", "run")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --resume run: not the machine it began on ({key} was abacus, is *"])


def test_a_file_that_is_no_record_is_not_resumed(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.mkdir("run").joinpath("run.json").write_text("{}")
    result = suite(*BENCHES, *FIVE, *BRIEF, "--resume", "run")
    result.stderr.fnmatch_lines(["ERROR: --resume run: run.json: is not a loaderbench run: it has no object*"])


def test_a_run_over_a_part_of_its_dataset_is_read(
    measured: Callable[..., dict[str, Any]], pytester: pytest.Pytester
) -> None:
    measured("mine:Numbers", "--samples", "16")
    records = read_records([pytester.path / "run0"])
    assert records.faults == ()
    assert set(records.frame["samples_option"]) == {"16"}
