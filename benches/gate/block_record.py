"""What a block leaves: every round of both revisions in the order in which it ran, and the cases that were missed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loaderbench.benches.gate.scheduler import BlockSchedule

Record = dict[str, Any]


def read_record(folder: Path) -> Record:
    """Return the ``run.json`` that a revision's process wrote; empty where it did not come to that."""
    file = folder / "run.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def samples(schedule: BlockSchedule, records: Mapping[str, Record]) -> Iterator[Record]:
    """Yield a row for each round that was granted and ended: its place in the order, and its metrics."""
    rounds = {revision: _rounds(record) for revision, record in records.items()}
    for place, turn in enumerate(schedule.turns):
        case = schedule.cases[turn.case]
        of_case = rounds[turn.revision].get(case.names[turn.revision], [])
        if turn.round < len(of_case):
            yield {
                "case": case.key, "revision": turn.revision, "round": turn.round, "place": place,
                "began_s": turn.began_s, **of_case[turn.round],
            }  # fmt: skip


def _rounds(record: Record) -> dict[str, list[Record]]:
    """Return the rounds of every case, each with its metrics."""
    rounds = {}
    for entry in record.get("benchmarks", ()):
        columns = entry["extra_info"]["rounds"]
        length = len(next(iter(columns.values()), ()))
        rounds[entry["name"]] = [{name: values[row] for name, values in columns.items()} for row in range(length)]
    return rounds


def missed(schedule: BlockSchedule, records: Mapping[str, Record]) -> Iterator[Record]:
    """Yield the cases that a revision failed or skipped, or did not come to."""
    for case in schedule.cases:
        for revision, name in case.names.items():
            record = records[revision]
            if any(entry["name"] == name for entry in record.get("benchmarks", ())):
                continue
            status, reason = _why_missed(record, name) or ("failed", schedule.faults.get(revision, "no record"))
            yield {"case": case.key, "revision": revision, "status": status, "reason": reason}


def _why_missed(record: Record, name: str) -> tuple[str, str] | None:
    for status in ("failed", "skipped"):
        for entry in record.get("loaderbench", {}).get(status, ()):
            if entry["name"] == name:
                return status, entry["reason"]
    return None
