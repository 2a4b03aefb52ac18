"""Run files to one tidy frame: a row for every run, case and round. Missing is NaN, never 0."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from loaderbench.reports.records.files import RecordedRun, in_one_line, read_run
from loaderbench.reports.records.reading import MalformedError
from loaderbench.reports.records.schema import IDENTITY, JOURNAL, RECORD, Case, Columns, Run, Scalar
from loaderbench.reports.wording import in_order

MISSED = (*IDENTITY, "status", "reason", "phase")  # the columns of `Records.missed` before its settings
MOST_COLUMNS = 256  # settings, facts and metrics of all files: beyond it, one file is not like the others
FACT = "fact_"  # a fact's column: batch_bytes can be a setting of one bench and a fact of another


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A file, or a part of it, that could not be used."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """Everything that was read.

    `frame` has one row for every run, case and round, with the columns run, case, bench, the settings,
    warmup (whether the round is one), round (from 0), the metrics of a round (SI), and the facts of the
    case (``fact_`` before their names). `missed` has one row for every failed or skipped case: run, case,
    bench, status, reason, phase and the settings.
    """

    frame: pd.DataFrame
    missed: pd.DataFrame
    runs: tuple[Run, ...]
    """Oldest first."""
    faults: tuple[Fault, ...]


def read(paths: Iterable[Path]) -> Records:
    """Read any number of run folders or files; what cannot be used becomes a fault, and raises nothing."""
    documents: dict[str, RecordedRun] = {}
    faults = []
    for path in dict.fromkeys(path.resolve() for path in paths):
        try:
            document = read_run(path)
        except MalformedError as fault:
            faults.append(Fault(path=path, what=str(fault)))
            continue
        if document.run.name in documents:
            faults.append(Fault(path=path, what=f"is run {document.run.name} again; it is used once"))
            continue
        documents[document.run.name] = document
    _refuse_clashes(list(documents.values()))
    faults += [Fault(path=held.run.path, what=in_one_line(held.faults)) for held in documents.values() if held.faults]
    ordered = sorted(documents.values(), key=_age)
    return Records(
        frame=_frame([(held.run.name, case) for held in ordered for case in held.cases]),
        missed=_missed(ordered),
        runs=tuple(held.run for held in ordered),
        faults=tuple(faults),
    )


def newest(folder: Path) -> list[Path]:
    """Return the folder of the latest run among those in `folder`; nothing where there is none."""
    runs = [path.parent for name in (RECORD, JOURNAL) for path in folder.glob(f"*/{name}")]
    return sorted(runs, key=lambda run: run.name)[-1:]


def _age(document: RecordedRun) -> tuple[float, str]:
    started = document.run.started
    return (started.timestamp() if started else 0.0, document.run.name)


def _refuse_clashes(documents: Sequence[RecordedRun]) -> None:
    """Drop cases whose names make columns ambiguous: a metric called as a setting, or names without end."""
    settings: set[str] = {name for held in documents for case in held.cases for name in case.settings}
    columns: set[str] = set()
    for document in documents:
        kept = []
        for case in document.cases:
            metrics = {*case.rounds, *case.warmup}
            wider = columns | metrics | {*case.settings} | {*case.facts}
            if clash := sorted(metrics & (settings | {*IDENTITY, "warmup", "round"})):
                document.faults.append(f"{case.name}: {clash[0]} is a setting, not a metric")
            elif len(wider) > MOST_COLUMNS:
                document.faults.append(f"{case.name}: brings the columns to more than {MOST_COLUMNS}")
            else:
                columns = wider
                kept.append(case)
        document.cases[:] = kept


def _frame(cases: Sequence[tuple[str, Case]]) -> pd.DataFrame:
    """Lay the cases' rounds end to end, warm-up first."""
    blocks = [block for _, case in cases for block in (case.warmup, case.rounds)]
    lengths = np.array([_length(block) for block in blocks], dtype=np.intp)
    row = np.repeat(np.arange(len(blocks)), lengths)  # of each round: the block it belongs to
    about = _about([{"run": run, "case": case.name, "bench": case.bench} for run, case in cases])
    about = about.reindex(columns=list(IDENTITY))
    settings = _about([case.settings for _, case in cases])
    settings = settings[in_order(list(settings.columns))]
    facts = _about([case.facts for _, case in cases]).add_prefix(FACT)
    per_round = pd.DataFrame(
        {
            "warmup": row % 2 == 0,
            "round": np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
            **_end_to_end(blocks, lengths),
        }
    )
    of_case = [frame.take(row // 2).reset_index(drop=True) for frame in (about, settings, facts)]
    return pd.concat([of_case[0], of_case[1], per_round, of_case[2]], axis="columns")


def _length(block: Columns) -> int:
    return len(next(iter(block.values()), ()))


def _end_to_end(blocks: Sequence[Columns], lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Each metric as one long column, NaN where a block lacks it."""
    names = dict.fromkeys(name for block in blocks for name in block)
    columns = {name: np.full(lengths.sum(), np.nan) for name in names}
    first = np.cumsum(lengths) - lengths
    for start, length, block in zip(first.tolist(), lengths.tolist(), blocks, strict=True):
        for name, values in block.items():
            columns[name][start : start + length] = values
    return columns


def _about(rows: Sequence[Mapping[str, Scalar]]) -> pd.DataFrame:
    """One row a case; a column that mixes texts with numbers becomes text, so that it sorts and can be written."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    return pd.DataFrame(columns, index=range(len(rows)))


def _column(values: list[Scalar | None]) -> pd.Series:
    kinds = {float if type(value) is int else type(value) for value in values if value is not None}
    if len(kinds) > 1:
        values = [None if value is None else str(value) for value in values]
        kinds = {str}
    if kinds == {float} and None in values:
        return pd.Series(values, dtype="float64")
    return pd.Series([np.nan if value is None else value for value in values])


def _missed(documents: Sequence[RecordedRun]) -> pd.DataFrame:
    missed = [(document.run.name, entry) for document in documents for entry in document.missed]
    about = pd.DataFrame(
        [(run, entry.name, entry.bench, entry.status, entry.reason, entry.phase) for run, entry in missed],
        columns=list(MISSED),
    )
    return pd.concat([about, _about([entry.settings for _, entry in missed])], axis="columns")
