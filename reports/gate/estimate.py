"""Estimates: from effects, one a block, to how much a case changed and how sure that is.

The unit of inference is the block, a fresh pair of processes, and blocks are expensive: a gate has five to ten of them.
Two things make them suffice. The spread of a case is shrunk towards that of all cases of the same metric, as far as
they are alike (G. K. Smyth, "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3, 2004), which
lends it their degrees of freedom. From eight blocks on the centre is a trimmed mean with a Winsorized spread
(J. W. Tukey, D. H. McLaughlin, Sankhya A 25, 1963), so that other work on the machine spoils one block, not a verdict.
False discoveries are limited over everything judged at once (Y. Benjamini, Y. Hochberg, J. R. Statist. Soc. B 57,
1995), each direction apart; and an exact test of signed ranks (F. Wilcoxon, 1945) must agree in the end.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import scipy  # type: ignore[import-untyped]  # scipy.stats takes seconds to import: at its first use
from numpy.typing import NDArray
from scipy import special

from loaderbench.reports.gate.paired_effects import is_control, rule_of, worse_sign
from loaderbench.reports.stats.intervals import t_quantile
from loaderbench.reports.stats.significance import discoveries, one_sided, signed_ranks
from loaderbench.reports.vocabulary import METRICS, GateRule

Change = Literal["regressed", "improved"]

CHANGES: tuple[Change, ...] = ("regressed", "improved")
CONTROLS_RATE = 0.01  # of false alarms among the controls, in both directions together
TRIM = 0.125  # of the blocks, at each end, at most
EXACT = 0.02  # the p-value that the exact test must reach before a verdict of change
FEWEST = 3  # blocks for any verdict
ALIKE = 3  # cases of a metric, before their spreads are shrunk towards each other
POWER = 0.95  # at which a least detectable change is stated
_STRICT = 0.01  # and its one-sided error

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """How much a metric of a case changed; effects are log ratios, or differences of a share."""

    case: str
    metric: str
    blocks: int
    base: float  # medians over blocks, in the metric's unit
    head: float
    effect: float
    error: float  # standard error
    freedom: float  # degrees of freedom; 0 where no spread is known
    exact_up: float  # one-sided p-values of an exact test of ranks
    exact_down: float

    @property
    def rule(self) -> GateRule:
        """Return how the metric is compared."""
        return rule_of(self.metric)

    @property
    def unit(self) -> str:
        """Return the unit that base and head are in."""
        return METRICS[self.metric].unit

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % t interval of the effect (Student 1908); infinite where no spread is known."""
        if not self.freedom:
            return -math.inf, math.inf
        width = float(t_quantile(self.freedom)) * self.error
        return self.effect - width, self.effect + width

    @property
    def slowdown(self) -> float:
        """Return the effect, positive for the worse."""
        return self.effect * worse_sign(self.metric)

    @property
    def detectable(self) -> float:
        """Return the least change for the worse that this many blocks find in 95 of 100 comparisons (error: 1 %)."""
        if not self.freedom:
            return math.inf
        return float(special.stdtrit(self.freedom, 1 - _STRICT) + special.stdtrit(self.freedom, POWER)) * self.error

    def tolerance(self, margin: float) -> float:
        """Return the effect that is too small to matter: `margin` (0.03 is 3 %), or the metric's floor."""
        if self.rule.scale == "difference":
            return self.rule.floor
        relative = math.log1p(margin * self.rule.margins)
        floor = math.log1p(self.rule.floor / self.base) if self.base > 0 else 0.0
        return max(relative, floor)

    def p_value(self, change: Change) -> float:
        """Return the one-sided p-value of the t test for `change`."""
        up, down = one_sided(self.effect, self.error, self.freedom)
        return up if self._is_up(change) else down

    def exact_p_value(self, change: Change) -> float:
        """Return the one-sided p-value of the exact test for `change`."""
        return self.exact_up if self._is_up(change) else self.exact_down

    def is_beyond(self, change: Change, margin: float) -> bool:
        """Return whether the effect is so large that it matters, in the direction of `change`."""
        return self.slowdown * (1 if change == "regressed" else -1) >= self.tolerance(margin)

    def is_within(self, margin: float) -> bool:
        """Return whether the whole interval is too small to matter."""
        tolerance, (low, high) = self.tolerance(margin), self.interval
        return -tolerance < low and high < tolerance

    def why_undecided(self, margin: float) -> str:
        """Return why nothing is decided where it neither is within the margin nor was shown to be beyond it."""
        low, high = self.interval
        if not low <= 0 <= high and abs(self.effect) < self.tolerance(margin):
            return "it changed by about as much as the margin"
        return "the interval reaches beyond the margin"

    def numbers(self) -> dict[str, Any]:
        """Return every number of it, for a file."""
        low, high = self.interval
        return {
            **asdict(self),
            "low": low,
            "high": high,
            **{f"p_{change}": self.p_value(change) for change in CHANGES},
            "detectable": self.detectable,
            "scale": self.rule.scale,
        }

    def _is_up(self, change: Change) -> bool:
        return (worse_sign(self.metric) > 0) == (change == "regressed")


def estimates_of(effects: pd.DataFrame, like: pd.DataFrame | None = None) -> list[Estimate]:
    """Return the estimate of every case and metric in `effects` (case, metric, block, effect, base, head).

    `like` holds the effects that tell how much cases of a metric vary; `effects` themselves where it is None.
    """
    usual = priors(effects if like is None else like)
    return [
        _estimate(case, metric, of_blocks, Prior() if is_control(case) else usual.get(metric, Prior()))
        for case, metric, of_blocks in _by_case(effects)
    ]


