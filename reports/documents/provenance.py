"""Where figures come from: the machine, the run, and what a reader must know before believing them."""

from collections.abc import Iterator, Mapping
from typing import Any

from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.records.frame import Records
from loaderbench.reports.records.schema import Run, Scalar
from loaderbench.reports.units import THIN, count, quantity

MOST_FAULTS = 8


def machine_words(machine: Mapping[str, Any]) -> str:
    """Say in one line what decides how fast anything can be on a machine, by its facts as they are recorded."""
    facts = machine_facts(dict(machine))
    return " · ".join(_machine_words(facts)) if facts else "machine unknown"


def _machine_words(facts: Mapping[str, Scalar]) -> Iterator[str]:
    if "cpu_model" in facts:
        yield str(facts["cpu_model"])
    if isinstance(cpus := facts.get("cpus_affinity", facts.get("cpus")), int):
        quota = facts.get("cpus_quota")
        yield count(cpus, "CPU") + (f" (quota {quota:g})" if isinstance(quota, int | float) else "")
    if isinstance(memory := facts.get("memory_bytes"), int | float):
        yield quantity(memory, "bytes")
    yield str(facts.get("accelerator_name", facts.get("accelerator", "no accelerator")))
    for name, word in (("torch", "torch"), ("python", "Python"), ("system", "")):
        if name in facts:
            yield f"{word} {facts[name]}".strip()


def provenance_line(run: Run) -> str:
    """Say when the run was made, of what commit, and how far it came."""
    return " · ".join((_when(run), *_commit(run), run.completeness))


def run_line(run: Run) -> str:
    """Name a run among several."""
    return f"{run.name}: {provenance_line(run)} · {machine_words(run.machine)}"


def _when(run: Run) -> str:
    return f"{run.started:%Y-%m-%d %H:%M} UTC" if run.started else "no date"


def _commit(run: Run) -> Iterator[str]:
    commit = run.commit
    if isinstance(identity := commit.get("id"), str) and identity not in {"", "unknown", "unversioned"}:
        branch = commit.get("branch")
        on = f" on {branch}" if isinstance(branch, str) and branch not in {"", "(unknown)"} else ""
        yield f"commit {identity[:10]}{on}{', with changes' if commit.get('dirty') is True else ''}"
    if run.version:
        yield f"loaderbench{THIN}{run.version}"


def notices(records: Records) -> Iterator[str]:
    """Yield a line for each thing that is incomplete, failed or was not read."""
    for run in records.runs:
        if not run.complete:
            yield f"Run {run.name} was {run.completeness}."
    if failed := int((records.missed["status"] == "failed").sum()):
        yield f"{count(failed, 'case')} failed: the reasons are in the table of all cases."
    if len(records.runs) > 1:
        yield (
            "Several runs: verdicts and figures show the newest run that has each bench and dataset. "
            "Runs are not averaged: they are other processes at other times."
        )
    for fault in records.faults[:MOST_FAULTS]:
        yield f"{fault.path.parent.name}/{fault.path.name}: {fault.what}"
    if len(records.faults) > MOST_FAULTS:
        yield f"{len(records.faults) - MOST_FAULTS} more files had faults."
