"""All cases as a table: measured, failed and skipped, sorted by number and shown in units."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loaderbench.reports.documents.report import Report
from loaderbench.reports.records.frame import MISSED
from loaderbench.reports.text import plain
from loaderbench.reports.units import quantity
from loaderbench.reports.vocabulary import METRICS, names, sample_rate
from loaderbench.reports.wording import in_order, is_missing, levels, phrase, plain_number, settings_of

Cell = str | tuple[float, str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column: cells are texts, or numbers with what is shown of them; missing is None."""

    name: str
    label: str
    number: bool
    meaning: str
    cells: Sequence[Cell]


def listed(report: Report) -> pd.DataFrame:
    """Return all cases in reading order: failed ones, then each bench's and dataset's best first, then skipped ones."""
    cases = pd.concat([report.cases.assign(status="measured"), report.records.missed], ignore_index=True)
    order = cases["status"].map({"failed": 0, "measured": 1, "skipped": 2})
    ranked = cases.assign(order=order).sort_values(
        ["order", "bench", "dataset", "samples_per_s"], ascending=[True, True, True, False]
    )
    return ranked.drop(columns="order")


def columns(report: Report, cases: pd.DataFrame) -> list[Column]:
    """Return the columns that hold anything, one cell for each of `cases`, which are some of those listed."""
    settings = in_order({*settings_of(report.cases), *report.records.missed.columns} - {*MISSED})
    found = [*_about(cases, report), *_settings(cases, settings), *_metrics(cases), *_outcome(cases)]
    return [column for column in found if any(cell is not None for cell in column.cells)]


def _about(cases: pd.DataFrame, report: Report) -> Iterator[Column]:
    if len(report.records.runs) > 1:
        yield _texts("run", "run", cases["run"])
    yield _texts("bench", "bench", cases["bench"])


def _settings(cases: pd.DataFrame, settings: Iterable[str]) -> Iterator[Column]:
    varied = [name for name in settings if len(levels(cases, name)) > 1 or name == "dataset"]
    own = names(lambda setting: setting.has_column)
    for name in own:
        if name in varied:
            number = pd.api.types.is_numeric_dtype(cases[name])
            cells = [_setting(value, number=number) for value in cases[name].tolist()]
            yield Column(name=name, label=name, number=number, meaning="", cells=cells)
    others = [name for name in varied if name not in own]
    spoken: list[list[str]] = [[] for _ in range(len(cases))]
    for name in others:
        for said, value in zip(spoken, cases[name].tolist(), strict=True):
            if not is_missing(value):
                said.append(plain(phrase(name, value)))
    yield Column(
        name="settings", label="other settings", number=False, meaning="", cells=[" · ".join(s) or None for s in spoken]
    )


def _setting(value: object, *, number: bool) -> Cell:
    if is_missing(value):
        return None
    return (
        (float(value), plain_number(value)) if number and isinstance(value, int | float) else plain(plain_number(value))
    )


def _metrics(cases: pd.DataFrame) -> Iterator[Column]:
    for name, metric in METRICS.items():
        if not metric.in_table or name not in cases:
            continue
        units = _units(cases, metric.unit)
        cells: list[Cell] = [
            (float(f"{value:.6g}"), quantity(value, unit)) if np.isfinite(value) else None
            for value, unit in zip(cases[name].astype(float).tolist(), units, strict=True)
        ]
        label = "throughput" if name == "samples_per_s" else metric.label
        yield Column(name=label, label=label, number=True, meaning=metric.meaning, cells=cells)
    rounds: list[Cell] = [None if is_missing(n) else (float(n), plain_number(n)) for n in cases["rounds"].tolist()]
    yield Column(name="rounds", label="n", number=True, meaning="Rounds, warm-up not counted.", cells=rounds)


def _units(cases: pd.DataFrame, unit: str) -> list[str]:
    if unit != "samples/s":
        return [unit] * len(cases)
    return [sample_rate(dataset) for dataset in cases["dataset"].tolist()]


def _outcome(cases: pd.DataFrame) -> Iterator[Column]:
    yield _texts("status", "status", cases["status"])
    yield _texts("reason", "reason", cases["reason"])


def _texts(name: str, label: str, values: pd.Series) -> Column:
    cells: list[Cell] = [None if is_missing(value) else plain(value) for value in values.tolist()]
    return Column(name=name, label=label, number=False, meaning="", cells=cells)
