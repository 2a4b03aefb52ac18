"""Blocks to effects: for every case, metric and block, how head differs from base.

A block is a fresh pair of processes, one of each revision, that measure the same cases in turns. Other work on the
machine can only slow a round, by bursts that are longer than many rounds are, so that the rounds of a pair differ by
far more than the revisions do. Therefore the effect of a block on a speed or a time compares the faster half of either
revision's rounds: their mean, on the logarithmic scale. That of anything else (memory, shares) is the median over pairs
of rounds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loaderbench.reports.vocabulary import CONTROL_BENCH, METRICS, GateRule

REVISIONS = ["base", "head"]

COLUMNS = ["block", "effect", "base", "head", "pairs", "spread"]
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
    the metric's unit: of a speed or a time the means of the faster halves that the effect compares, of anything else
    medians over rounds. ``pairs`` counts the pairs of rounds, and ``spread`` is the standard
    deviation of an effect that one of them alone would show, less what all share (NaN of one pair). What one revision
    lacks has no row.
    """
    rounds = pd.DataFrame([{**sample, "block": block["block"]} for block in blocks for sample in block["samples"]])
    parts = [pd.DataFrame(columns=[*COLUMNS, "case", "metric"])]
    for case, of_case in rounds.groupby("case", sort=False) if len(rounds) else ():
        for metric, values in metric_values(of_case).items():
            parts.append(_of_blocks(of_case.assign(value=values), metric).assign(case=case, metric=metric))
    whole = pd.concat(parts[1:] or parts)
    return whole.dropna(subset="effect").reset_index(drop=True)


def _of_blocks(rounds: pd.DataFrame, metric: str) -> pd.DataFrame:
    rule = rule_of(metric)
    table = rounds.pivot_table(index=["block", "round"], columns="revision", values="value").reindex(columns=REVISIONS)
    table = table.dropna()
    if rule.is_summed:
        table = table.groupby(level="block").mean()
    scaled = table.apply(np.log) if rule.scale == "ratio" else table
    is_slowed = rule.scale == "ratio" and _is_time(metric) and not rule.is_summed
    worse = worse_sign(metric) if is_slowed else 0
    medians = table.groupby(level="block").median()
    rows = []
    for block, of_block in scaled.groupby(level="block"):
        pairs = of_block.to_numpy()
        base, head = np.exp(faster_half(pairs, worse)) if is_slowed else medians.loc[block].to_numpy()  # type: ignore[index]  # a block's number
        rows.append((block, compared(pairs, worse), base, head, *spread_of(pairs)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _is_time(metric: str) -> bool:
    """Return whether it is a time or a speed: what other work on the machine makes worse, and never better."""
    return METRICS[metric].unit == "s" or METRICS[metric].unit.endswith("/s")


def compared(pairs: Floats, worse: int) -> float:
    """Return how head differs from base; `pairs` are (rounds, 2), `worse` the sign of what a disturbance adds, or 0."""
    if not worse:
        return float(np.median(pairs[:, 1] - pairs[:, 0]))
    base, head = faster_half(pairs, worse)
    return float(head - base)


def faster_half(pairs: Floats, worse: int) -> Floats:
    """Return the mean of the faster half of either revision's rounds; `pairs` and `worse` are those of `compared`."""
    kept = max(min(len(pairs), 2), len(pairs) // 2)
    means: Floats = (np.sort(worse * pairs, axis=0)[:kept] * worse).mean(axis=0)
    return means


def spread_of(pairs: Floats) -> tuple[int, float]:
    """Return how many pairs there are, and their standard deviation by the median deviation, which bursts move less."""
    differences = pairs[:, 1] - pairs[:, 0]
    if len(differences) < 2:  # noqa: PLR2004 - one has no spread
        return len(differences), np.nan
    deviation = float(np.median(np.abs(differences - np.median(differences))))
    return len(differences), NORMAL * deviation * math.sqrt(len(differences) / (len(differences) - 1))
