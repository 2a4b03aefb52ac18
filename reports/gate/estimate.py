"""Verdicts: from effects, one a block, to regressed, improved, unchanged, or an honest inconclusive.

The unit is the block, a fresh pair of processes, and blocks are dear: a gate has five to ten of them. Two things make
so few suffice. The spread of a case is shrunk towards that of all cases of the same metric, as far as they are alike
(G. K. Smyth, "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3, 2004), which lends it their
degrees of freedom. From eight blocks on the centre is a trimmed mean with a Winsorized spread (J. W. Tukey,
D. H. McLaughlin, Sankhya A 25, 1963), so that what a neighbour on the machine spoiled counts as one block, not as a
verdict. False discoveries are limited over everything judged at once (Y. Benjamini, Y. Hochberg, J. R. Statist. Soc. B
57, 1995), each direction apart; and an exact test of signed ranks (F. Wilcoxon, 1945) must agree in the end.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.gate.paired_effects import CONTROL, Judged, judged
from loaderbench.reports.stats.significance import discoveries, one_sided, signed_ranks

Word = Literal["regressed", "improved", "unchanged", "inconclusive", "unproven", "new", "gone", "failed"]

TRIM = 0.125  # of the blocks, on each side, at most
LEVEL = 0.95
EXACT = 0.02  # what the exact test must reach before a verdict of change
FEWEST = 3  # blocks for any verdict
ALIKE = 3  # cases of a metric, before they say anything of each other
CHANGED: tuple[Word, ...] = ("regressed", "improved")
POWER = 0.95  # at which a minimum detectable effect is stated
_STRICT = 0.01  # and the error, one-sided

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What the blocks say of one metric of one case; effects are log ratios, or differences of a share."""

    case: str
    metric: str
    blocks: int
    effect: float
    low: float
    high: float
    error: float  # standard error
    freedom: float
    p_worse: float  # one-sided: that so much for the worse is chance
    p_better: float
    exact_worse: float
    exact_better: float
    base: float  # medians over blocks, in the metric's unit
    head: float

    @property
    def quantity(self) -> Judged:
        """How the metric is compared."""
        return next(each for each in judged(self.case) if each.name == self.metric)

    @property
    def slowdown(self) -> float:
        """The effect, positive for the worse."""
        return self.effect * self.quantity.worse

    @property
    def detectable(self) -> float:
        """The least change for the worse that so many blocks find in 95 of 100 comparisons, at an error of 1 %."""
        if not self.freedom:
            return math.inf
        return float(special.stdtrit(self.freedom, 1 - _STRICT) + special.stdtrit(self.freedom, POWER)) * self.error

    def tolerance(self, margin: float) -> float:
        """What is practically too small to care about, as an effect: `margin` (0.03 is 3 %), or the metric's floor."""
        if self.quantity.scale == "difference":
            return self.quantity.floor
        relative = math.log1p(margin * self.quantity.margins)
        floor = math.log1p(self.quantity.floor / self.base) if self.base > 0 else 0.0
        return max(relative, floor)

    def chance(self, word: Word) -> float:
        """One-sided: that so much is chance, where `word` is regressed or improved."""
        return self.p_worse if word == "regressed" else self.p_better

    def exact(self, word: Word) -> float:
        """The same, by signed ranks."""
        return self.exact_worse if word == "regressed" else self.exact_better

    def is_beyond(self, word: Word, margin: float) -> bool:
        """Whether the effect is so large that it matters, in the direction of `word`."""
        return self.slowdown * (1 if word == "regressed" else -1) >= self.tolerance(margin)

    def is_within(self, margin: float) -> bool:
        """Whether the whole interval is too small to care about."""
        tolerance = self.tolerance(margin)
        return -tolerance < self.low and self.high < tolerance


def estimate(effects: pd.DataFrame, like: pd.DataFrame | None = None) -> list[Estimate]:
    """Estimates of every case and metric in `effects` (case, metric, block, effect, base, head).

    `like` holds the effects that tell how much cases of a metric vary; `effects` themselves where it is None.
    """
    usual = priors(effects if like is None else like)
    return [
        _estimate(case, metric, held, Prior() if is_control(case) else usual.get(metric, Prior()))
        for case, metric, held in _held(effects)
    ]


def _held(effects: pd.DataFrame) -> Iterator[tuple[str, str, Floats]]:
    """Of every case and metric: effect, base and head, a row for each block."""
    numbers = effects[["effect", "base", "head"]].to_numpy(np.float64)
    for name, rows in effects.groupby(["case", "metric"], sort=False).indices.items():
        case, metric = cast("tuple[object, object]", name)
        yield str(case), str(metric), numbers[rows]


def _estimate(case: str, metric: str, held: Floats, prior: "Prior") -> Estimate:
    values = held[:, 0]
    effect, error, freedom = prior.shrunk(*trimmed(values))
    width = float(special.stdtrit(freedom, 0.5 + LEVEL / 2)) * error if freedom else math.inf
    sign = next(each for each in judged(case) if each.name == metric).worse
    p_up, p_down = one_sided(effect, error, freedom)
    ranks_up, ranks_down = signed_ranks(values)
    return Estimate(
        case=case,
        metric=metric,
        blocks=len(values),
        effect=effect,
        low=effect - width,
        high=effect + width,
        error=error,
        freedom=freedom,
        p_worse=p_up if sign > 0 else p_down,
        p_better=p_down if sign > 0 else p_up,
        exact_worse=ranks_up if sign > 0 else ranks_down,
        exact_better=ranks_down if sign > 0 else ranks_up,
        base=float(np.median(held[:, 1])),
        head=float(np.median(held[:, 2])),
    )


