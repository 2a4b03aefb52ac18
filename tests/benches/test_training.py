"""bench_training: the loader alone, the step alone, and both."""

from collections.abc import Callable
from typing import Any

import pytest

Benches = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def rounds(benches: Benches) -> list[dict[str, list[float]]]:
    return [case["rounds"] for case in benches("training").values()]


def test_there_is_a_case_for_each_number_of_workers(benches: Benches) -> None:
    assert set(benches("training")) == {"[project.Rows-workers=0]", "[project.Rows-workers=1]"}


def test_every_round_has_the_three_parts(rounds: list[dict[str, list[float]]]) -> None:
    for case in rounds:
        assert len(case["seconds"]) == len(case["loader_seconds"]) == len(case["step_seconds"]) == 2


def test_all_three_parts_are_about_the_same_samples(rounds: list[dict[str, list[float]]]) -> None:
    assert all(case["samples"] == case["loader_samples"] == case["step_samples"] for case in rounds)


def test_the_model_is_one_of_the_settings(benches: Benches) -> None:
    assert all(case["settings"]["model"] == "project:Net" for case in benches("training").values())
