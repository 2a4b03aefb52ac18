"""How often is a recommended setting within 3 % of the true best? Two rules, on made-up costs.

**Simulated**: 0, 1, 2, 4 and 8 workers whose true throughputs are known. *Loaders* are made of what a sample costs to
make and to send and of how much workers slow each other, all drawn; *close settings* lie anywhere up to 10 % below the
best. Each setting has rounds around its truth, with a spread that is drawn for each simulation from 1 % to 10 %.

*Not shown to be worse* takes the smallest setting whose Welch interval (95 %) of the ratio to the fastest reaches 0.98
and stays above 0.8; *shown to be as good* is the rule of `loaderbench.reports.stats.noninferiority`. It is arithmetic:
the machine does not matter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.noninferiority import smallest_as_good, standing
from loaderbench.reports.units import percent
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

Floats = NDArray[np.float64]

WORKERS = np.array([0, 1, 2, 4, 8])
ROUNDS = (3, 5, 9, 15)
SIMULATIONS = 2000
GOOD = "recommendations shown to be as good that are within 3 % of the best, close settings"


def loader(rng: np.random.Generator) -> Floats:
    """Return (k,) logarithms of the throughputs of a made-up loader, one for each of `WORKERS`."""
    make_s, send_s = 10 ** rng.uniform(-5, -2), 10 ** rng.uniform(-5, -3.5)
    slowed = 1 + rng.uniform(0, 0.15) * np.maximum(WORKERS - 1, 0)
    sample_s = np.where(WORKERS == 0, make_s, np.maximum(make_s * slowed / np.maximum(WORKERS, 1), send_s))
    return np.asarray(-np.log(sample_s))


def close(rng: np.random.Generator) -> Floats:
    """Return (k,) logarithms of throughputs that lie up to 10 % below the best, which is one of them."""
    rates = rng.uniform(0.9, 1.0, len(WORKERS))
    return np.asarray(np.log(rates / rates.max()))


KINDS: Mapping[str, Callable[[np.random.Generator], Floats]] = {"loaders": loader, "close settings": close}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Of the simulations: how often either rule is right, how often the new one shows its answer, and then is right."""

    not_worse: float
    as_good: float
    shown: float
    right_if_shown: float


def simulate(kind: str, rounds: int, simulations: int) -> Shares:
    """Return how often the rules are within the margin of the best."""
    rng = np.random.default_rng(20261126)
    right = np.zeros((simulations, 2), dtype=bool)
    shown = np.zeros(simulations, dtype=bool)
    for simulation in range(simulations):
        truth = KINDS[kind](rng)
        logs = truth[:, None] + 10 ** rng.uniform(-2, -1) * rng.standard_normal((len(truth), rounds))
        mean, sd, n = logs.mean(axis=1), logs.std(axis=1, ddof=1), np.full(len(truth), rounds)
        position, shown[simulation] = smallest_as_good(standing(mean, sd, n), mean)
        chosen = [_not_shown_to_be_worse(mean, sd, n), position]
        right[simulation] = np.exp(truth[chosen] - truth.max()) > 1 - MARGIN
    not_worse, as_good = right.mean(axis=0)
    return Shares(
        not_worse=float(not_worse),
        as_good=float(as_good),
        shown=float(shown.mean()),
        right_if_shown=float(right[shown, 1].mean()) if shown.any() else 1.0,
    )


def _not_shown_to_be_worse(mean: Floats, sd: Floats, n: Floats) -> int:
    best = int(mean.argmax())
    variance = sd**2 / n
    sums = variance + variance[best]
    freedom = sums**2 / ((variance**2 + variance[best] ** 2) / (n - 1))
    width = stdtrit(freedom, 0.975) * np.sqrt(sums)
    ratio = mean - mean[best]
    ties = (np.exp(ratio + width) >= 0.98) & (np.exp(ratio - width) >= 0.8)  # noqa: PLR2004 - as the docstring says
    ties[best] = True
    return int(ties.argmax())


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return how often what is said to be as good is so, where that is hardest."""
    shares = simulate("close settings", 9, scope.of(SIMULATIONS, 50))
    return {GOOD: Measured(value=shares.right_if_shown, note=f"shown in {percent(shares.shown)}")}


def details(scope: Scope) -> Sequence[Table]:
    """Return both rules by the kind of settings and the number of rounds."""
    labels = (
        "settings", "rounds", "not shown to be worse: right", "shown to be as good, or the fastest: right",
        "shown", "of those right",
    )  # fmt: skip
    rows = []
    for kind in KINDS:
        for rounds in ROUNDS:
            shares = simulate(kind, rounds, scope.of(SIMULATIONS, 20))
            values = (shares.not_worse, shares.as_good, shares.shown, shares.right_if_shown)
            rows.append(tuple(Cell(text=text) for text in (kind, str(rounds), *map(percent, values))))
    return [Table(columns=tuple(Column(label=label) for label in labels), rows=tuple(rows))]


TOPIC = Topic(
    name="recommendations",
    goals=(Goal(what=GOOD, unit="share", at_least=LEVEL),),
    measure=measure,
    details=details,
    minutes=1,
    is_arithmetic=True,
)
