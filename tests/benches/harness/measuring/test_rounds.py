"""Rounds: warm-ups, lengthened passes, and the same seconds in both clocks."""

import json
from collections.abc import Callable

import pytest

from loaderbench.reports.records.schema import SCHEMA

Suite = Callable[..., pytest.RunResult]

COUNTED = """
import gc

import pytest

class Work:
    def __init__(self, steady):
        self.steady, self.said = steady, []

    def __enter__(self):
        self.said.append("enter")
        return self

    def __exit__(self, *_):
        with open(f"said-{self.steady}", "w") as file:
            file.write(", ".join([*self.said, "exit"]))

    def before(self, passes):
        self.said.append(f"before {passes}")

    def run(self, passes):
        self.said.append(f"run {passes}" + ("" if gc.isenabled() else " without gc"))

    def after(self):
        return {"seconds": 0.25, "odd": float("nan")}

@pytest.mark.parametrize("steady", [True, False])
def bench_own(measure, steady):
    measure(Work(steady), colour="red")
"""


@pytest.fixture
def counted(suite: Suite, pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    pytester.makepyfile(bench_own=COUNTED)
    return lambda *arguments: suite("bench_own.py", "--run-dir", "run", *arguments)


def test_steady_work_is_warmed_up_twice_and_cold_work_once_and_then_measured_in_one_opening(
    counted: Suite, pytester: pytest.Pytester
) -> None:
    counted("--rounds", "2", "--round-time", "1")
    lengthened = "enter, before 1, run 1, before 1, run 1, before 4, run 4, before 4, run 4, exit"
    assert (pytester.path / "said-True").read_text() == lengthened
    assert (
        pytester.path / "said-False"
    ).read_text() == "enter, before 1, run 1, before 1, run 1, before 1, run 1, exit"


def test_disabled_work_runs_once(counted: Suite, pytester: pytest.Pytester) -> None:
    counted("--benchmark-disable")
    assert (pytester.path / "said-True").read_text() == "enter, before 1, run 1, exit"


def test_garbage_is_not_collected_in_a_round_where_pytest_benchmark_is_asked_not_to(
    counted: Suite, pytester: pytest.Pytester
) -> None:
    counted("--rounds", "1", "--round-time", "0", "--benchmark-disable-gc", "-k", "False")
    assert (pytester.path / "said-False").read_text() == "enter, before 1, run 1, before 1, run 1 without gc, exit"


def test_disabled_work_leaves_no_run_behind(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_own=COUNTED)
    suite("bench_own.py", "--benchmark-disable").assert_outcomes(passed=2)
    assert not (pytester.path / "runs").exists()


def test_the_record_holds_settings_facts_warm_ups_and_every_round(counted: Suite, pytester: pytest.Pytester) -> None:
    counted("--rounds", "2", "--round-time", "1")
    text = (pytester.path / "run" / "run.json").read_text()
    cases = {case["name"]: case for case in json.loads(text)["benchmarks"]}
    steady, cold = cases["bench_own[True]"], cases["bench_own[False]"]
    assert steady["extra_info"]["settings"] == {"steady": True}
    assert steady["extra_info"]["facts"] == {"colour": "red", "passes": 4, "steady": True}
    assert cold["extra_info"]["facts"] == {"colour": "red", "passes": 1, "steady": False}
    assert steady["extra_info"]["warmup"] == {"seconds": [0.25, 0.25], "odd": [None, None]}
    assert steady["extra_info"]["rounds"]["seconds"] == [0.25, 0.25]
    assert set(steady["extra_info"]["rounds"]) == {"seconds", "odd", "cpu_s"}
    assert steady["stats"]["rounds"] == len(steady["stats"]["data"]) == 2
    assert "NaN" not in text


def test_fewer_rounds_are_measured_where_a_case_must_not_take_longer(counted: Suite, pytester: pytest.Pytester) -> None:
    counted("--rounds", "9", "--round-time", "1", "--case-time", "2s")
    cases = json.loads((pytester.path / "run" / "run.json").read_text())["benchmarks"]
    assert sorted(len(case["extra_info"]["rounds"]["seconds"]) for case in cases) == [2, 8]


BENCHED = ("--pyargs", "loaderbench.benches.bench_epoch", "--dataset", "mine:Numbers", "--num-workers", "0")
BRIEF = ("--batch-size", "8", "--rounds", "2", "--round-time", "0.001")


def test_benchmark_json_is_theirs_with_our_block(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(*BENCHED, *BRIEF, "--benchmark-json", "out.json")
    written = json.loads((pytester.path / "out.json").read_text())
    assert written["loaderbench"]["complete"] is True
    assert written["machine_info"]["loaderbench"]["torch"]
    assert written["benchmarks"][0]["extra_info"]["settings"]["dataset"] == "mine:Numbers"


def test_benchmark_only_runs_the_cases_and_nothing_else(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): ...")
    suite("test_own.py", *BENCHED, *BRIEF, "--benchmark-only").assert_outcomes(passed=1, skipped=1)


def test_benchmark_skip_runs_no_case(suite: Suite) -> None:
    suite(*BENCHED, *BRIEF, "--benchmark-skip").assert_outcomes(skipped=1)


def test_a_saved_run_can_be_compared_with(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(*BENCHED, *BRIEF, "--benchmark-autosave", "--benchmark-save", "base")
    (saved,) = pytester.path.glob(".benchmarks/*/0001_base.json")
    assert json.loads(saved.read_text())["loaderbench"]["schema"] == SCHEMA
    result = suite(*BENCHED, *BRIEF, "--benchmark-compare", "0001")
    result.stdout.fnmatch_lines(["*bench_epoch?mine.Numbers? (*0001_base*"])
