"""Rounds: warm-ups, lengthened passes, and the same seconds in both clocks."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.reports.records.schema import SCHEMA

Suite = Callable[..., pytest.RunResult]
Measured = Callable[..., dict[str, Any]]
BUSY = ("loaderbench.datasets.synthetic.known_cost:Busy", "--dataset-args", '{"samples": 20, "busy_s": 0.0005}')

COUNTED = """
import pytest

class Work:
    def __init__(self, steady):
        self.steady, self.said = steady, []

    def __enter__(self):
        self.said.append("enter")
        return self

    def __exit__(self, *_):
        self.said.append("exit")

    def before(self, passes):
        self.said.append(f"before {passes}")

    def run(self, passes):
        self.said.append(f"run {passes}")

    def after(self):
        return {"seconds": 0.25, "odd": float("nan")}

@pytest.mark.parametrize("steady", [True, False])
def bench_own(measure, steady, record_property):
    work = Work(steady)
    measure(work, colour="red")
    print(f"SAID {steady}: {', '.join(work.said)}")
"""


@pytest.fixture
def case(measured: Measured) -> dict[str, Any]:
    """Three rounds, each to last 100 ms, of passes that last 10 ms."""
    (found,) = measured(*BUSY, "--rounds", "3", "--round-time", "0.1")["benchmarks"]
    return dict(found)


def test_passes_shorter_than_a_round_are_repeated_within_it(case: dict[str, Any]) -> None:
    passes = case["extra_info"]["facts"]["passes"]
    assert 2 <= passes <= 10
    assert case["extra_info"]["rounds"]["samples"] == [20 * passes] * 3
    assert case["extra_info"]["rounds"]["batches"] == [3 * passes] * 3


def test_a_pass_longer_than_a_round_is_not_repeated(measured: Measured) -> None:
    (case,) = measured(*BUSY, "--round-time", "0.005")["benchmarks"]
    assert case["extra_info"]["facts"]["passes"] == 1


def test_every_round_is_kept(case: dict[str, Any]) -> None:
    assert len(case["extra_info"]["rounds"]["seconds"]) == case["stats"]["rounds"] == 3


def test_warm_ups_are_kept_beside_the_rounds_in_the_same_columns(case: dict[str, Any]) -> None:
    warmup = case["extra_info"]["warmup"]
    assert set(warmup) == set(case["extra_info"]["rounds"]) - {"cpu_s"}
    assert warmup["samples"] == [20, 20]


def test_both_clocks_read_the_same_seconds(case: dict[str, Any]) -> None:
    theirs, ours = case["stats"]["data"], case["extra_info"]["rounds"]["seconds"]
    assert all(1 <= outer / inner < 1.2 for outer, inner in zip(theirs, ours, strict=True))


def test_no_round_is_shorter_than_its_samples_take(case: dict[str, Any]) -> None:
    rounds = case["extra_info"]["rounds"]
    assert all(s >= 0.0005 * samples for s, samples in zip(rounds["seconds"], rounds["samples"], strict=True))


def test_cpu_time_is_read_beside_the_clock(case: dict[str, Any]) -> None:
    rounds = case["extra_info"]["rounds"]
    assert 0.1 < sum(rounds["cpu_s"]) / sum(rounds["seconds"]) < 2


@pytest.fixture
def counted(suite: Suite, pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    pytester.makepyfile(bench_own=COUNTED)
    return lambda *arguments: suite("bench_own.py", "-s", "--run-dir", "run", *arguments)


def test_steady_work_is_warmed_up_twice_and_then_measured_in_one_opening(counted: Suite) -> None:
    counted("--rounds", "2", "--round-time", "1").stdout.fnmatch_lines(
        ["*SAID True: enter, before 1, run 1, before 1, run 1, before 4, run 4, before 4, run 4, exit"]
    )


def test_cold_work_is_warmed_up_once_and_never_lengthened(counted: Suite) -> None:
    counted("--rounds", "2", "--round-time", "1").stdout.fnmatch_lines(
        ["*SAID False: enter, before 1, run 1, before 1, run 1, before 1, run 1, exit"]
    )


def test_disabled_work_runs_once(counted: Suite) -> None:
    counted("--benchmark-disable").stdout.fnmatch_lines(["*SAID True: enter, before 1, run 1, exit"])


def test_disabled_work_leaves_no_run_behind(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_own=COUNTED)
    suite("bench_own.py", "--benchmark-disable").assert_outcomes(passed=2)
    assert not (pytester.path / "runs").exists()


def test_facts_and_metrics_of_a_bench_are_in_the_record(counted: Suite, pytester: pytest.Pytester) -> None:
    counted("--rounds", "2", "--round-time", "0")
    cases = json.loads((pytester.path / "run" / "run.json").read_text())["benchmarks"]
    info = {case["extra_info"]["facts"]["steady"]: case["extra_info"] for case in cases}
    assert info[True]["facts"] == {"colour": "red", "passes": 1, "steady": True}
    assert info[True]["rounds"]["seconds"] == [0.25, 0.25]


def test_what_is_not_a_number_is_null_in_the_record(counted: Suite, pytester: pytest.Pytester) -> None:
    counted("--rounds", "2", "--round-time", "0")
    record = (pytester.path / "run" / "run.json").read_text()
    assert "NaN" not in record
    assert json.loads(record)["benchmarks"][0]["extra_info"]["rounds"]["odd"] == [None, None]


def test_a_bench_s_own_settings_are_in_its_identity(counted: Suite, pytester: pytest.Pytester) -> None:
    counted("--rounds", "2", "--round-time", "0")
    cases = json.loads((pytester.path / "run" / "run.json").read_text())["benchmarks"]
    assert sorted(case["extra_info"]["settings"]["steady"] for case in cases) == [False, True]


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


def test_a_saved_run_can_be_compared_with(suite: Suite) -> None:
    suite(*BENCHED, *BRIEF, "--benchmark-save", "base")
    result = suite(*BENCHED, *BRIEF, "--benchmark-compare", "0001")
    result.stdout.fnmatch_lines(["*bench_epoch?mine.Numbers? (*0001_base*"])


def test_autosave_saves(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(*BENCHED, *BRIEF, "--benchmark-autosave")
    (saved,) = pytester.path.glob(".benchmarks/*/0001_*.json")
    assert json.loads(saved.read_text())["loaderbench"]["schema"] == SCHEMA
