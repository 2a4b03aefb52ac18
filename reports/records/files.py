"""Run files: a folder, a ``run.json`` or a ``run.jsonl`` as one run, or a fault in one line."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from loaderbench.reports.records.json_files import MalformedError, convert, convert_each, in_file
from loaderbench.reports.records.run_json import name_of, run_content
from loaderbench.reports.records.schema import (
    GROWING_RECORD,
    LARGEST,
    LONGEST_TEXT,
    MOST_NAMES,
    RECORD,
    RESERVED,
    Benchmark,
    Case,
    Columns,
    MetricColumn,
    Missed,
    PlainScalar,
    Run,
    RunFile,
    Scalar,
    ShortText,
)
from loaderbench.reports.vocabulary import METRICS, SETTINGS

SHORTEST_S = 1e-9  # no clock reads less

CaseOrMissed = TypeVar("CaseOrMissed", Case, Missed)


@dataclass(slots=True)
class RecordedRun:
    """A run that was read: its cases, and what of its file could not be used."""

    run: Run
    cases: list[Case]
    missed: list[Missed]
    faults: list[str] = field(default_factory=list)


def read_run(path: Path) -> RecordedRun:
    """Read a run's folder or file; raises MalformedError where nothing of it can be used.

    In a folder the record is read, or where it is absent or torn the growing record.
    """
    if not path.is_dir():
        return _read(path)
    record, growing = path / RECORD, path / GROWING_RECORD
    if not growing.exists():
        if not record.exists():
            raise MalformedError(f"no {RECORD} and no {GROWING_RECORD} in this folder; {_what_instead(path)}")
        return _read_in_folder(record)
    if not record.exists():
        return _read_in_folder(growing)
    try:
        return _read_in_folder(record)
    except MalformedError as error:
        recorded = _read_in_folder(growing)
        recorded.faults.insert(0, f"{error}; its {GROWING_RECORD} was read instead")
        return recorded


def _what_instead(folder: Path) -> str:
    pages = sorted(page.name for page in folder.glob("*.html"))
    return f"another command's result is there: open its {pages[0]}" if pages else "name the folder of one run"


def run_folders(folder: Path) -> list[Path]:
    """Return the folders of the runs in `folder`, by name: the oldest comes first."""
    runs = {path.parent for name in (RECORD, GROWING_RECORD) for path in folder.glob(f"*/{name}")}
    return sorted(runs, key=lambda run: run.name)


def in_one_line(faults: Iterable[str]) -> str:
    """Return the first of a file's faults, and how many others there are."""
    first, *others = faults
    return f"{first} (and {len(others)} more)" if others else first


def machine_facts(machine: object) -> dict[str, Scalar]:
    """Return the plain facts of a machine; those of its accelerator are ``accelerator_name`` and so on."""
    if not isinstance(machine, dict):
        return {}
    accelerator = machine.get("accelerator")
    beside = accelerator.items() if isinstance(accelerator, dict) else ()
    return _plain({**machine, **{f"accelerator_{name}": fact for name, fact in beside}})


