"""What the project's own pytest configuration may not do unnoticed."""

from collections.abc import Callable

import pytest

from loaderbench.benches.harness.session.configuration import SIDE_BY_SIDE, why_nothing_was_measured

Suite = Callable[..., pytest.RunResult]
CASES = ("--pyargs", "loaderbench.benches.bench_epoch", "--dataset", "mine:Numbers", "--batch-size", "8")
BRIEF = ("--num-workers", "0", "--rounds", "1", "--round-time", "0", "--run-dir", "run")


def reasons(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("nothing was measured")]


@pytest.mark.parametrize(
    ("option", "words"), [("--benchmark-skip", "skips every case"), ("--benchmark-disable", "without the clock")]
)
def test_what_keeps_a_project_s_tests_fast_is_never_a_green_run_of_benches(
    suite: Suite, pytester: pytest.Pytester, option: str, words: str
) -> None:
    pytester.makeini(f"[pytest]\naddopts = {option}")
    result = suite(*CASES, *BRIEF)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = reasons(result)
    assert option in line
    assert words in line


def test_a_project_s_tests_may_leave_its_benches_out(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_one(): pass")
    result = suite("test_own.py", *CASES, *BRIEF, "--benchmark-skip")
    assert result.ret == 0
    assert not reasons(result)


def test_a_warning_is_no_error_in_a_case_though_it_is_one_in_a_test(suite: Suite, pytester: pytest.Pytester) -> None:
    warning = "import warnings; warnings.warn('odd')"
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makepyfile(test_own=f"def test_one():\n    {warning}")
    pytester.makepyfile(bench_own=f"def bench_own(benchmark, measure):\n    {warning}")
    suite("test_own.py", "bench_own.py", "--run-dir", "run").assert_outcomes(failed=1, passed=1, warnings=1)


def test_cases_side_by_side_fail_in_a_line(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_configure(config): config.workerinput = {}  # as pytest-xdist does")
    result = suite(*CASES, *BRIEF)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert any(SIDE_BY_SIDE in line for line in result.outlines)


def test_why_nothing_was_measured_is_the_reason_of_the_cases_that_were_skipped() -> None:
    assert why_nothing_was_measured(["no model"] * 3, is_disabled=False, is_skipping=False) == (
        "nothing was measured: every case was skipped: no model"
    )
    assert why_nothing_was_measured(["no model", "no GPU"], is_disabled=False, is_skipping=False).endswith(
        "no model (and 1 other reason)"
    )
