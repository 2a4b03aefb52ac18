"""``loaderbench run``: an answer about a dataset in one command, without pytest's words; or plain benches."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from preloaded import LOADERBENCH

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.run.budgeted import BudgetedRun
from loaderbench.benches.run.first_question import OTHER_QUESTIONS, first_pass_line

# Where workers cost a hundred times what a sample does, few rounds decide: it ends long before its budget.
CHEAP = """
import time
from pathlib import Path
from torch.utils.data import DataLoader

RECORD = Path("interrupted/run.jsonl")

class Train:
    def __len__(self): return 20_000
    def __getitem__(self, index): return index

class Broken(Train):
    def __getitem__(self, index): raise KeyError("no such row")

class Held(Train):
    def __getitem__(self, index):
        while Path("hold").exists() and RECORD.exists() and RECORD.read_text().count("\\n") >= 2:
            time.sleep(0.05)  # a case has ended
        return index

def make_loader():
    return DataLoader(Train(), batch_size=500, shuffle=True)
"""


def run(project: Any, *arguments: str, into: str) -> Any:
    return project.call([*LOADERBENCH, "run", "--run-dir", into, *arguments], into=into)


@pytest.fixture(scope="module")
def project(places: Callable[[str], Any]) -> Any:
    return places("budgeted").write(my_data=CHEAP)


@pytest.fixture(scope="module")
def answered(project: Any) -> Any:
    return run(project, "--dataset", "my_data:Train", "--budget", "10m", "--num-workers", "0,2", into="answered")


def test_one_command_answers_and_writes_the_report(answered: Any) -> None:
    assert answered.ret == 0, answered.err
    lines = [line for line in answered.out.splitlines() if "first pass" not in line]  # of a busy machine
    assert lines[0].startswith("one process: ")
    assert "× one process" in lines[1]
    assert "is the smallest setting shown to be within" in " ".join(answered.out.split())
    assert "DataLoader(" in answered.out
    assert lines[-1] == str((answered.folder / "report.html").resolve())
    assert (answered.folder / "report.html").exists()


def test_nothing_is_said_in_pytest_s_words(answered: Any) -> None:
    assert not [word for word in ("passed", "====", "test session", "benchmark:") if word in answered.out]


def test_only_what_says_something_of_the_dataset_is_measured_each_case_as_often_as_it_takes(answered: Any) -> None:
    cases = {name: case["extra_info"] for name, case in answered.benchmarks.items()}
    assert {(case["bench"], case["settings"]["num_workers"]) for case in cases.values()} == {("epoch", 0), ("epoch", 2)}
    rounds = [len(case["rounds"]["seconds"]) for case in cases.values()]
    assert max(rounds) > 1
    assert answered.ours["complete"]


def test_a_dataset_that_cannot_be_read_fails_in_a_line_and_is_no_answer(project: Any) -> None:
    broken = run(project, "--dataset", "my_data:Broken", "--num-workers", "0", into="broken")
    assert broken.ret != 0
    assert "no such row" in broken.out + broken.err
    assert "Traceback" not in broken.out + broken.err


@pytest.fixture(scope="module")
def own(project: Any) -> Any:
    return run(project, "--from-loader", "my_data:make_loader", "--budget", "10m", into="own")


def test_a_loader_of_the_user_s_own_is_answered_for_as_it_is(own: Any) -> None:
    assert own.ret == 0, own.err
    ((name, case),) = own.benchmarks.items()
    settings = case["extra_info"]["settings"]
    assert name.startswith("bench_epoch[my_data.make_loader")
    assert (settings["dataset"], settings["batch_size"], settings["num_workers"]) == ("my_data:make_loader", 500, 0)
    assert own.out.startswith("one process")
    assert (own.folder / "report.html").exists()


@pytest.fixture(scope="module")
def interrupted(project: Any) -> Any:
    """Ctrl-C in the second case: the exit code, the output, and whether every process has gone."""
    (project.folder / "hold").touch()
    options = ("--dataset", "my_data:Held", "--budget", "10m", "--num-workers", "0,2", "--run-dir", "interrupted")
    growing = project.folder / "interrupted" / "run.jsonl"
    with project.begin([*LOADERBENCH, "run", *options]) as running:
        project.soon(lambda: running.poll() is not None or "one process: " in running.out)
        running.press_ctrl_c()
        ret = running.wait()
        (project.folder / "hold").unlink()
        return SimpleNamespace(ret=ret, out=running.out, folder=growing.parent, emptied=project.emptied())


def test_ctrl_c_keeps_what_was_measured_and_writes_the_report(interrupted: Any) -> None:
    assert interrupted.ret == 130, interrupted.out
    assert "one process: " in interrupted.out
    assert not [word for word in ("Traceback", "KeyboardInterrupt", "!!!!") if word in interrupted.out]
    assert "interrupted: 1 of 2 cases" in interrupted.out
    record = json.loads((interrupted.folder / "run.json").read_text())
    (case,) = record["benchmarks"]
    assert case["extra_info"]["settings"]["num_workers"] == 0
    assert record["loaderbench"]["complete"] is False
    assert (interrupted.folder / "report.html").exists()


def test_ctrl_c_leaves_no_process(interrupted: Any) -> None:
    assert interrupted.emptied


@pytest.mark.parametrize(
    ("metrics", "line"),
    [
        ({"seconds": 6.4, "samples": 128.0}, "one process, first pass: 20 samples/s"),
        ({"seconds": 9.0, "samples": 9.0, "loader_seconds": 2.0, "loader_samples": 8.0}, "one process, first pass: 4"),
        ({"seconds": 0.1, "samples": 128.0}, ""),
        ({"seconds": 6.4}, ""),
    ],
)
def test_a_long_first_pass_is_said_before_any_round(metrics: dict[str, float], line: str) -> None:
    said = first_pass_line("one process", metrics, "samples/s").replace("\u202f", " ")
    assert said.startswith(line) if line else said == ""


class Configured(SimpleNamespace):
    """A stand-in for pytest's configuration: the options that were given, by name."""

    def getoption(self, name: str) -> Any:
        return getattr(self, name, None)


