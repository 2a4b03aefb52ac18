"""bench_memory: what each worker costs."""

from collections.abc import Callable
from typing import Any

import pytest

Benches = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def memory(benches: Benches) -> dict[int, dict[str, list[float]]]:
    """Rounds by number of workers."""
    return {case["settings"]["num_workers"]: case["rounds"] for case in benches("memory").values()}


def added(rounds: dict[str, list[float]]) -> list[float]:
    return [pss - base for pss, base in zip(rounds["pss_bytes"], rounds["base_pss_bytes"], strict=True)]


def test_a_round_tells_the_tree_before_and_during_a_pass(memory: dict[int, dict[str, list[float]]]) -> None:
    columns = {"seconds", "base_pss_bytes", "pss_bytes", "uss_bytes", "shm_bytes"}
    assert all(columns <= set(rounds) for rounds in memory.values())


def test_a_worker_has_memory_of_its_own(memory: dict[int, dict[str, list[float]]]) -> None:
    assert min(memory[1]["worker_pss_bytes"]) > 1 << 20


def test_without_workers_there_is_none(memory: dict[int, dict[str, list[float]]]) -> None:
    assert "worker_pss_bytes" not in memory[0]


def test_a_worker_adds_memory_to_the_tree(memory: dict[int, dict[str, list[float]]]) -> None:
    assert min(added(memory[1])) > max(added(memory[0]))


def test_the_tree_holds_no_less_than_its_workers(memory: dict[int, dict[str, list[float]]]) -> None:
    assert all(
        tree > worker for tree, worker in zip(memory[1]["pss_bytes"], memory[1]["worker_pss_bytes"], strict=True)
    )
