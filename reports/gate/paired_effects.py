"""Blocks to effects: for every case, metric and block, how head differs from base.

A block is a fresh pair of processes, one of each revision, that measure the same cases in turns. The effect of a block
on a speed or a time is one of two estimates, on the logarithmic scale:

- **the faster halves**: the mean of the faster half of head's rounds, less that of base's. Bursts of other work can
  only slow a round, and hit few; the rounds of a pair then differ by far more than the revisions do.
- **Hodges and Lehmann's estimate over pairs**: the median of the means of any two pairs of rounds. A core that is slow
  for a while, as another guest of the machine runs on its sibling, slows both rounds of a pair, and maybe more than
  half of all.

In all cases of a block it is the one that varies less when the pairs of rounds are drawn again (Efron's bootstrap), by
the mean over the cases. Exchanging the revisions changes the sign of both and the variance of neither, so identical
code is not called changed more often for this choice.

That of anything else (memory, shares) is the median over pairs of rounds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loaderbench.reports.vocabulary import CONTROL_BENCH, METRICS, GateRule

REVISIONS = ["base", "head"]

_CANDIDATES = ["by_pairs", "halves_vary_more"]  # of which one estimate is chosen
_EXACT = 1e-12  # a variance that is rounding alone
COLUMNS = ["block", "effect", "base", "head", "pairs", "spread"]
DRAWS = 60  # bootstrap samples
NORMAL = 1.4826  # standard deviations in a median absolute deviation of normal values

Floats = NDArray[np.float64]

_OTHERWISE = "seconds"  # the metric of a bench that has none with a rule: of a pass, where the round counts passes


def is_control(case: str) -> bool:
    """Return whether a case is a negative control: it shows that the machine did not change."""
    return case.startswith(f"{CONTROL_BENCH}[")


def rule_of(metric: str) -> GateRule:
    """Return how two revisions are compared by a metric."""
    return METRICS[metric].gate or GateRule()


def worse_sign(metric: str) -> int:
    """Return the sign of a change for the worse."""
    return -1 if METRICS[metric].better == "higher" else 1


def metric_values(rounds: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the values of the metrics by which a case is judged: of each round of one case, NaN where it has none.

    A case is judged by every metric with a gate rule that its rounds have. Rounds that count samples are whole passes
    and are judged by quotients alone (their first batch is `bench_startup`'s to judge); waiting is judged where there
    is a step to wait.
    """
    is_pass = _has(rounds, "samples")
    by_metric = {}
    for name, metric in METRICS.items():
        amount, over = metric.quotient or (name, "")  # what is no quotient is a column of the round
        if metric.gate is None or not (_has(rounds, amount) and (not over or _has(rounds, over))):
            continue
        if (is_pass and not over) or (name == "stall_share" and not _has(rounds, "step_seconds")):
            continue
        by_metric[name] = _quotient(rounds, amount, over)
    if not by_metric and _has(rounds, _OTHERWISE):
        by_metric[_OTHERWISE] = _quotient(rounds, _OTHERWISE, "passes" if _has(rounds, "passes") else "")
    return {name: _comparable(values, rule_of(name)) for name, values in by_metric.items()}


def _has(rounds: pd.DataFrame, column: str) -> bool:
    return column in rounds and bool(rounds[column].notna().any())


def _quotient(rounds: pd.DataFrame, amount: str, over: str) -> pd.Series:
    return rounds[amount].astype(float) / (rounds[over].astype(float) if over else 1.0)


def _comparable(values: pd.Series, rule: GateRule) -> pd.Series:
    finite = values.replace([np.inf, -np.inf], np.nan)
    return finite.where(finite > 0) if rule.scale == "ratio" else finite


