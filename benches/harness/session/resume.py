"""Going on with a run that was cut short: its record, and whether this is the machine that it began on."""

from pathlib import Path

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.session.record import Entry, records_in
from loaderbench.benches.harness.system import machine
from loaderbench.reports.records.json_files import MalformedError, in_file
from loaderbench.reports.records.run_json import run_content
from loaderbench.reports.records.schema import GROWING_RECORD, RECORD

# What must be the same before rounds of two sessions may stand in one record.
_SAME = ("cpu_model", "cpus_affinity", "cpus_quota", "python", "torch", "accelerator", "environment")
_ENDED = ("finished", "complete", "failed", "skipped")  # what is written anew once the run has ended


def check_new(folder: Path) -> None:
    """Raise RefusedError where a run's record is in `folder` already."""
    if names := records_in(folder):
        raise RefusedError(
            f"--run-dir {folder}: {names[0]} of an earlier run is there. Go on with --resume {folder}, "
            "or name a new folder"
        )


def resumed(folder: Path) -> tuple[Entry, list[Entry]]:
    """Return the header of the run in `folder` and what it measured; raises RefusedError where it cannot go on here."""
    try:
        header, entries = earlier_run(folder)
    except MalformedError as fault:
        raise RefusedError(f"--resume {folder}: {fault}") from None
    there, here = header["loaderbench"].get("machine") or {}, machine.facts()
    differ = [f"{name} was {there.get(name)}, is {here[name]}" for name in _SAME if there.get(name) != here[name]]
    if differ:
        raise RefusedError(f"--resume {folder}: not the machine it began on ({'; '.join(differ)}). Start a new run")
    return header, entries


def earlier_run(folder: Path) -> tuple[Entry, list[Entry]]:
    """Return header and measured cases of the run in `folder`, whether it ended or not; raises MalformedError."""
    if not (names := records_in(folder)):
        raise MalformedError(f"no {RECORD} and no {GROWING_RECORD} in {folder}")
    with in_file(names[-1]):
        document = run_content(folder / names[-1], faults=[])
        about = {name: value for name, value in document["loaderbench"].items() if name not in _ENDED}
        if "order" not in about:
            raise MalformedError("has no order of its cases")
    measured = document.pop("benchmarks", ())
    return {**document, "loaderbench": about}, [{"benchmark": case} for case in measured]
