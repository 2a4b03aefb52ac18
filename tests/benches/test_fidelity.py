"""bench_fidelity: truth by construction, beside what was read. How near they are is for ``make prove`` to say."""

from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.bench_fidelity import PARTS, TIMES

AWAKE = [quantity for quantity in TIMES if "sleep" not in quantity]  # sleeping takes the tests' time, too


@pytest.fixture(scope="module")
def cases(within: Callable[..., list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The ``extra_info`` of each quantity, read once."""
    brief = ("-k", "not sleep and not text", "--rounds", "1", "--round-time", "0")
    measured = within("loaderbench.benches.bench_fidelity", *brief)
    return {case["extra_info"]["settings"]["quantity"]: case["extra_info"] for case in measured}


@pytest.fixture(scope="module")
def rounds(cases: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Known and measured value of the only round."""
    return {quantity: {name: column[0] for name, column in case["rounds"].items()} for quantity, case in cases.items()}


def test_every_quantity_is_measured(rounds: dict[str, dict[str, float]]) -> None:
    assert {*AWAKE, *PARTS, "overhead: table, 0 workers"} < set(rounds)


def test_truth_stands_beside_every_reading(rounds: dict[str, dict[str, float]]) -> None:
    assert all(case["truth"] > 0 and case["measured"] > 0 for case in rounds.values())


def test_bytes_of_a_batch_are_read_exactly(rounds: dict[str, dict[str, float]]) -> None:
    case = rounds["64 samples of 10 kB: bytes in a batch"]
    assert case["measured"] == case["truth"] == 640_000


def test_a_reading_says_its_unit(cases: dict[str, dict[str, Any]]) -> None:
    assert {case["facts"]["unit"] for case in cases.values()} == {"s", "B"}
