"""``loaderbench run``: an answer about a dataset in one command, without pytest's words; or plain benches."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from preloaded import LOADERBENCH

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.run.budgeted import BudgetedRun
from loaderbench.benches.run.first_question import OTHER_QUESTIONS

# Where workers cost a hundred times what a sample does, few rounds decide: it ends long before its budget.
CHEAP = """
class Train:
    def __len__(self): return 20_000
    def __getitem__(self, index): return index

class Broken(Train):
    def __getitem__(self, index): raise KeyError("no such row")
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
    lines = answered.out.splitlines()
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
