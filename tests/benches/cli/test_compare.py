"""``loaderbench compare`` on recorded runs, as its user calls it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.cli.main import main

Compare = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def compare(trunk: Callable[..., Any], write: Callable[..., Path], tmp_path: Path) -> Compare:
    """Compare runs of a trunk with later ones that are `slower`: the exit code, and the verdict."""

    def run(count: int, *options: str, slower: float = 1.0, **block: Any) -> tuple[int, dict[str, Any]]:
        base = [write(trunk(number), f"base{number}") for number in range(count)]
        later = range(100, 100 + count)
        head = [write(trunk(number, slower=slower, **block), f"head{number}") for number in later]
        runs = [*map(str, base), "--head", *map(str, head)]
        code = main(["compare", *runs, "--out", str(tmp_path / "out"), *options])
        file = tmp_path / "out" / "verdict.json"
        return code, json.loads(file.read_text()) if file.exists() else {}

    return run


def verdicts(verdict: dict[str, Any], metric: str = "samples_per_s") -> set[str]:
    return {row["verdict"] for row in verdict["verdicts"] if row["metric"] == metric}


def test_the_same_code_is_no_regression(compare: Compare) -> None:
    code, verdict = compare(6)
    assert code == 0
    assert verdicts(verdict) <= {"unchanged", "inconclusive"}


@pytest.mark.parametrize(
    ("slower", "name", "code"), [(1.3, "regressed", 1), (1 / 1.3, "improved", 0)], ids=["slower", "faster"]
)
def test_from_several_runs_of_each_on_a_change_is_judged(compare: Compare, slower: float, name: str, code: int) -> None:
    exit_code, verdict = compare(6, slower=slower)
    assert exit_code == code
    assert verdicts(verdict) == {name}


def test_one_run_of_each_is_never_a_verdict_of_regression(compare: Compare) -> None:
    code, verdict = compare(1, slower=3.0)
    assert code == 0
    assert verdicts(verdict) == {"inconclusive"}
    assert "one run of each" in verdict["verdicts"][0]["why"]


def test_what_was_judged_is_in_the_verdict(compare: Compare) -> None:
    _, verdict = compare(5)
    values = [entry for entry in verdict["values"] if entry["metric"] == "samples_per_s"]
    assert {entry["revision"] for entry in values} == {"base", "head"}
    assert {len(entry["values"]) for entry in values} == {5}


UNLIKE = {"machine": {"cpu_model": "Another 4-Core"}}


def test_unlike_machines_are_refused_by_what_differs(compare: Compare, capsys: pytest.CaptureFixture[str]) -> None:
    code, verdict = compare(4, **UNLIKE)
    assert (code, verdict) == (2, {})
    assert "cpu_model: Another 4-Core, Imaginary 8-Core" in capsys.readouterr().err


def test_compared_anyway_the_result_says_so(compare: Compare) -> None:
    _, verdict = compare(4, "--anyway", **UNLIKE)
    assert "on an unlike machine" in verdict["head"]


@pytest.mark.parametrize(("options", "code"), [((), 2), (("--accept-gone",), 0)], ids=["vanished", "accepted"])
def test_a_case_that_vanished_is_never_green_unless_it_may(
    compare: Compare, options: tuple[str, ...], code: int
) -> None:
    exit_code, verdict = compare(4, *options, cases=1)
    assert exit_code == code
    assert [row["verdict"] for row in verdict["verdicts"] if not row["metric"]] == ["gone"]


def test_a_case_that_failed_is_never_green(compare: Compare) -> None:
    failed = {"name": "bench_epoch[images-workers=9]", "bench": "epoch", "settings": {}, "reason": "Killed."}
    code, verdict = compare(4, failed=[failed])
    assert code == 2
    assert "failed" in {row["verdict"] for row in verdict["verdicts"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "--head", "there"), "nowhere"),
        (("a", "b", "c"), "say which are head's with --head"),
        (("",), "is compared with nothing"),
    ],
    ids=["no file", "which is head", "one run"],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(word if word.startswith("--") else str(tmp_path / word) for word in arguments)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
