"""All cases as a table: measured, failed and skipped, sorted by number and shown in units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.records.frame import MISSED, Records
from loaderbench.reports.units import quantity
from loaderbench.reports.vocabulary import METRICS, names, unit_of
from loaderbench.reports.wording import in_order, is_missing, levels, plain_number, settings_of, spoken

MOST_IN_MARKDOWN = 60
STATUSES = {"failed": 0, "measured": 1, "skipped": 2}  # in reading order
EMPTY = Cell(text="")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Filled:
    """A column with its cells, one for each case."""

    column: Column
    cells: Sequence[Cell]

    @property
    def texts(self) -> list[str]:
        """Return the texts of the cases that have it, each once."""
        return list(dict.fromkeys(cell.text for cell in self.cells if cell.text))


def cases_table(cases: pd.DataFrame, records: Records) -> tuple[str, Table]:
    """Return what is the same in all cases, and a table of what differs: its columns are neither empty nor constant.

    The cases are those of a summary, and those of its records that failed or were skipped, with their reasons. Failed
    ones come first, then each bench's and dataset's best.
    """
    every = _in_reading_order(cases, records)
    settings = in_order({*settings_of(cases), *records.missed.columns} - {*MISSED})
    columns = [*_about(every, records), *_settings(every, settings), *_metrics(every), *_outcome(every)]
    is_measured = (every["status"] == "measured").tolist()
    constant = [entry for entry in columns if _is_constant(entry, is_measured)]
    shown = [entry for entry in columns if entry.texts and not _is_constant(entry, is_measured)]
    table = Table(
        name="cases",
        columns=tuple(entry.column for entry in shown),
        rows=tuple(zip(*(entry.cells for entry in shown), strict=True)),
        kinds=tuple(every["status"]),
        most_rows={"markdown": MOST_IN_MARKDOWN},
        searchable=True,
        sort=METRICS["samples_per_s"].label,
    )
    return " · ".join(f"{entry.column.label} {entry.texts[0]}" for entry in constant), table


def _is_constant(entry: _Filled, is_measured: Sequence[bool]) -> bool:
    """Return whether several cases were measured, all have the same, and no other case has anything else."""
    measured = {cell for cell, is_one in zip(entry.cells, is_measured, strict=True) if is_one}
    return sum(is_measured) > 1 and len(measured) == 1 and {*entry.cells} - {EMPTY} == measured


def _in_reading_order(cases: pd.DataFrame, records: Records) -> pd.DataFrame:
    every = pd.concat([cases.assign(status="measured"), records.missed], ignore_index=True)
    order = every["status"].map(STATUSES)
    ranked = every.assign(order=order).sort_values(
        ["order", "bench", "dataset", "samples_per_s"], ascending=[True, True, True, False]
    )
    return ranked.drop(columns="order")


def _about(every: pd.DataFrame, records: Records) -> Iterator[_Filled]:
    if len(records.runs) > 1:
        yield _texts(Column(label="run"), every["run"])
    yield _texts(Column(label="bench", choice=True), every["bench"])


def _settings(every: pd.DataFrame, settings: Sequence[str]) -> Iterator[_Filled]:
    """Yield a column for each setting that has one of its own, one for all others that vary, and those that do not.

    A setting that some cases lack and that does not vary among the others is left out.
    """
    measured = every[every["status"] == "measured"]
    varied = [name for name in settings if len(levels(every, name)) > 1 or name == "dataset"]
    constant = [name for name in settings if name not in varied and len(measured) > 1 and measured[name].notna().all()]
    own = names(lambda setting: setting.has_column)
    yield from (_setting_column(every, name) for name in own if name in {*varied, *constant})
    others = [name for name in varied if name not in own]
    cells = [Cell(text=spoken(row, others)) for row in every[others].to_dict("records")]
    yield _Filled(column=Column(label="other settings", wide=True), cells=cells)
    yield from (_setting_column(every, name) for name in constant if name not in own)


def _setting_column(every: pd.DataFrame, name: str) -> _Filled:
    is_number = pd.api.types.is_numeric_dtype(every[name]) and not pd.api.types.is_bool_dtype(every[name])
    return _Filled(
        column=Column(label=name, number=is_number), cells=[_setting(value) for value in every[name].tolist()]
    )


def _setting(value: object) -> Cell:
    if is_missing(value):
        return EMPTY
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return Cell(text=plain_number(value), number=number)


def _metrics(every: pd.DataFrame) -> Iterator[_Filled]:
    shown = [metric for metric in METRICS.values() if metric.in_table and metric.name in every]
    for metric in sorted(shown, key=lambda metric: metric.aggregate != "derived"):  # first what a case amounts to
        units = [unit_of(metric.name, dataset) for dataset in every["dataset"].tolist()]
        cells = [
            Cell(text=quantity(value, unit), number=float(f"{value:.6g}")) if np.isfinite(value) else EMPTY
            for value, unit in zip(every[metric.name].astype(float).tolist(), units, strict=True)
        ]
        yield _Filled(column=Column(label=metric.label, number=True, meaning=metric.meaning), cells=cells)
    rounds = [EMPTY if is_missing(n) else Cell(text=plain_number(n), number=float(n)) for n in every["rounds"].tolist()]
    yield _Filled(column=Column(label="n", number=True, meaning="Rounds, warm-up not counted."), cells=rounds)


def _outcome(every: pd.DataFrame) -> Iterator[_Filled]:
    yield _texts(Column(label="status", choice=True), every["status"])
    yield _texts(Column(label="reason", wide=True), every["reason"])


def _texts(column: Column, values: pd.Series) -> _Filled:
    return _Filled(column=column, cells=[EMPTY if is_missing(text) else Cell(text=str(text)) for text in values])
