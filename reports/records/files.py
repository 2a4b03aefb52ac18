"""Run files: a folder, a ``run.json`` or a ``run.jsonl`` as one document, or a fault in one line."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from loaderbench.reports.records.schema import (
    SCHEMA,
    Case,
    MalformedError,
    Missed,
    Scalar,
    parse_case,
    parse_missed,
    scalar,
    text,
)

RECORD = "run.json"
JOURNAL = "run.jsonl"
MOST_FIELDS = 64  # of a machine or a commit

Entry = TypeVar("Entry", Case, Missed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the benches: where and when, on what, and how far it came."""

    name: str
    path: Path
    """The file that was read."""
    started: datetime | None
    finished: datetime | None
    planned: int | None
    """Cases that were to be run."""
    ended: int
    """Cases that were measured, failed or skipped."""
    complete: bool
    version: str
    command: tuple[str, ...]
    """The options the run was given."""
    machine: Mapping[str, Scalar]
    commit: Mapping[str, Scalar]

    @property
    def completeness(self) -> str:
        """Say how far the run came, in three words or so."""
        if self.complete:
            return f"complete: {self.ended} cases"
        return f"interrupted: {self.ended} of {self.planned or 'an unknown number of'} cases"


@dataclass(slots=True)
class Document:
    """What one file holds: a run, its cases, and what of it could not be used."""

    run: Run
    cases: list[Case]
    missed: list[Missed]
    faults: list[str] = field(default_factory=list)


def open_document(path: Path) -> Document:
    """Read a run's folder or file; raises MalformedError where nothing of it can be used."""
    file, faults = _locate(path)
    held, torn = _read(file)
    document = _parse(held, file)
    document.faults[:0] = faults + torn
    return document


def _locate(path: Path) -> tuple[Path, list[str]]:
    """Return the file to read: in a folder the record, else the journal of a run that was killed."""
    if not path.is_dir():
        return path, []
    record, journal = path / RECORD, path / JOURNAL
    if not record.exists() and not journal.exists():
        raise MalformedError(f"no {RECORD} and no {JOURNAL} in this folder; name the folder of one run")
    if not record.exists():
        return journal, []
    try:
        _read(record) if journal.exists() else None
    except MalformedError as fault:
        return journal, [f"{RECORD} {fault}; its {JOURNAL} was read instead"]
    return record, []


def _read(file: Path) -> tuple[Mapping[str, Any], list[str]]:
    """Return the file's document in the form of a ``run.json``, and what was torn."""
    content = content_of(file)
    return _journal(content) if file.suffix == ".jsonl" else (parsed(content, "file"), [])


def content_of(file: Path) -> str:
    """Return the text of a file; raises MalformedError."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise MalformedError(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise MalformedError(f"is not UTF-8 text (byte {error.start})") from None


def parsed(content: str, what: str, kind: str = "run") -> Mapping[str, Any]:
    """Parse strictly in form; the numbers are judged where they belong."""
    try:
        held = json.loads(content)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(content.rstrip()) or "Unterminated" in error.msg
        where = f"line {error.lineno} column {error.colno}"
        raise MalformedError(
            "is cut off: it ends in the middle" if cut else f"is not JSON: {error.msg} at {where}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"is not a usable JSON {what}: {str(error)[:80]}") from None
    if not isinstance(held, dict):
        raise MalformedError(f"is not a loaderbench {kind}: no JSON object")
    return held


def _journal(content: str) -> tuple[Mapping[str, Any], list[str]]:
    """Gather a journal's lines. What follows the last newline was cut off, with the case under way."""
    head, *lines = content.split("\n")
    if not lines:
        raise MalformedError("is cut off: not even its first line is whole")
    document = dict(parsed(head, "line"))
    gathered: dict[str, list[object]] = {"benchmark": [], "failed": [], "skipped": []}
    faults = []
    for number, line in enumerate(lines[:-1], start=2):
        try:
            _gather(line, gathered)
        except MalformedError as fault:
            faults.append(f"line {number} {fault}")
    ours = {**_block(document), "failed": gathered["failed"], "skipped": gathered["skipped"], "complete": False}
    return {**document, "benchmarks": gathered["benchmark"], "loaderbench": ours}, faults