def _by_case(effects: pd.DataFrame) -> Iterator[tuple[str, str, Floats]]:
    """Yield for every case and metric its effect, base and head, (blocks, 3)."""
    numbers = effects[["effect", "base", "head"]].to_numpy(np.float64)
    for name, rows in effects.groupby(["case", "metric"], sort=False).indices.items():
        case, metric = cast("tuple[object, object]", name)
        yield str(case), str(metric), numbers[rows]


def _estimate(case: str, metric: str, of_blocks: Floats, prior: "Prior") -> Estimate:
    effect, error, freedom = prior.shrunk(*trimmed(of_blocks[:, 0]))
    exact_up, exact_down = signed_ranks(of_blocks[:, 0])
    base, head = np.median(of_blocks[:, 1:], axis=0)
    return Estimate(
        case=case, metric=metric, blocks=len(of_blocks), base=float(base), head=float(head), effect=effect, error=error,
        freedom=freedom, exact_up=exact_up, exact_down=exact_down,
    )  # fmt: skip


def unpaired(case: str, metric: str, base: Floats, head: Floats, *, runs: int) -> Estimate:
    """Return the estimate where blocks have no pairs: Welch's t of two sets of values, and the exact test of rank sums.

    B. L. Welch, Biometrika 34 (1947); H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18 (1947).
    """
    logs = [np.log(values) if rule_of(metric).scale == "ratio" else values for values in (base, head)]
    error = math.hypot(*(float(scipy.stats.sem(values)) if len(values) > 1 else math.inf for values in logs))
    freedom = 0.0
    if error == 0:  # each revision measured the same every time
        freedom = len(base) + len(head) - 2
    elif error < math.inf:
        freedom = float(scipy.stats.ttest_ind(logs[1], logs[0], equal_var=False).df)
    exact_up, exact_down = (
        float(scipy.stats.mannwhitneyu(logs[1], logs[0], alternative=way, method="exact").pvalue)
        for way in ("greater", "less")
    )
    return Estimate(
        case=case, metric=metric, blocks=runs, base=float(np.median(base)), head=float(np.median(head)),
        effect=float(logs[1].mean() - logs[0].mean()), error=error,
        freedom=freedom,
        exact_up=exact_up, exact_down=exact_down,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """How much cases of a metric usually vary: a variance of one block, and what degrees of freedom it is worth."""

    variance: float = 0.0
    freedom: float = 0.0  # 0: they say nothing of each other; infinite: they are all alike
    most: float = math.inf  # degrees of freedom of all of them together

    def shrunk(self, effect: float, error: float, freedom: float) -> tuple[float, float, float]:
        """Return an effect, its error shrunk towards the usual one, and the degrees of freedom it then has."""
        if not self.freedom or not freedom:
            return effect, error, freedom
        blocks = freedom + 1
        weight = 1.0 if math.isinf(self.freedom) else self.freedom / (self.freedom + freedom)
        variance = weight * self.variance + (1 - weight) * error**2 * blocks
        return effect, math.sqrt(variance / blocks), min(self.freedom + freedom, self.most)


def priors(effects: pd.DataFrame) -> dict[str, Prior]:
    """Return how much the cases of each metric usually vary; the controls, cases of another kind, are left out."""
    spreads: dict[str, list[tuple[float, float]]] = {}
    for case, metric, of_blocks in _by_case(effects):
        _, error, freedom = trimmed(of_blocks[:, 0])
        if freedom and error > 0 and not is_control(case):
            spreads.setdefault(metric, []).append((error**2 * (freedom + 1), freedom))
    return {metric: _prior(np.array(cases)) for metric, cases in spreads.items() if len(cases) >= ALIKE}


def _prior(cases: Floats) -> Prior:
    """Smyth's moments of log variances: the spread of them beyond sampling error is how unlike the cases are."""
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
    inverse = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, inverse))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, inverse))
        inverse += step
        if -step / inverse < 1e-8:  # noqa: PLR2004 - far below what the variances themselves are known to
            break
    return inverse


def trimmed(values: Floats) -> tuple[float, float, float]:
    """Return trimmed mean, its standard error by the Winsorized spread, and degrees of freedom (0: no spread known)."""
    n, ordered = len(values), np.sort(values)
    cut = int(TRIM * n)
    kept = n - 2 * cut
    mean = float(ordered[cut : n - cut].mean())
    if kept < 2:  # noqa: PLR2004 - one value has no spread
        return mean, math.inf, 0
    spread = float(np.clip(ordered, ordered[cut], ordered[n - cut - 1]).std(ddof=1))
    return mean, spread * math.sqrt((n - 1) / (kept * (kept - 1))), kept - 1


def candidate_changes(estimates: Sequence[Estimate], margin: float, rate: float) -> dict[tuple[str, str], Change]:
    """Return what looks changed, by case and metric: at this false-discovery rate, and beyond the margin."""
    candidates: dict[tuple[str, str], Change] = {}
    for change in CHANGES:
        discovered = discoveries([estimate.p_value(change) for estimate in estimates], rate)
        for estimate, is_discovery in zip(estimates, discovered, strict=True):
            if is_discovery and estimate.is_beyond(change, margin):
                candidates[estimate.case, estimate.metric] = change
    return candidates


def moved_controls(estimates: Sequence[Estimate], margin: float) -> tuple[str, ...]:
    """Return the controls that differ between the revisions, which no change to the code can make them do."""
    controls = {estimate.case: estimate for estimate in estimates if is_control(estimate.case)}
    candidates = candidate_changes(list(controls.values()), margin, CONTROLS_RATE / len(CHANGES))
    return tuple(case for (case, _), change in candidates.items() if controls[case].exact_p_value(change) <= EXACT)
