"""Does the gate err as seldom as it says, and find what it should? Gates replayed on blocks whose truth is known.

The blocks vary as those that ``loaderbench calibrate`` recorded: a standard deviation of 2 % between blocks, 14 s each,
eight cases and a control. Whole gates on code of your own machine are what ``loaderbench calibrate`` measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loaderbench.reports.gate.calibration.replayed_gates import Pool, RecordedBlock, coverage, outcome
from loaderbench.reports.gate.plan import Plan
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

CASES = tuple(f"epoch[{name}]" for name in "abcdefgh")
CONTROL = "control[sleep]"
BLOCK_S = 14.0
SPREAD = 0.02  # standard deviation of a block's log ratio
CONTROL_SPREAD = 0.001
BLOCKS = 130  # as many as 30 minutes hold
GATES = 125


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Code that takes longer by the share `slower`, what it is to be called, and how long a gate on it may take."""

    what: str
    slower: float
    expected: str
    budget_s: float
    found: float  # the share of cases that is to be found
    margin: float = 0.03


EFFECTS = (
    Effect(what="gate: +10 % found in 2 min", slower=0.10, expected="regressed", budget_s=120, found=0.95),
    Effect(what="gate: +5 % found in 5 min", slower=0.05, expected="regressed", budget_s=300, found=0.95),
    Effect(
        what="gate: +3 % found in 15 min, margin 1 %",
        slower=0.03,
        expected="regressed",
        budget_s=900,
        found=0.9,
        margin=0.01,
    ),
    Effect(what="gate: −10 % found in 2 min", slower=-0.10, expected="improved", budget_s=120, found=0.95),
)
FALSE_CASES = "gate: identical code, cases called changed, 5 min"
FALSE_GATES = "gate: identical code, gates with a regression, 5 min"
COVERAGE = "gate: 95 % intervals that hold the truth, 6 blocks"


def pool(rng: np.random.Generator, *, slower: float = 0.0, expected: str = "", blocks: int = BLOCKS) -> Pool:
    """Return generated blocks of base and head, head slower by a factor of ``exp(slower)``."""
    generated = tuple(_block(rng, slower) for _ in range(blocks))
    return Pool(name=f"head slower by {slower:.0%}", expected=expected, blocks=generated)


def _block(rng: np.random.Generator, slower: float) -> RecordedBlock:
    effects = [(case, "samples_per_s", rng.normal(-slower, SPREAD)) for case in CASES]
    effects.append((CONTROL, "seconds", rng.normal(0, CONTROL_SPREAD)))
    frame = pd.DataFrame(effects, columns=["case", "metric", "effect"])
    measuring_s = 0.8 * BLOCK_S / len(frame)  # the rest is the start of the processes
    return RecordedBlock(
        seconds=BLOCK_S,
        spans=dict.fromkeys(frame["case"], measuring_s),
        effects=frame.assign(base=1.0, head=np.exp(frame["effect"])),
    )


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return how often identical code is called changed, injected effects are found, and intervals hold the truth."""
    rng = np.random.default_rng(20261126)
    gates = scope.of(GATES, 1)
    identical = outcome(pool(rng), Plan(budget_s=300), gates, rng)
    detected = {
        effect.what: outcome(
            pool(rng, slower=float(np.log1p(effect.slower)), expected=effect.expected),
            Plan(budget_s=effect.budget_s, margin=effect.margin),
            gates,
            rng,
        ).hits
        for effect in EFFECTS
    }
    covered = coverage(pool(rng), 6, rng, draws=scope.of(4000, 100))["samples_per_s"]
    counts = {FALSE_CASES: identical.hits, FALSE_GATES: identical.red, **detected, COVERAGE: covered}
    return {what: Measured(value=rate.share, note=f"{rate.count} of {rate.of}") for what, rate in counts.items()}


TOPIC = Topic(
    name="gates",
    goals=(
        Goal(what=FALSE_CASES, unit="share", at_most=0.01),
        Goal(what=FALSE_GATES, unit="share", at_most=0.05),
        *(Goal(what=effect.what, unit="share", at_least=effect.found) for effect in EFFECTS),
        Goal(what=COVERAGE, unit="share", at_least=0.93, at_most=0.97),
    ),
    measure=measure,
    minutes=2,
    is_arithmetic=True,
)