def configured(*arguments: str, **options: Any) -> Any:
    return Configured(**options, invocation_params=SimpleNamespace(args=arguments))


def budget_s(*arguments: str, files: str = "", **options: Any) -> float:
    return BudgetedRun()._budget_s(configured(*arguments, **options), files)


def test_a_dataset_is_answered_for_in_a_minute_by_default() -> None:
    assert budget_s(dataset="my.data:Train") == 60
    assert budget_s(dataset="my.data:Train", budget="5m") == 300


def test_without_a_dataset_the_benches_are_run() -> None:
    assert budget_s() == 0


@pytest.mark.parametrize("option", OTHER_QUESTIONS)
def test_what_says_itself_how_much_is_measured_has_no_budget(option: str) -> None:
    assert budget_s(dataset="table", **{option: "3"}) == 0


def test_files_and_options_of_pytest_benchmark_have_no_budget() -> None:
    assert budget_s(dataset="table", files="files of benches") == 0
    assert budget_s("--benchmark-save=x", dataset="table") == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"dataset": "table", "budget": "1m", "rounds": "3"}, "--budget and --rounds both say how much is measured"),
        ({"dataset": "table", "budget": "1m", "keyword": "epoch"}, "--budget and -k both say how much is measured"),
        ({"budget": "1m"}, "--budget needs --dataset"),
        ({"dataset": "table", "budget": "soon"}, "--budget expected a time"),
        ({"dataset": "table", "budget": "0s"}, "--budget must be more than 0"),
    ],
    ids=str,
)
def test_a_budget_that_cannot_be_kept_to_is_refused(options: dict[str, str], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        budget_s(**options)
