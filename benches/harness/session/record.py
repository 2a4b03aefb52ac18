"""The record of a run, on disk as soon as each case has ended."""

import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from loaderbench.benches.harness.session.more_rounds import with_more_rounds
from loaderbench.reports.records.schema import GROWING_RECORD, RECORD, SCHEMA

Entry = dict[str, Any]

RUNS = Path("runs")
"""Where records go, unless it is said otherwise."""


@dataclass(slots=True)
class RunRecord:
    """A run's folder. `GROWING_RECORD` grows case by case and becomes `RECORD`, in pytest-benchmark's format."""

    folder: Path
    header: Entry
    entries: list[Entry] = field(default_factory=list)
    _file: TextIO | None = None

    def open(self) -> None:
        """Start the growing record, with what an earlier part of this run already knows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / f"{GROWING_RECORD}.new"
        self._file = written.open("w", encoding="utf-8")
        for line in (self.header, *self.entries):
            self._write(line)
        written.replace(self.folder / GROWING_RECORD)

    def add(self, kind: str, entry: Entry) -> None:
        """Add a case that has ended, as one of `ENDINGS`: it is on disk when this returns.

        A case that was measured before in this run gets more rounds; one that now failed has failed.
        """
        before = self.entries
        earlier = next((other for other in before if _name(other) == entry["name"]), None)
        if earlier and kind == "benchmark" and kind in earlier:
            entry = with_more_rounds(earlier[kind], entry)
        # First: an interrupt between the two must not lose the case.
        self.entries = [*(other for other in before if other is not earlier), {kind: entry}]
        try:
            self._write(self.entries[-1])
        except OSError:
            self.entries = before
            raise

    def close(self) -> Path:
        """Write the whole record, atomically, drop the growing one, and return the record's path.

        Where the record cannot be written (OSError), the growing one stays.
        """
        if self._file is not None:
            with suppress(OSError):  # the rest of a line that did not fit on the disk
                self._file.close()
        record = self.folder / RECORD
        written = record.with_suffix(".new")
        try:
            written.write_text(dumps(self.whole()), encoding="utf-8")
        except OSError:
            written.unlink(missing_ok=True)
            raise
        written.replace(record)
        (self.folder / GROWING_RECORD).unlink(missing_ok=True)
        return record

    @property
    def missing(self) -> list[str]:
        """Return the planned cases that have not ended, in their order."""
        ended = set(map(_name, self.entries))
        return [name for name in self.header["loaderbench"]["order"] if name not in ended]

    def whole(self) -> Entry:
        """Return the record: pytest-benchmark's keys, and ``loaderbench``."""
        ours = {
            **self.header["loaderbench"],
            "finished": now().isoformat(),
            "complete": not self.missing,
            "failed": self.of("failed"),
            "skipped": self.of("skipped"),
        }
        return {**self.header, "benchmarks": self.of("benchmark"), "loaderbench": ours}

    def of(self, kind: str) -> list[Entry]:
        """Return the entries of one kind, of `ENDINGS`."""
        return [entry[kind] for entry in self.entries if kind in entry]

    def _write(self, line: Entry) -> None:
        if self._file is None:
            raise RuntimeError(f"the record in {self.folder} is not open")
        self._file.write(f"{dumps(line)}\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def make_new_folder(folder: Path) -> Path:
    """Make and return `folder`, or the first of `numbered` that is not there: two runs may begin in one second."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return next(filter(_is_made, numbered(folder)))


def unused_folder(name: str) -> Path:
    """Return ``runs/<when>-<name>``, or the first of `numbered` that is not there; it is not made."""
    return next(folder for folder in numbered(RUNS / f"{now():%Y%m%d-%H%M%S}-{name}") if not folder.exists())


def numbered(folder: Path) -> Iterator[Path]:
    """Yield `folder`, then folders of its name and a number: ``-2``, ``-3``, …."""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in count(2))


def _is_made(folder: Path) -> bool:
    """Make `folder`; return False where it is there already."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def records_in(folder: Path) -> list[str]:
    """Return the names of the records in `folder`, of a run that ended or of one that did not."""
    return [name for name in (RECORD, GROWING_RECORD) if (folder / name).exists()]


def _name(entry: Entry) -> str:
    """Return the name of the case that an entry is of."""
    return next(str(case["name"]) for case in entry.values())


def now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


def new_run() -> str:
    """Return a new run's name: when it began, and what no other run has."""
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def about_run(facts: Entry) -> Entry:
    """Return what a new record says under ``loaderbench``."""
    return {
        "schema": SCHEMA,
        "run": new_run(),
        "version": version("loaderbench"),
        "started": now().isoformat(),
        "finished": None,
        "complete": False,
        "machine": facts,
    }


def dumps(value: Any) -> str:
    """Return JSON that any reader takes: what is not finite is null, what JSON does not know is its text."""
    return json.dumps(_finite(value), default=str, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
