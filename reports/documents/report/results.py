"""The results of a run on a terminal: the best cases of each bench and dataset, and those that failed."""

from collections.abc import Hashable, Iterator, Mapping
from itertools import chain
from typing import Any

import pandas as pd

from loaderbench.reports.documents.document import ON_TERMINAL, Cell, Column, Items, Table
from loaderbench.reports.documents.tables import row
from loaderbench.reports.units import MISSING, count, quantity
from loaderbench.reports.vocabulary import METRICS, Metric, ranked, unit_of
from loaderbench.reports.wording import is_missing, levels, settings_of, spoken

BENCHES = ("training", "epoch", "sampling", "startup", "transfer", "memory")  # in reading order, others after them
MOST_ROWS = 6  # of one bench and dataset: the best
MOST_GROUPS = 24

COLUMNS = (
    Column(label="bench"), Column(label="dataset"), Column(label="setting", wide=True),
    Column(label="result", number=True), Column(label="spread", number=True), Column(label="waiting", number=True),
    Column(label="n", number=True),
)  # fmt: skip


def results_table(cases: pd.DataFrame) -> Table:
    """Return the best cases of each bench and dataset of a summary, by the metric that is their result."""
    groups = sorted((group for _, group in cases.groupby(["bench", "dataset"], dropna=False)), key=_place)
    rows = tuple(chain.from_iterable(map(_rows, groups[:MOST_GROUPS])))
    return Table(name="results", columns=COLUMNS, rows=rows, on=ON_TERMINAL)


def failures(missed: pd.DataFrame) -> Items:
    """Return the cases of `Records.missed` that failed, the first few with their reasons."""
    failed = missed[missed["status"] == "failed"]
    lines = [f"failed: {case['case']}: {case['reason']}" for case in failed[:MOST_ROWS].to_dict("records")]
    if len(failed) > MOST_ROWS:
        lines.append(f"and {count(len(failed) - MOST_ROWS, 'more failed case')}")
    return Items(items=tuple(lines), tone="bad", on=ON_TERMINAL)


def _place(group: pd.DataFrame) -> int:
    bench = group["bench"].iloc[0]
    return BENCHES.index(bench) if bench in BENCHES else len(BENCHES)


def _rows(group: pd.DataFrame) -> Iterator[tuple[Cell, ...]]:
    metric = _result_metric(group)
    varied = [name for name in settings_of(group) if len(levels(group, name)) > 1 and name != "dataset"]
    by_size = None if metric.better else pd.Series.abs  # of an error, which is best near 0
    best = group.sort_values(metric.name, ascending=metric.better != "higher", key=by_size)[:MOST_ROWS]
    for place, case in enumerate(best.to_dict("records")):
        bench, dataset = (str(case["bench"]), _text(case.get("dataset"))) if place == 0 else ("", "")
        yield row(
            bench, dataset, spoken(case, varied) or MISSING, _result(metric, case), _share(case["spread"]),
            _share(case["stall_share"]), str(case["rounds"]),
        )  # fmt: skip
    if len(group) > len(best):
        more = f"and {count(len(group) - len(best), 'more case')}"
        yield tuple(Cell(text=text, tone="muted") for text in ("", "", more, "", "", "", ""))


def _result_metric(group: pd.DataFrame) -> Metric:
    known = (METRICS[name] for name in ranked("result_rank") if name in group and group[name].notna().any())
    return next(known, METRICS["seconds"])


def _result(metric: Metric, case: Mapping[Hashable, Any]) -> str:
    unit = unit_of(metric.name, case.get("dataset"))
    label = "" if metric.unit in {"samples/s", "bytes/s"} else f"{metric.label} "  # a rate says what it is
    return label + quantity(case[metric.name], unit)


def _text(value: object) -> str:
    return "" if is_missing(value) else str(value)


def _share(share: float) -> str:
    return "" if is_missing(share) else quantity(share, "share")