def unpaired(case: str, quantity: Judged, base: Floats, head: Floats, *, runs: int) -> Estimate:
    """The estimate where blocks have no pairs: Welch's t on two sets of values, and the exact test of rank sums.

    B. L. Welch, Biometrika 34 (1947); H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18 (1947).
    """
    logs = [np.log(side) if quantity.scale == "ratio" else side for side in (base, head)]
    effect = float(logs[1].mean() - logs[0].mean())
    parts = [float(side.var(ddof=1)) / len(side) if len(side) > 1 else math.inf for side in logs]
    error = math.sqrt(sum(parts))
    finite = 0 < error < math.inf
    freedom = error**4 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, logs, strict=True)) if finite else 0
    p_up, p_down = one_sided(effect, error, freedom)
    ranks_up, ranks_down = (
        float(stats.mannwhitneyu(logs[1], logs[0], alternative=way, method="exact").pvalue)
        for way in ("greater", "less")
    )
    width = float(special.stdtrit(freedom, 0.5 + LEVEL / 2)) * error if freedom else math.inf
    up_is_worse = quantity.worse > 0
    return Estimate(
        case=case,
        metric=quantity.name,
        blocks=runs,
        effect=effect,
        low=effect - width,
        high=effect + width,
        error=error,
        freedom=freedom,
        p_worse=p_up if up_is_worse else p_down,
        p_better=p_down if up_is_worse else p_up,
        exact_worse=ranks_up if up_is_worse else ranks_down,
        exact_better=ranks_down if up_is_worse else ranks_up,
        base=float(np.median(base)),
        head=float(np.median(head)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """How much cases of a metric usually vary: a variance of one block, and what degrees of freedom it is worth."""

    variance: float = 0.0
    freedom: float = 0.0  # 0: they say nothing of each other; infinite: they are all alike
    most: float = math.inf  # degrees of freedom of all of them together

    def shrunk(self, effect: float, error: float, freedom: float) -> tuple[float, float, float]:
        """An effect, its error shrunk towards the usual one, and the degrees of freedom it then has."""
        if not self.freedom or not freedom:
            return effect, error, freedom
        blocks = freedom + 1
        mine = error**2 * blocks
        weight = 1.0 if math.isinf(self.freedom) else self.freedom / (self.freedom + freedom)
        return (
            effect,
            math.sqrt((weight * self.variance + (1 - weight) * mine) / blocks),
            min(self.freedom + freedom, self.most),
        )


def priors(effects: pd.DataFrame) -> dict[str, Prior]:
    """How much the cases of each metric usually vary; the controls are cases of their own kind."""
    found: dict[str, list[tuple[float, float]]] = {}
    for case, metric, held in _held(effects):
        _, error, freedom = trimmed(held[:, 0])
        if freedom and error > 0 and not is_control(case):
            found.setdefault(metric, []).append((error**2 * (freedom + 1), freedom))
    return {metric: _prior(np.array(each)) for metric, each in found.items() if len(each) >= ALIKE}


def _prior(cases: Floats) -> Prior:
    """Smyth's moments of log variances: what is left of their spread beyond chance is how unlike the cases are."""
    variances, freedoms = cases[:, 0], cases[:, 1]
    centred = np.log(variances) - special.digamma(freedoms / 2) + np.log(freedoms / 2)
    mean = float(centred.mean())
    beyond = float(centred.var(ddof=1) - special.polygamma(1, freedoms / 2).mean())
    most = float(freedoms.sum())
    if beyond <= 0:
        return Prior(variance=math.exp(mean), freedom=math.inf, most=most)
    half = _inverse_trigamma(beyond)
    return Prior(variance=math.exp(mean + special.digamma(half) - math.log(half)), freedom=2 * half, most=most)


def _inverse_trigamma(value: float) -> float:
    """Newton's method on the reciprocal, which is nearly straight (Smyth 2004, appendix)."""
    found = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, found))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, found))
        found += step
        if -step / found < 1e-8:  # noqa: PLR2004 - far below what the variances themselves are known to
            break
    return found


def trimmed(values: Floats) -> tuple[float, float, float]:
    """Trimmed mean, its standard error from the Winsorized spread, and the degrees of freedom (0: no spread known)."""
    n, ordered = len(values), np.sort(values)
    cut = int(TRIM * n)
    kept = n - 2 * cut
    mean = float(ordered[cut : n - cut].mean())
    if kept < 2:  # noqa: PLR2004 - one value has no spread
        return mean, math.inf, 0
    spread = float(np.clip(ordered, ordered[cut], ordered[n - cut - 1]).std(ddof=1))
    return mean, spread * math.sqrt((n - 1) / (kept * (kept - 1))), kept - 1


def is_control(case: str) -> bool:
    """Whether a case is there to show that the machine did not change."""
    return case.startswith(f"{CONTROL}[")


def suspects(estimates: Sequence[Estimate], margin: float, rate: float) -> dict[tuple[str, str], Word]:
    """What looks regressed or improved: found at the false-discovery rate, and beyond the margin."""
    found: dict[tuple[str, str], Word] = {}
    for word in CHANGED:
        called = discoveries([each.chance(word) for each in estimates], rate)
        for each, is_found in zip(estimates, called, strict=True):
            if is_found and each.is_beyond(word, margin):
                found[each.case, each.metric] = word
    return found
