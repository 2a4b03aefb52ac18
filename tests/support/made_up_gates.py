"""Hand-made judgements: rows whose words are given, and trials on blocks whose truth is known."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from loaderbench.reports.gate.comparison import About, Judgement, Row, judgement, ordered
from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.gate.sequential import Plan, Trial

HOSTILE = (
    "epoch[</script><img src=x onerror=\"document.title='owned'\"> | `x` **b** @team ]]> \x1b[2J\u202e\x00 {{7*7}}]"
)
MACHINE = {"cpu_model": "Imaginary 8-Core", "cpus": 8, "memory_bytes": 33_554_432_000, "accelerator": None}
ABOUT = About(
    kind="gate", base="origin/main (1234abcd)", head="working tree", command=("gate", "--base", "origin/main"), seed=7,
    started="2026-11-24T04:18:00+00:00", version="0.2.0", machine=MACHINE,
)  # fmt: skip


def row_of(
    word: Any,
    case: str = "epoch[text-workers=2]",
    metric: str = "samples_per_s",
    *,
    effect: float = -0.2,
    width: float = 0.02,
    base: float = 1000.0,
    why: str = "",
) -> Row:
    """A row of 8 blocks; without `metric`, a case that was not measured."""
    if not metric:
        return Row(case=case, word=word, why=why)
    head = base + effect if metric == "stall_share" else base * math.exp(effect)
    found = Estimate(
        case=case, metric=metric, blocks=8, effect=effect, low=effect - width, high=effect + width, error=width / 2.4,
        freedom=7 if math.isfinite(width) else 0, p_worse=0.5, p_better=0.5, exact_worse=0.5, exact_better=0.5,
        base=base, head=head,
    )  # fmt: skip
    return Row(case=case, metric=metric, word=word, why=why, estimate=found, tolerance=found.tolerance(0.03))


def block_of(number: int, cases: Mapping[str, float], rng: np.random.Generator, rounds: int = 6) -> dict[str, Any]:
    """A block of passes of about 0.1 s; a case's number is how many times slower head is."""
    samples = []
    for case, slower in {**cases, "control[sleep]": 1.0}.items():
        moment = float(rng.normal(0, 0.1))
        for round_ in range(rounds):
            for side in rng.permutation(["base", "head"]):
                seconds = 0.1 * math.exp(moment + float(rng.normal(0, 0.01))) * (slower if side == "head" else 1.0)
                cpu_s = 0.1 * math.exp(float(rng.normal(0, 0.01)))
                about = {"case": case, "side": str(side), "round": round_, "place": len(samples), "began_s": 0.1}
                samples.append({**about, "seconds": seconds, "samples": 100.0, "cpu_s": cpu_s, "passes": 1.0})
    seen = {"load": 1.2, "steal_share": 0.001, "throttled_periods": 0.0, "voluntary_switches": 9}
    return {
        "block": number, "seconds": 10.0, "environment": {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": str(number)},
        "telemetry": {"base": seen, "head": seen}, "faults": {}, "missed": [], "samples": samples, "machine": MACHINE,
    }  # fmt: skip


def trial_of(cases: Mapping[str, float], *, seed: int = 0, **plan: Any) -> Trial:
    """A trial of up to 30 blocks, not yet run."""
    rng = np.random.default_rng(seed)
    blocks = (block_of(number, cases, rng) for number in range(1, 100))

    def measure(keys: set[str] | None) -> dict[str, Any]:
        block = next(blocks)
        kept = [s for s in block["samples"] if keys is None or s["case"] in keys or s["case"].startswith("control[")]
        return {**block, "samples": kept}

    return Trial(plan=Plan(**{"budget_s": 300.0, **plan}), measure=measure)


def gated(cases: Mapping[str, float], *, new: Sequence[str] = (), gone: Sequence[str] = (), **plan: Any) -> Judgement:
    trial = trial_of(cases, **plan)
    trial.run()
    return judgement(trial, ABOUT, new=new, gone=gone)


def held_of(*rows: Row, **more: Any) -> Judgement:
    """A judgement of rows, with one block behind it."""
    about = About(**{name: more.pop(name, getattr(ABOUT, name)) for name in About.__slots__})
    block = block_of(1, {row.case: 1.0 for row in rows}, np.random.default_rng(0), rounds=2)
    return Judgement(about=about, **{"plan": Plan(), "rows": ordered(rows), "looks": (4,), "blocks": (block,), **more})


@pytest.fixture(scope="session")
def row() -> Callable[..., Row]:
    """Make a row: ``row("regressed", case, metric, effect=-0.2, width=0.02)``."""
    return row_of


@pytest.fixture(scope="session")
def held() -> Callable[..., Judgement]:
    """Make a judgement of rows: ``held(row("unchanged"), strict=True)``."""
    return held_of


@pytest.fixture(scope="session")
def trial() -> Callable[..., Trial]:
    """Make a trial of cases and how many times slower head is: ``trial({"epoch[a]": 1.3})``."""
    return trial_of


@pytest.fixture(scope="session")
def measured() -> Judgement:
    """A whole gate: one case that head made slower, one that it left alone, one gone and one new."""
    cases = {"epoch[text-workers=2]": 1.4, "epoch[images-workers=0]": 1.0}
    return gated(cases, new=["epoch[new]"], gone=["epoch[old]"])


@pytest.fixture(scope="session")
def hostile() -> Judgement:
    """A judgement in which every text of a user's is hostile."""
    rows = [row_of("regressed", HOSTILE, why=HOSTILE), row_of("failed", HOSTILE, "", why=HOSTILE)]
    rows += [row_of("unchanged", f"{HOSTILE}{number}") for number in range(3)]
    texts = {"base": HOSTILE, "head": HOSTILE, "command": ("gate", HOSTILE), "machine": {"cpu_model": HOSTILE}}
    made = held_of(*rows, **texts, moved=(HOSTILE,))
    block = {**made.blocks[0], "faults": {"head": HOSTILE}}
    return held_of(*rows, **texts, moved=(HOSTILE,), blocks=(block,))
