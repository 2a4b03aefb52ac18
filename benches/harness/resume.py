"""Going on with a run that was cut short: its record, and whether this is the machine that it began on."""

from pathlib import Path

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.record import Entry, earlier_run, records_in
from loaderbench.benches.harness.system import machine
from loaderbench.reports.records.schema import SCHEMA

# What must be the same before rounds of two sessions may stand in one record.
_SAME = ("cpu_model", "cpus_affinity", "cpus_quota", "python", "torch", "accelerator", "environment")


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
    except (OSError, ValueError) as error:
        raise RefusedError(f"--resume {folder}: {error}") from error
    block = header["loaderbench"]
    if block.get("schema") != SCHEMA:
        raise RefusedError(f"--resume {folder}: it has schema {block.get('schema')}; this loaderbench writes {SCHEMA}")
    there, here = block.get("machine") or {}, machine.facts()
    differ = [f"{name} was {there.get(name)}, is {here[name]}" for name in _SAME if there.get(name) != here[name]]
    if differ:
        raise RefusedError(f"--resume {folder}: not the machine it began on ({'; '.join(differ)}). Start a new run")
    return header, [entry for entry in entries if "benchmark" in entry]
