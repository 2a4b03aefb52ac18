"""Trends: a case's figures run by run, on one kind of machine, with the levels between its change points."""

from itertools import pairwise

import numpy as np
import pandas as pd

from loaderbench.reports.history.changes import change_points
from loaderbench.reports.vocabulary import METRICS, ranked, sample_rate

SERIES = ["identity", "machine", "metric"]  # what one series is: unlike machines are never joined
POINT = (
    "run", "started", "commit", "machine", "identity", "case", "bench", "dataset", "metric", "n", "median", "low",
    "high",
)  # fmt: skip
CHANGE = ("case", "dataset", "metric", "machine", "before_run", "before_commit", "run", "commit", "started", "ratio",
          "told", "verdict")  # fmt: skip


def leading(points: pd.DataFrame) -> pd.DataFrame:
    """Keep of each case the metric it has that comes first by its rank in trends."""
    rank = points["metric"].map({name: place for place, name in enumerate(ranked("trend_rank"))}).fillna(len(METRICS))
    return points[rank == rank.groupby(points["identity"]).transform("min")]


def marked(points: pd.DataFrame) -> pd.DataFrame:
    """Add to points (columns `POINT`, oldest first) what the change points make of them.

    ``series`` numbers the series, ``position`` the points of each from 0. ``level`` is the geometric mean of the
    medians between two changes. The first point of a new level has ``ratio``, to the level before (NaN elsewhere),
    and ``told``, the run with which the change was first told (empty elsewhere).
    """
    grouped = points.groupby(SERIES, sort=False)
    series = grouped.ngroup()
    found = points.assign(
        series=series, position=grouped.cumcount(), level=points["median"].astype(float), ratio=np.nan, told=""
    )
    found = found.sort_values(["series", "position"], kind="stable", ignore_index=True)
    medians, runs = found["median"].to_numpy(float), found["run"].to_numpy(object)
    levels, ratios, told = medians.copy(), np.full(len(found), np.nan), np.full(len(found), "", dtype=object)
    edges = np.flatnonzero(np.diff(found["series"], prepend=-1, append=-1)) if len(found) else np.empty(0, dtype=int)
    for first, last in pairwise(edges):
        steps = change_points(medians[first:last])
        cuts = [0, *(step.at for step in steps), last - first]
        for start, stop in pairwise(cuts):
            levels[first + start : first + stop] = _level(medians[first + start : first + stop])
        for step in steps:
            ratios[first + step.at] = levels[first + step.at] / levels[first + step.at - 1]
            told[first + step.at] = runs[first + step.told]
    return found.assign(level=levels, ratio=ratios, told=told)


def _level(medians: np.ndarray) -> float:
    """Return the geometric mean of those above 0; the median where none is."""
    above = medians[medians > 0]
    return float(np.exp(np.log(above).mean())) if len(above) else float(np.median(medians))


def changes(trend: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each change of `marked` points, newest first, with the columns `CHANGE`.

    ``run`` and ``commit`` are the first of the new level, those ``before_`` the last of the old one.
    """
    before = trend[["run", "commit"]].shift().add_prefix("before_")
    found = pd.concat([trend, before], axis="columns")[trend["ratio"].notna()]
    verdicts = [_verdict(metric, ratio) for metric, ratio in zip(found["metric"], found["ratio"], strict=True)]
    return found.assign(verdict=verdicts).sort_values(["started", "run"], ascending=False, kind="stable")[list(CHANGE)]


def _verdict(metric: str, ratio: float) -> str:
    """Say which way a change went.

    >>> _verdict("samples_per_s", 1.1), _verdict("seconds", 1.1), _verdict("batches", 2.0)
    ('improved', 'regressed', 'changed')
    """
    direction = METRICS[metric].better if metric in METRICS else None
    if direction is None:
        return "changed"
    return "improved" if (ratio > 1) == (direction == "higher") else "regressed"


def unit_of(metric: str, dataset: object) -> str:
    """Return a metric's unit; of a throughput, with what the dataset's samples are.

    >>> unit_of("samples_per_s", "images"), unit_of("wait_s", None), unit_of("zeal", None)
    ('images/s', 's', '')
    """
    unit = METRICS[metric].unit if metric in METRICS else ""
    return sample_rate(dataset) if unit == "samples/s" else unit


def label_of(metric: str) -> str:
    """Return what a reader calls a metric.

    >>> label_of("samples_per_s"), label_of("zeal")
    ('throughput', 'zeal')
    """
    return METRICS[metric].label if metric in METRICS else metric
