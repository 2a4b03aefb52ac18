"""Trends: a case's figures run by run, on one kind of machine, with the levels between its change points."""

from itertools import pairwise

import numpy as np
import pandas as pd

from loaderbench.reports.history.changes import change_points
from loaderbench.reports.vocabulary import METRICS, ranked

SERIES = ["identity", "machine", "metric"]  # what one series is: unlike machines are never joined
POINT = (
    "run", "started", "commit", "machine", "identity", "case", "bench", "dataset", "metric", "n", "median", "low",
    "high",
)  # fmt: skip
CHANGE = ("case", "dataset", "metric", "machine", "before_run", "before_commit", "run", "commit", "started", "ratio",
          "detected", "verdict")  # fmt: skip


def main_metric(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of one metric of each case: the one that comes first by the vocabulary's `trend_rank`."""
    ranks = {name: place for place, name in enumerate(ranked("trend_rank"))}
    rank = points["metric"].map(ranks).fillna(len(ranks))
    return points[rank == rank.groupby(points["identity"]).transform("min")]


def with_levels(points: pd.DataFrame) -> pd.DataFrame:
    """Return points (columns `POINT`, oldest first) with the change points of their series.

    ``series`` numbers the series, ``position`` the points of each from 0. ``level`` is the geometric mean of the
    medians between two changes. The first point of a new level has ``ratio``, to the level before (NaN elsewhere),
    and ``detected``, the run with which the change was first detected (empty elsewhere).
    """
    grouped = points.groupby(SERIES, sort=False)
    trend = points.assign(series=grouped.ngroup(), position=grouped.cumcount())
    trend = trend.sort_values(["series", "position"], kind="stable", ignore_index=True)
    medians, runs = trend["median"].to_numpy(float), trend["run"].to_numpy(object)
    levels, ratios = medians.copy(), np.full(len(trend), np.nan)
    detected = np.full(len(trend), "", dtype=object)
    edges = np.flatnonzero(np.diff(trend["series"], prepend=-1, append=-1)) if len(trend) else np.empty(0, dtype=int)
    for first, last in pairwise(edges):
        changes = change_points(medians[first:last])
        for start, stop in pairwise([first, *(first + change.at for change in changes), last]):
            levels[start:stop] = _level(medians[start:stop])
        for change in changes:
            ratios[first + change.at] = levels[first + change.at] / levels[first + change.at - 1]
            detected[first + change.at] = runs[first + change.detected]
    return trend.assign(level=levels, ratio=ratios, detected=detected)


def _level(medians: np.ndarray) -> float:
    """Return the geometric mean of those above 0; the median where none is."""
    above = medians[medians > 0]
    return float(np.exp(np.log(above).mean())) if len(above) else float(np.median(medians))


def changes(trend: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each change of a trend (`with_levels`), newest first, with the columns `CHANGE`.

    ``run`` and ``commit`` are the first of the new level, those ``before_`` the last of the old one.
    """
    before = trend[["run", "commit"]].shift().add_prefix("before_")
    changed = pd.concat([trend, before], axis="columns")[trend["ratio"].notna()]
    verdicts = [direction(metric, ratio) for metric, ratio in zip(changed["metric"], changed["ratio"], strict=True)]
    changed = changed.assign(verdict=verdicts)
    return changed.sort_values(["started", "run"], ascending=False, kind="stable")[list(CHANGE)]


def direction(metric: str, ratio: float) -> str:
    """Return which way a change went.

    >>> direction("samples_per_s", 1.1), direction("seconds", 1.1), direction("batches", 2.0)
    ('improved', 'regressed', 'changed')
    """
    better = METRICS[metric].better if metric in METRICS else None
    if better is None:
        return "changed"
    return "improved" if (ratio > 1) == (better == "higher") else "regressed"