def _plain(facts: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the facts that are a text, a number or a switch; a reader can do without the others."""
    plain: dict[str, Scalar] = {}
    for name, fact in list(facts.items())[:MOST_NAMES]:
        try:
            value = convert(fact, PlainScalar)
        except MalformedError:
            continue
        if value is not None:
            plain[name[:LONGEST_TEXT]] = value
    return plain


def _read_in_folder(file: Path) -> RecordedRun:
    with in_file(file.name):
        return _read(file)


def _read(file: Path) -> RecordedRun:
    faults: list[str] = []
    written = convert(run_content(file, faults), RunFile)
    about = written.loaderbench
    cases = list(_usable(written.benchmarks, _case, faults))
    missed = [
        entry
        for status in ("failed", "skipped")
        for entry in _usable(getattr(about, status), partial(_missed, status=status), faults)
    ]
    ended = len(cases) + len(missed)
    run = Run(
        name=about.run,
        path=file,
        started=_utc(about.started),
        finished=_utc(about.finished),
        planned=about.planned if (about.planned or 0) >= ended else None,
        ended=ended,
        complete=about.complete,
        version=about.version,
        command=tuple(word[:LONGEST_TEXT] for word in about.command),
        machine=machine_facts(about.machine),
        commit=_plain(written.commit_info),
    )
    return RecordedRun(run=run, cases=cases, missed=missed, faults=faults)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _usable(entries: list[object], read: Callable[[object], CaseOrMissed], faults: list[str]) -> Iterator[CaseOrMissed]:
    """Yield the entries that are sound and whose name is new; note the others."""
    names: set[str] = set()
    for entry in entries:
        try:
            case = read(entry)
        except MalformedError as error:
            faults.append(str(error))
            continue
        if case.name in names:
            faults.append(f"{case.name}: is there twice; the first is used")
            continue
        names.add(case.name)
        yield case


def _case(entry: object) -> Case:
    where = name_of(entry, "a benchmark")
    benchmark = convert(entry, Benchmark, where)
    measured = benchmark.extra_info
    rounds = _columns(measured.rounds, f"{where}: rounds")
    if not any(map(len, rounds.values())):
        raise MalformedError(f"{where}: rounds are empty")
    return Case(
        name=benchmark.name,
        bench=measured.bench,
        settings=_settings(measured.settings, where),
        facts=_known(convert_each(measured.facts, PlainScalar, f"{where}: facts.")),
        rounds=rounds,
        warmup=_columns(measured.warmup, f"{where}: warmup"),
        slowest=tuple(measured.slowest),
        ranks=tuple(
            (rank.rank, rank.host, _columns(rank.rounds, f"{where}: rank {rank.rank}")) for rank in measured.ranks
        ),
    )


def _missed(entry: object, status: str) -> Missed:
    where = name_of(entry, f"a {status} case")
    case = convert(entry, Missed, where)
    settings = _settings(case.settings, where)
    return replace(case, settings=settings, status=status, reason=case.reason[:LONGEST_TEXT])


def _settings(settings: Mapping[str, Any], where: str) -> dict[str, Scalar]:
    for name in settings:
        if name in METRICS or name in RESERVED:
            raise MalformedError(f"{where}: {name} is the name of a metric, not of a setting")
    return _known({name: convert(value, _kind(name), f"{where}: {name}") for name, value in settings.items()})


def _known(values: Mapping[str, Scalar | None]) -> dict[str, Scalar]:
    """Return the values that are not null: missing is missing, however it is written."""
    return {name: value for name, value in values.items() if value is not None}


def _kind(name: str) -> Any:
    """Return the type that the values of a setting must have."""
    setting = SETTINGS.get(name)
    if setting is None:
        return PlainScalar
    if setting.kind == "whole":
        return _whole_from(setting.least)
    return (bool if setting.kind == "switch" else ShortText) | None


@cache
def _whole_from(least: int) -> Any:
    return Annotated[int, Meta(ge=least, le=LARGEST)] | None


def _columns(values: Mapping[str, Any], where: str) -> Columns:
    """Return equally long columns of numbers >= 0, null as NaN."""
    columns = convert_each(values, MetricColumn, f"{where}.")
    if len({len(column) for column in columns.values()}) > 1:
        listed = ", ".join(f"{name} {len(column)}" for name, column in list(columns.items())[:4])
        raise MalformedError(f"{where} have columns of unequal length ({listed[:120]})")
    block = np.array(list(columns.values()), dtype=np.float64)
    for name, numbers in zip(columns, block, strict=True):
        if name.endswith("seconds") and (numbers < SHORTEST_S).any():
            raise MalformedError(f"{where}.{name} must be > 0, got {np.nanmin(numbers):g}")
    return dict(zip(columns, block, strict=True))