def _gather(line: str, gathered: dict[str, list[object]]) -> None:
    entry = parsed(line, "line")
    kinds = [kind for kind in gathered if kind in entry]
    if not kinds:
        raise MalformedError("holds no benchmark, failed or skipped case")
    gathered[kinds[0]].append(entry[kinds[0]])


def _block(document: Mapping[str, Any]) -> Mapping[str, Any]:
    block = document.get("loaderbench")
    if not isinstance(block, dict):
        raise MalformedError("is not a loaderbench run: it has no loaderbench block")
    if block.get("schema") != SCHEMA or isinstance(block.get("schema"), bool):
        raise MalformedError(f"has schema {str(block.get('schema'))[:24]!r}; this loaderbench reads schema {SCHEMA}")
    return block


def _parse(document: Mapping[str, Any], file: Path) -> Document:
    block = _block(document)
    faults: list[str] = []
    cases = list(_kept(_list(document.get("benchmarks"), "benchmarks"), parse_case, faults))
    missed = [
        entry
        for status in ("failed", "skipped")
        for entry in _kept(_list(block.get(status, []), status), partial(parse_missed, status=status), faults)
    ]
    run = _run(document, block, file, ended=len(cases) + len(missed), faults=faults)
    return Document(run=run, cases=cases, missed=missed, faults=faults)


def _kept(entries: list[object], parse: Callable[[object], Entry], faults: list[str]) -> Iterator[Entry]:
    """Yield the entries that are sound and whose name is new; note the others."""
    seen: set[str] = set()
    for entry in entries:
        try:
            parsed = parse(entry)
        except MalformedError as fault:
            faults.append(str(fault))
            continue
        if parsed.name in seen:
            faults.append(f"{parsed.name}: is there twice; the first is used")
            continue
        seen.add(parsed.name)
        yield parsed


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise MalformedError(f"has no list of {what}")
    return value


def _run(document: Mapping[str, Any], block: Mapping[str, Any], file: Path, *, ended: int, faults: list[str]) -> Run:
    planned = block.get("planned")
    return Run(
        name=text(block.get("run"), "the run's name"),
        path=file,
        started=_moment(block.get("started"), "started", faults),
        finished=_moment(block.get("finished"), "finished", faults),
        planned=planned if isinstance(planned, int) and planned >= ended else None,
        ended=ended,
        complete=block.get("complete") is True,
        version=str(block.get("version", ""))[:40],
        command=_words(block.get("command"), faults),
        machine=machine_facts(block.get("machine"), faults),
        commit=_fields(document.get("commit_info"), "commit_info", faults),
    )


def _moment(value: object, what: str, faults: list[str]) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        faults.append(f"{what} must be an ISO 8601 time, got {str(value)[:40]!r}")
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _words(value: object, faults: list[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        faults.append("command must be a list of texts")
        return ()
    return tuple(word.encode("utf-8", "replace").decode("utf-8")[:1000] for word in value)


def machine_facts(value: object, faults: list[str]) -> dict[str, Scalar]:
    """Return the plain facts of a machine, and note what is not usable."""
    return _fields(_with_accelerator(value), "machine", faults)


def _with_accelerator(machine: object) -> object:
    """Return `machine` with the accelerator's facts beside the others: ``accelerator_name`` and so on."""
    accelerator = machine.get("accelerator") if isinstance(machine, dict) else None
    if not isinstance(machine, dict) or not isinstance(accelerator, dict):
        return machine
    return {**machine, "accelerator": None, **{f"accelerator_{name}": held for name, held in accelerator.items()}}


def _fields(value: object, what: str, faults: list[str]) -> dict[str, Scalar]:
    """Return the plain facts of a machine or commit; a reader can do without the others."""
    if not isinstance(value, dict):
        faults.append(f"{what} must be an object")
        return {}
    fields: dict[str, Scalar] = {}
    for name, held in list(value.items())[:MOST_FIELDS]:
        try:
            if held is not None and not isinstance(held, dict | list):
                fields[text(name, what)] = scalar(held, f"{what}.{name}")
        except MalformedError as fault:
            faults.append(str(fault))
    return fields


def chain(faults: Iterable[str]) -> str:
    """Tell a file's faults in one line."""
    first, *others = faults
    return f"{first} (and {len(others)} more)" if others else first
