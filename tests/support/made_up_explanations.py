"""Explanations of loaders that nobody measured: interventions whose gains are known."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.reports.explain.explain_record import (
    DatasetFacts,
    Explanation,
    InterventionFacts,
    LoaderMemory,
    MemoryReadings,
    NotRun,
    PassBlock,
)

RESTARTS = "restarts"


def block_of(cause: str, gain: float, rng: random.Random, with_cause_s: float = 1.0) -> PassBlock:
    """Passes with and without a cause that costs `gain` of them, with noise of 1 %."""
    with_cause = tuple(with_cause_s * rng.gauss(1, 0.01) for _ in range(4))
    without_cause = tuple(with_cause_s * (1 - gain) * rng.gauss(1, 0.01) for _ in range(4))
    return PassBlock(cause=cause, samples=1000, with_cause_s=with_cause, without_cause_s=without_cause)


def intervention_of(cause: str, **facts: Any) -> InterventionFacts:
    return InterventionFacts(cause=cause, evidence=f"why {cause}", change=f"change {cause}", **facts)


def readings_of(*pss_bytes: float) -> MemoryReadings:
    """Readings of processes that held 100 MB before the loader was built."""
    return MemoryReadings(before_pss_bytes=1e8, pss_bytes=pss_bytes, uss_bytes=pss_bytes, peak_shm_bytes=1e6)


def made_up_explanation(
    gains: dict[str, float], *, blocks: int = 6, samples: int = 1000, starts: float = 0.0, **facts: Any
) -> Explanation:
    """An explanation by what of a pass each cause costs; `starts`: seconds that workers take to start."""
    rng = random.Random(0)
    interventions = [intervention_of(cause) for cause in gains]
    measured = [block_of(cause, gain, rng) for cause, gain in gains.items() for _ in range(blocks)]
    if starts:
        interventions.append(intervention_of(RESTARTS, once_per_epoch=True, keeps_workers=True))
        measured += [block_of(RESTARTS, starts / (starts + 0.1), rng, starts + 0.1) for _ in range(blocks)]
    given = {
        "schema": Explanation.SCHEMA,
        "budget_s": 60.0,
        "version": "0",
        "started": "2026-11-25T01:00:00",
        "command": ("loaderbench", "explain"),
        "seed": 1,
        "machine": {"cpu_model": "Imaginary"},
        "loader": {"num_workers": 2},
        "dataset": DatasetFacts(name="mine:Train", samples=samples, samples_read=1000),
        "time_shares": {"wait_fetch_s": 0.7, "wait_collate_s": 0.3},
        "interventions": tuple(interventions),
        "not_run": (NotRun(cause="pinning", reason="no accelerator here"),),
        "blocks": tuple(measured),
        "memory": LoaderMemory(readings=readings_of(*[1e8] * 13), expected_shm_bytes=2e6),
    }
    return Explanation(**(given | facts))


@pytest.fixture
def explained() -> Callable[..., Explanation]:
    """An explanation by what of a pass each cause costs."""
    return made_up_explanation
