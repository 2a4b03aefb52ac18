"""A run's file as a JSON document of one form, whether the run ended (``run.json``) or did not (``run.jsonl``)."""

from pathlib import Path
from typing import Any

from loaderbench.reports.records.json_files import MalformedError, content_of, convert, parse, require_schema
from loaderbench.reports.records.schema import ENDINGS, LONGEST_TEXT, SCHEMA


def run_content(file: Path, faults: list[str]) -> dict[str, Any]:
    """Return what a run's file holds, in the form of a ``run.json``; raises MalformedError.

    Lines of a growing record that cannot be used are left out, and added to `faults`.
    """
    content = content_of(file)
    return _journal(content, faults) if file.suffix == ".jsonl" else _checked(parse(content))


def _journal(content: bytes, faults: list[str]) -> dict[str, Any]:
    """Return a growing record's header and cases; what follows the last newline was cut off in the writing."""
    head, *lines = content.split(b"\n")
    if not lines:
        raise MalformedError("is cut off: not even its first line is whole")
    document = _checked(parse(head, "line"))
    ended: dict[str, dict[str, object]] = {kind: {} for kind in ENDINGS}
    for number, line in enumerate(lines[:-1], start=2):
        try:
            kind, entry = _ending(line)
            ended[kind][name_of(entry, f"line {number}")] = entry  # the last line of a case has all its rounds
        except MalformedError as error:
            faults.append(f"line {number} {error}")
    lists = {kind: list(entries.values()) for kind, entries in ended.items()}
    of_run = {**document["loaderbench"], "failed": lists["failed"], "skipped": lists["skipped"], "complete": False}
    return {**document, "benchmarks": lists["benchmark"], "loaderbench": of_run}


def name_of(entry: object, otherwise: str) -> str:
    """Return the name by which a fault of a case's `entry` is reported, in one line."""
    name = entry.get("name") if isinstance(entry, dict) else None
    return " ".join(name[:LONGEST_TEXT].split()) if isinstance(name, str) and name.strip() else otherwise


def _ending(line: bytes) -> tuple[str, object]:
    """Return how the case of a growing record's line ended, and what is recorded of it."""
    entry = convert(parse(line, "line"), dict[str, Any])
    for kind in ENDINGS:
        if kind in entry:
            return kind, entry[kind]
    raise MalformedError(f"holds none of {', '.join(ENDINGS)}")


def _checked(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict) or not isinstance(document.get("loaderbench"), dict):
        raise MalformedError('is not a loaderbench run: it has no object "loaderbench"')
    require_schema(document["loaderbench"], SCHEMA, "run")
    return document
