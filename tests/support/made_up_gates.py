"""Made-up comparisons: verdicts that are given, and sequential tests on blocks whose truth is known."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import special

from loaderbench.reports.gate.comparison import Comparison, Setup, of_test, worst_first
from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.gate.paired_effects import effects, is_control
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.gate.verdicts import CaseVerdict

HOSTILE = (
    "epoch[</script><img src=x onerror=\"document.title='owned'\"> | `x` **b** @team ]]> \x1b[2J\u202e\x00 {{7*7}}]"
)
MACHINE = {"cpu_model": "Imaginary 8-Core", "cpus": 8, "memory_bytes": 33_554_432_000, "accelerator": None}
SETUP = Setup(
    kind="gate", base="origin/main (1234abcd)", head="working tree", seed=7,
    command=("loaderbench", "gate", "--base", "origin/main"),
    started="2026-11-24T04:18:00+00:00", version="0.1.0", machine=MACHINE,
)  # fmt: skip
WIDTH = float(special.stdtrit(7, 0.975))  # standard errors from the centre of a 95 % interval to its ends


def estimate_of(
    case: str = "epoch[text-workers=2]",
    metric: str = "samples_per_s",
    *,
    effect: float = -0.2,
    width: float = 0.02,
    base: float = 1000.0,
) -> Estimate:
    """An estimate of 8 blocks whose interval goes `width` to each side."""
    head = base + effect if metric == "stall_share" else base * math.exp(effect)
    return Estimate(
        case=case, metric=metric, blocks=8, base=base, head=head, effect=effect, error=width / WIDTH,
        freedom=7 if math.isfinite(width) else 0, exact_up=0.5, exact_down=0.5,
    )  # fmt: skip


def verdict_of(
    verdict: Any,
    case: str = "epoch[text-workers=2]",
    metric: str = "samples_per_s",
    *,
    why: str = "",
    **numbers: float,
) -> CaseVerdict:
    """A verdict of 8 blocks; without `metric`, on a case that was not measured."""
    if not metric:
        return CaseVerdict(case=case, verdict=verdict, why=why)
    estimate = estimate_of(case, metric, **numbers)
    return CaseVerdict(
        case=case, metric=metric, verdict=verdict, why=why, estimate=estimate, tolerance=estimate.tolerance(0.03)
    )


def block_of(number: int, cases: Mapping[str, float], rng: np.random.Generator, rounds: int = 6) -> dict[str, Any]:
    """A block of passes of about 0.1 s; a case's number is how many times slower head is."""
    samples = []
    for case, slower in {**cases, "control[sleep]": 1.0}.items():
        moment = float(rng.normal(0, 0.1))
        for round_ in range(rounds):
            for revision in rng.permutation(["base", "head"]):
                seconds = 0.1 * math.exp(moment + float(rng.normal(0, 0.01))) * (slower if revision == "head" else 1.0)
                cpu_s = 0.1 * math.exp(float(rng.normal(0, 0.01)))
                about = {"case": case, "revision": str(revision), "round": round_, "place": len(samples)}
                work = {"passes": 1.0} if is_control(case) else {"samples": 100.0, "cpu_s": cpu_s}
                samples.append({**about, "began_s": 0.1, "seconds": seconds, **work})
    seen = {"load": 1.2, "steal_share": 0.001, "throttled_periods": 0.0, "voluntary_switches": 9}
    return {
        "block": number, "seconds": 10.0, "servers": (number + 2) // 3,
        "environment": {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": str(number)},
        "telemetry": {"base": seen, "head": seen}, "faults": {}, "missed": [], "samples": samples, "machine": MACHINE,
    }  # fmt: skip


def add_block(test: SequentialTest, block: dict[str, Any]) -> dict[str, Any]:
    """Tell a test what came of `block`, less the cases that it does not ask for; returns what is left of it."""
    wanted = test.open_cases
    kept = [s for s in block["samples"] if wanted is None or s["case"] in wanted or is_control(s["case"])]
    asked = {**block, "samples": kept}
    test.add(effects([asked]), block["seconds"])
    return asked


def gated(cases: Mapping[str, float], *, new: Sequence[str] = (), gone: Sequence[str] = (), **plan: Any) -> Comparison:
    """A whole gate of cases and how many times slower head is."""
    rng = np.random.default_rng(0)
    test, blocks = SequentialTest(plan=Plan(**{"budget_s": 300.0, **plan})), []
    while not test.is_over:
        blocks.append(add_block(test, block_of(len(blocks) + 1, cases, rng)))
    return of_test(test, blocks, SETUP, new=new, gone=gone)


def comparison_of(*verdicts: CaseVerdict, **more: Any) -> Comparison:
    """A comparison of verdicts, with one block behind it."""
    setup = Setup(**{name: more.pop(name, getattr(SETUP, name)) for name in Setup.__slots__})
    block = block_of(1, {verdict.case: 1.0 for verdict in verdicts}, np.random.default_rng(0), rounds=2)
    return Comparison(
        setup=setup,
        **{"plan": Plan(), "verdicts": worst_first(verdicts), "analyses": (4,), "blocks": (block,), **more},
    )


@pytest.fixture(scope="session")
def verdict() -> Callable[..., CaseVerdict]:
    """Make a verdict: ``verdict("regressed", case, metric, effect=-0.2, width=0.02)``."""
    return verdict_of


@pytest.fixture(scope="session")
def compared() -> Callable[..., Comparison]:
    """Make a comparison of verdicts: ``compared(verdict("unchanged"), strict=True)``."""
    return comparison_of


@pytest.fixture(scope="session")
def measured() -> Comparison:
    """A whole gate: one case that head made slower, one that it left alone, one gone and one new."""
    cases = {"epoch[text-workers=2]": 1.4, "epoch[images-workers=0]": 1.0}
    return gated(cases, new=["epoch[new]"], gone=["epoch[old]"])


@pytest.fixture(scope="session")
def hostile_comparison() -> Comparison:
    """A comparison in which every text of a user's is hostile."""
    verdicts = [verdict_of("regressed", HOSTILE, why=HOSTILE), verdict_of("failed", HOSTILE, "", why=HOSTILE)]
    verdicts += [verdict_of("unchanged", f"{HOSTILE}{number}") for number in range(3)]
    texts = {
        "base": HOSTILE,
        "head": HOSTILE,
        "command": ("loaderbench", "gate", HOSTILE),
        "machine": {"cpu_model": HOSTILE},
    }
    block = {**comparison_of(*verdicts).blocks[0], "faults": {"head": HOSTILE}}
    return comparison_of(*verdicts, **texts, moved=(HOSTILE,), blocks=(block,))