def effects(blocks: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row for each case, metric and block: effect, base, head.

    ``effect`` is log(head / base), or head - base where the rule's scale is a difference. ``base`` and ``head`` are in
    the metric's unit: of a speed or a time the means of the faster halves of the rounds, of anything else medians over
    rounds. ``pairs`` counts the pairs of rounds, and ``spread`` is the standard deviation of an effect that one of them
    alone would show, less what all share (NaN of one pair). What one revision lacks has no row.
    """
    rounds = pd.DataFrame([{**sample, "block": block["block"]} for block in blocks for sample in block["samples"]])
    rows = [
        {"case": case, "metric": metric, **row}
        for case, of_case in (rounds.groupby("case", sort=False) if len(rounds) else ())
        for metric, values in metric_values(of_case).items()
        for row in _of_blocks(of_case.assign(value=values), metric)
    ]
    return chosen(pd.DataFrame(rows, columns=[*COLUMNS, *_CANDIDATES, "case", "metric"]))


def chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of blocks with the one of their two estimates (see `estimates_of`) that varies less in the block.

    A row that has one estimate alone keeps it.
    """
    halves_vary_more = rows["halves_vary_more"].astype(float).groupby(rows["block"]).mean()
    is_by_pairs = (rows["block"].map(halves_vary_more) > 0) & rows["by_pairs"].notna()
    table = rows.assign(effect=rows["by_pairs"].where(is_by_pairs, rows["effect"]))
    return table.drop(columns=_CANDIDATES).dropna(subset="effect").reset_index(drop=True)


def _of_blocks(rounds: pd.DataFrame, metric: str) -> Iterator[dict[str, Any]]:
    """Yield what each block shows; of a speed or a time both estimates, the faster halves' as the effect."""
    rule = rule_of(metric)
    table = rounds.pivot_table(index=["block", "round"], columns="revision", values="value").reindex(columns=REVISIONS)
    table = table.dropna()
    if rule.is_summed:
        table = table.groupby(level="block").mean()
    scaled = table.apply(np.log) if rule.scale == "ratio" else table
    is_slowed = rule.scale == "ratio" and _is_time(metric) and not rule.is_summed
    medians = table.groupby(level="block").median()
    for block, of_block in scaled.groupby(level="block"):
        pairs = of_block.to_numpy()
        count, spread = spread_of(pairs)
        if is_slowed:
            estimates = estimates_of(pairs, worse_sign(metric))
            base, head = np.exp(faster_half(pairs, worse_sign(metric)))
        else:
            estimates = {"effect": float(np.median(pairs[:, 1] - pairs[:, 0]))}
            base, head = medians.loc[block].to_numpy()  # type: ignore[index]  # a block's number
        yield {"block": block, "base": base, "head": head, "pairs": count, "spread": spread, **estimates}


def _is_time(metric: str) -> bool:
    """Return whether it is a time or a speed: what other work on the machine makes worse, and never better."""
    return METRICS[metric].unit == "s" or METRICS[metric].unit.endswith("/s")


def estimates_of(pairs: Floats, worse: int) -> dict[str, float]:
    """Return how head differs from base by the faster halves (``effect``) and ``by_pairs``.

    `pairs` are (n, 2), `worse` is the sign of what a disturbance adds. ``halves_vary_more`` is the logarithm of the
    quotient of the bootstrap variances, NaN where one of them is not known.
    """
    again = pairs[_draws(len(pairs))]
    variances = (_between_faster_halves(again, worse).var(), hodges_lehmann(again).var())
    more = math.log(variances[0] / variances[1]) if min(variances) > _EXACT else np.nan
    by_halves, by_pairs = _between_faster_halves(pairs, worse), hodges_lehmann(pairs)
    return {"effect": float(by_halves), "by_pairs": float(by_pairs), "halves_vary_more": more}


def faster_half(pairs: Floats, worse: int) -> Floats:
    """Return the mean of the faster half of either revision's rounds, (…, 2), of pairs (…, n, 2)."""
    count = pairs.shape[-2]
    kept = max(min(count, 2), count // 2)
    means: Floats = (np.sort(worse * pairs, axis=-2)[..., :kept, :] * worse).mean(axis=-2)
    return means


def _between_faster_halves(pairs: Floats, worse: int) -> Floats:
    halves = faster_half(pairs, worse)
    return halves[..., 1] - halves[..., 0]


def hodges_lehmann(pairs: Floats) -> Floats:
    """Return the median of the means of any two differences, (…), of pairs (…, n, 2).

    J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests" (Annals of Mathematical Statistics 34,
    1963).
    """
    differences = pairs[..., 1] - pairs[..., 0]
    one, other = np.triu_indices(differences.shape[-1])
    estimate: Floats = np.median((differences[..., one] + differences[..., other]) / 2, axis=-1)
    return estimate


@cache
def _draws(count: int) -> NDArray[np.int64]:
    """Return which pairs are drawn in each bootstrap sample, (draws, count): the same ones whenever it is computed."""
    return np.random.default_rng(count).integers(0, count, (DRAWS, count))


def spread_of(pairs: Floats) -> tuple[int, float]:
    """Return how many pairs there are, and their standard deviation by the median deviation, which bursts move less."""
    differences = pairs[:, 1] - pairs[:, 0]
    if len(differences) < 2:  # noqa: PLR2004 - one has no spread
        return len(differences), np.nan
    deviation = float(np.median(np.abs(differences - np.median(differences))))
    return len(differences), NORMAL * deviation * math.sqrt(len(differences) / (len(differences) - 1))
