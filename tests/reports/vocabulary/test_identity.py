"""A case is the same wherever it is measured or read."""

import math

import pytest

from loaderbench.reports.vocabulary import case_identity

CASE = {"dataset": "text", "num_workers": 2, "batch_size": None, "pin_memory": True}


@pytest.mark.parametrize(
    "as_read",
    [
        {**CASE, "num_workers": 2.0},  # a column in which another case has none
        {**CASE, "num_workers": "2", "pin_memory": "True"},  # a column that mixes texts with others
        {**CASE, "batch_size": math.nan},
        {name: value for name, value in reversed(CASE.items()) if name != "batch_size"},
    ],
)
def test_a_case_is_the_same_after_a_file_and_a_frame(as_read: dict[str, object]) -> None:
    assert case_identity("epoch", as_read) == case_identity("epoch", CASE)


@pytest.mark.parametrize(
    "other", [{**CASE, "num_workers": 3}, {**CASE, "prefetch_factor": 2}, {**CASE, "batch_size": 1}]
)
def test_another_setting_makes_another_case(other: dict[str, object]) -> None:
    assert case_identity("epoch", other) != case_identity("epoch", CASE)


def test_another_bench_makes_another_case() -> None:
    assert case_identity("memory", CASE) != case_identity("epoch", CASE)


def test_settings_that_are_ignored_do_not_keep_cases_apart() -> None:
    assert case_identity("epoch", {**CASE, "num_workers": 3}, {"num_workers"}) == case_identity(
        "epoch", CASE, {"num_workers"}
    )
