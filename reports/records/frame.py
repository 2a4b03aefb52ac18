"""Run files to one tidy frame: a row for every run, case and round. Missing is NaN, never 0."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec.structs import astuple

from loaderbench.reports.records.files import RecordedRun, in_one_line, read_run, run_folders
from loaderbench.reports.records.json_files import MalformedError
from loaderbench.reports.records.schema import IDENTITY, Columns, Run, Scalar
from loaderbench.reports.wording import in_order

MISSED = (*IDENTITY, "status", "reason", "phase")  # the columns of `Records.missed` before its settings
OF_ROUND = ("warmup", "round")
MOST_COLUMNS = 256  # settings, facts and metrics of all files: beyond it, one file is not like the others
OF_RANK = ("run", "case", "rank", "host", "round", "seconds", "samples")
FACT = "fact_"  # a fact's column: a bench of the user's own may call a fact as a setting or a metric is called


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
    bench, status, reason, phase and the settings. `slowest` has one row for each sample that a case names as one of its
    slowest: run, case, bench, dataset, index, seconds and share (of the time of all samples).
    """

    frame: pd.DataFrame
    missed: pd.DataFrame
    slowest: pd.DataFrame
    runs: tuple[Run, ...]
    """Oldest first."""
    faults: tuple[Fault, ...]
    ranks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(OF_RANK)))
    """Of cases of many ranks a row for each rank and round: run, case, rank, host, round, and the rank's metrics."""


def read_records(paths: Iterable[Path]) -> Records:
    """Read any number of run folders or files; what cannot be used becomes a fault, and raises nothing."""
    by_name: dict[str, RecordedRun] = {}
    faults = []
    for path in dict.fromkeys(path.resolve() for path in paths):
        try:
            recorded = read_run(path)
        except MalformedError as error:
            faults.append(Fault(path=path, what=str(error)))
            continue
        if recorded.run.name in by_name:
            faults.append(Fault(path=path, what=f"is run {recorded.run.name} again; it is used once"))
            continue
        by_name[recorded.run.name] = recorded
    _drop_ambiguous_cases(list(by_name.values()))
    faults += [Fault(path=run.run.path, what=in_one_line(run.faults)) for run in by_name.values() if run.faults]
    oldest_first = sorted(by_name.values(), key=_age)
    return Records(
        frame=_frame(oldest_first),
        missed=_missed(oldest_first),
        slowest=_slowest(oldest_first),
        ranks=_ranks(oldest_first),
        runs=tuple(recorded.run for recorded in oldest_first),
        faults=tuple(faults),
    )


def newest(folder: Path) -> list[Path]:
    """Return the folder of the latest run among those in `folder`; nothing where there is none."""
    return run_folders(folder)[-1:]


def _age(recorded: RecordedRun) -> tuple[float, str]:
    started = recorded.run.started
    return (started.timestamp() if started else 0.0, recorded.run.name)


def _drop_ambiguous_cases(runs: Sequence[RecordedRun]) -> None:
    """Drop cases whose names make columns ambiguous: a metric called as a setting, or names without end."""
    not_metrics = {
        *IDENTITY,
        *OF_ROUND,
        *(name for recorded in runs for case in recorded.cases for name in case.settings),
    }
    columns: set[str] = set()
    for recorded in runs:
        usable = []
        for case in recorded.cases:
            metrics = {*case.rounds, *case.warmup}
            wider = columns | metrics | {*case.settings} | {*case.facts}
            if clash := sorted(metrics & not_metrics):
                recorded.faults.append(f"{case.name}: {clash[0]} is a setting, not a metric")
            elif len(wider) > MOST_COLUMNS:
                recorded.faults.append(f"{case.name}: brings the columns to more than {MOST_COLUMNS}")
            else:
                columns = wider
                usable.append(case)
        recorded.cases[:] = usable


def _frame(runs: Sequence[RecordedRun]) -> pd.DataFrame:
    """Lay the cases' rounds end to end, warm-up first."""
    cases = [case for recorded in runs for case in recorded.cases]
    identity = [(recorded.run.name, case.name, case.bench) for recorded in runs for case in recorded.cases]
    settings = _table([case.settings for case in cases])
    of_case = [
        pd.DataFrame(identity, columns=list(IDENTITY)),
        settings[in_order(settings.columns)],
        _table([case.facts for case in cases]).add_prefix(FACT),
    ]
    blocks = [block for case in cases for block in (case.warmup, case.rounds)]
    lengths = np.array([len(next(iter(block.values()), ())) for block in blocks], dtype=np.intp)
    block_of_row = np.repeat(np.arange(len(blocks)), lengths)
    per_round = pd.DataFrame(
        {
            "warmup": block_of_row % 2 == 0,
            "round": np.arange(len(block_of_row)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
            **_end_to_end(blocks, lengths),
        }
    )
    identities, settings, facts = (table.take(block_of_row // 2).reset_index(drop=True) for table in of_case)
    return pd.concat([identities, settings, per_round, facts], axis="columns")


def _ranks(runs: Sequence[RecordedRun]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(columns).assign(run=recorded.run.name, case=case.name, rank=rank, host=host).rename_axis("round")
        for recorded in runs
        for case in recorded.cases
        for rank, host, columns in case.ranks
    ]
    empty = pd.DataFrame(columns=list(OF_RANK))
    return pd.concat([part.reset_index() for part in parts], ignore_index=True) if parts else empty


def _end_to_end(blocks: Sequence[Columns], lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Return each metric as one long column, NaN where a block lacks it."""
    names = dict.fromkeys(name for block in blocks for name in block)
    missing = {length: np.full(length, np.nan) for length in set(lengths.tolist())}
    blanks = [missing[length] for length in lengths.tolist()]
    return {
        name: np.concatenate([block.get(name, blank) for block, blank in zip(blocks, blanks, strict=True)])
        for name in names
    }


def _missed(runs: Sequence[RecordedRun]) -> pd.DataFrame:
    missed = [(recorded.run.name, case) for recorded in runs for case in recorded.missed]
    about = [(run, case.name, case.bench, case.status, case.reason, case.phase) for run, case in missed]
    settings = _table([case.settings for _, case in missed])
    return pd.concat([pd.DataFrame(about, columns=list(MISSED)), settings], axis="columns")


def _slowest(runs: Sequence[RecordedRun]) -> pd.DataFrame:
    rows = [
        (recorded.run.name, case.name, case.bench, case.settings.get("dataset"), *astuple(sample))
        for recorded in runs
        for case in recorded.cases
        for sample in case.slowest
    ]
    return pd.DataFrame(rows, columns=[*IDENTITY, "dataset", "index", "seconds", "share"])


def _table(rows: Sequence[Mapping[str, Scalar]]) -> pd.DataFrame:
    """Return one row a case, a column for each name that any of them has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: _column([row.get(name) for row in rows]) for name in names}, index=range(len(rows)))


def _column(values: list[Scalar | None]) -> pd.Series:
    """Return a column of one kind: what mixes texts with numbers becomes text, so that it sorts and can be written."""
    kinds = {float if type(value) is int else type(value) for value in values if value is not None}
    if len(kinds) > 1:
        return pd.Series([np.nan if value is None else str(value) for value in values])
    if kinds == {float} and None in values:
        return pd.Series(values, dtype="float64")
    return pd.Series([np.nan if value is None else value for value in values])
