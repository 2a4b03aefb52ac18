"""Does the gate decide on a noisy machine? Whole gates on made-up blocks, planned and judged as real ones are.

The machine is made up (`prove/noisy_blocks.py`): rounds drift by 3 %, blocks differ by 1.5 %, and *noisy*, bursts of 5
to 50 ms take 10 % of the time; *contended*, cores are half as fast for 60 % of it, 100 ms at a time. What its blocks
cost is an assumption; what they cost on yours, ``loaderbench gate`` shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.gate.calibration.replayed_gates import Pool, Rate, RecordedBlock, coverage
from loaderbench.reports.gate.estimate import CHANGES
from loaderbench.reports.gate.paired_effects import chosen
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.verdicts import CaseVerdict
from prove.goals import Goal, Topic
from prove.noisy_blocks import MadeUpCosts, Noise, NoisyMachine
from prove.scope import Measured, Scope

NOISES = {"noisy": Noise(between=0.015, bursts=0.1), "contended": Noise(between=0.015, slow=0.6)}
GATES = 125
VARIED = 32  # gates of each variant and question
BLOCKS = 130  # of which intervals are drawn
COVERED = {"pss_bytes": "memory", "stall_share": "stall share"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NoisyQuestion:
    """What gates of a budget and a margin are to say of code that is slower by a share, beside some noise."""

    noise: str
    what: str
    verdict: str
    budget_s: float
    slower: float = 0.0
    margin: float = 0.03
    goal: float = 0.95

    @property
    def name(self) -> str:
        """Return what is measured."""
        return f"{self.noise} gate: {self.what}"


def _questions(noise: str) -> Iterator[NoisyQuestion]:
    asked = partial(NoisyQuestion, noise=noise)
    unchanged = "identical code, figures called unchanged"
    yield asked(what=f"{unchanged}, 2 min, margin 5 %", verdict="unchanged", budget_s=120, margin=0.05, goal=0.9)
    yield asked(what=f"{unchanged}, 5 min, margin 3 %", verdict="unchanged", budget_s=300, goal=0.9)
    yield asked(what="+10 % found in 1 min", verdict="regressed", budget_s=60, slower=0.10)
    yield asked(what="+5 % found in 2.5 min", verdict="regressed", budget_s=150, slower=0.05)


QUESTIONS = tuple(question for noise in NOISES for question in _questions(noise))
CHANGED = {
    question.name: question.name.replace("figures called unchanged", "cases called changed")
    for question in QUESTIONS
    if not question.slower
}


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return how often each question is answered as it should be, and how often intervals hold the truth."""
    rng = np.random.default_rng(20261127)
    rates: dict[str, Rate] = {}
    for question in QUESTIONS:
        verdicts = [verdict for _ in range(scope.of(GATES, 1)) for verdict in _gate(question, rng)]
        rates[question.name] = Rate.among(verdict.verdict == question.verdict for verdict in verdicts)
        if question.name in CHANGED:
            rates[CHANGED[question.name]] = Rate.among(verdict.verdict in CHANGES for verdict in verdicts)
    covered = coverage(uneven_pool(rng), 6, rng, draws=scope.of(4000, 100))
    rates |= {_holds(metric): covered[metric] for metric in COVERED}
    return {what: Measured(value=rate.share, note=f"{rate.count} of {rate.of}") for what, rate in rates.items()}


def _gate(question: NoisyQuestion, rng: np.random.Generator, **how: Any) -> list[CaseVerdict]:
    """Return the verdicts of a gate; `how` are attributes of the machine, where they are not as usual."""
    machine = NoisyMachine(noise=NOISES[question.noise], rng=rng, slower=float(np.log1p(question.slower)), **how)
    return machine.gate(Plan(budget_s=question.budget_s, margin=question.margin)).verdicts()


def details(scope: Scope) -> Sequence[Table]:
    """Return what short rounds, the choice of the estimate and cheaper blocks are worth, each by itself."""
    columns = (Column(label="a gate of 1 minute", wide=True), *(Column(label=label) for label in _compared()))
    rows = [
        (variant, *(_found(question, scope, **how) for question in _compared().values()))
        for variant, how in VARIANTS.items()
    ]
    return [Table(columns=columns, rows=tuple(tuple(Cell(text=text) for text in row) for row in rows))]


def _compared() -> Mapping[str, NoisyQuestion]:
    """Return by label: +10 % that is to be found, and identical code that is not to be called changed."""
    asked = partial(NoisyQuestion, what="", verdict="regressed", budget_s=60)
    found = {f"{noise}: +10 % found": asked(noise=noise, slower=0.10) for noise in NOISES}
    return found | {f"{noise}: identical code called changed": asked(noise=noise) for noise in NOISES}


def _found(question: NoisyQuestion, scope: Scope, **how: Any) -> str:
    rng = np.random.default_rng(20261127)
    verdicts = [verdict for _ in range(scope.of(VARIED, 1)) for verdict in _gate(question, rng, **how)]
    rate = Rate.among(verdict.verdict in CHANGES for verdict in verdicts)
    return f"{rate.count} of {rate.of}"


def _by_halves(rows: pd.DataFrame) -> pd.DataFrame:
    return chosen(rows.assign(halves_vary_more=-1.0))


def _by_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    return chosen(rows.assign(halves_vary_more=1.0))


LONG = MadeUpCosts(round_s=0.036)
HALF = MadeUpCosts(start_s=0.3, servers_s=0.65, set_up_s=0.1, control_s=0.15)  # the usual ones, but the rounds
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "the faster halves alone": {"choose": _by_halves},
    "pairs of rounds alone": {"choose": _by_pairs},
    "rounds of 36 ms": {"costs": LONG},
    "rounds of 36 ms, the faster halves alone": {"costs": LONG, "choose": _by_halves},
    "what is not rounds costs half": {"costs": HALF},
}


def uneven_pool(rng: np.random.Generator) -> Pool:
    """Return blocks of identical code whose memory grows by steps, and whose stall share is skewed."""
    return Pool(name="identical", blocks=tuple(_uneven_block(rng) for _ in range(BLOCKS)))


def _uneven_block(rng: np.random.Generator) -> RecordedBlock:
    effects = pd.DataFrame(list(_uneven_effects(rng)), columns=["case", "metric", "effect"])
    return RecordedBlock(seconds=10.0, spans={}, effects=effects.assign(base=1.0, head=1.0))


def _uneven_effects(rng: np.random.Generator) -> Iterator[tuple[str, str, float]]:
    for case in ("a", "b"):
        base, head = 1e8 * np.exp(rng.normal(0, 0.005, 2)) + 1e6 * rng.poisson(0.5, 2)
        yield f"memory[{case}]", "pss_bytes", float(np.log(head / base))
        base, head = 0.3 * rng.beta(2, 8, 2)
        yield f"training[{case}]", "stall_share", float(head - base)


def _holds(metric: str) -> str:
    return f"noisy gate: 95 % intervals of {COVERED[metric]} that hold the truth, 6 blocks"


TOPIC = Topic(
    name="noisy-gates",
    goals=(
        *(Goal(what=changed, unit="share", at_most=0.01) for changed in CHANGED.values()),
        *(Goal(what=question.name, unit="share", at_least=question.goal) for question in QUESTIONS),
        *(Goal(what=_holds(metric), unit="share", at_least=0.93, at_most=0.97) for metric in COVERED),
    ),
    measure=measure,
    details=details,
    minutes=4,
    is_arithmetic=True,
)
