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

    def run(a_side: int, *options: str, slower: float = 1.0, **block: Any) -> tuple[int, dict[str, Any]]:
        base = [write(trunk(number), f"base{number}") for number in range(a_side)]
        later = range(100, 100 + a_side)
        head = [write(trunk(number, slower=slower, **block), f"head{number}") for number in later]
        sides = [*map(str, base), "--head", *map(str, head)]
        code = main(["compare", *sides, "--out", str(tmp_path / "out"), *options])
        file = tmp_path / "out" / "verdict.json"
        return code, json.loads(file.read_text()) if file.exists() else {}

    return run


def words(verdict: dict[str, Any], metric: str = "samples_per_s") -> set[str]:
    return {row["verdict"] for row in verdict["verdicts"] if row["metric"] == metric}


def test_the_same_code_is_no_regression(compare: Compare) -> None:
    code, verdict = compare(6)
    assert code == 0
    assert words(verdict) <= {"unchanged", "inconclusive"}


@pytest.mark.parametrize(
    ("slower", "word", "code"), [(1.3, "regressed", 1), (1 / 1.3, "improved", 0)], ids=["slower", "faster"]
)
def test_from_several_runs_a_side_on_a_change_is_judged(compare: Compare, slower: float, word: str, code: int) -> None:
    exit_code, verdict = compare(6, slower=slower)
    assert exit_code == code
    assert words(verdict) == {word}


def test_one_run_a_side_is_never_a_verdict_of_regression(compare: Compare) -> None:
    code, verdict = compare(1, slower=3.0)
    assert code == 0
    assert words(verdict) == {"inconclusive"}
    assert "one run a side" in verdict["verdicts"][0]["why"]


def test_what_was_judged_is_in_the_verdict(compare: Compare) -> None:
    _, verdict = compare(5)
    held = [each for each in verdict["values"] if each["metric"] == "samples_per_s"]
    assert {each["side"] for each in held} == {"base", "head"}
    assert {len(each["values"]) for each in held} == {5}


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
        (("a", "b", "c"), "say which are the other side with --head"),
        (("",), "one side alone"),
    ],
    ids=["no file", "which side", "one side"],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(word if word.startswith("--") else str(tmp_path / word) for word in arguments)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
