"""Where figures come from: the machine, the run, and what a reader must know before believing them."""

from collections.abc import Iterator, Mapping

from loaderbench.reports.documents.report import Report
from loaderbench.reports.records.schema import Run, Scalar
from loaderbench.reports.stats.recommendation import MOST_SUBJECTS
from loaderbench.reports.units import THIN, count, quantity

MOST_FAULTS = 8


def machine_line(run: Run) -> str:
    """Name the machine: what decides how fast anything can be."""
    return machine_words(run.machine)


def machine_words(machine: Mapping[str, Scalar]) -> str:
    """Say a machine's facts in one line."""
    return " · ".join(_machine_words(machine)) or "machine unknown"


def _machine_words(held: Mapping[str, Scalar]) -> Iterator[str]:
    if "cpu_model" in held:
        yield str(held["cpu_model"])
    if isinstance(cpus := held.get("cpus_affinity", held.get("cpus")), int):
        quota = held.get("cpus_quota")
        yield count(cpus, "CPU") + (f" (quota {quota:g})" if isinstance(quota, int | float) else "")
    if isinstance(memory := held.get("memory_bytes"), int | float):
        yield quantity(memory, "bytes")
    yield str(held.get("accelerator_name", held.get("accelerator", "no accelerator")))
    for name, said in (("torch", "torch"), ("python", "Python"), ("system", "")):
        if name in held:
            yield f"{said} {held[name]}".strip()


def provenance_line(run: Run) -> str:
    """Say when the run was made, of what commit, and how far it came."""
    return " · ".join((_when(run), *_commit(run), run.completeness))


def run_line(run: Run) -> str:
    """Name a run among several."""
    return f"{run.name}: {provenance_line(run)} · {machine_line(run)}"


def _when(run: Run) -> str:
    return f"{run.started:%Y-%m-%d %H:%M} UTC" if run.started else "no date"


def _commit(run: Run) -> Iterator[str]:
    held = run.commit
    if isinstance(identity := held.get("id"), str) and identity not in {"", "unknown", "unversioned"}:
        branch = held.get("branch")
        on = f" on {branch}" if isinstance(branch, str) and branch not in {"", "(unknown)"} else ""
        yield f"commit {identity[:10]}{on}{', with changes' if held.get('dirty') is True else ''}"
    if run.version:
        yield f"loaderbench{THIN}{run.version}"


def notices(report: Report) -> Iterator[str]:
    """Yield a line for each thing that is incomplete, failed or was not read."""
    records = report.records
    for run in records.runs:
        if not run.complete:
            yield f"Run {run.name} was {run.completeness}."
    if failed := int((records.missed["status"] == "failed").sum()):
        yield f"{count(failed, 'case')} failed: the reasons are in the table of all cases."
    if len(records.runs) > 1:
        yield (
            "Several runs: verdicts and figures show the newest run that has each bench and dataset. "
            "Runs are not averaged, as they are other processes at other times."
        )
    if len(report.verdicts) == MOST_SUBJECTS:
        yield f"No more than {MOST_SUBJECTS} datasets and devices are given a verdict; every case is in the table."
    for fault in records.faults[:MOST_FAULTS]:
        yield f"{fault.path.parent.name}/{fault.path.name}: {fault.what}"
    if len(records.faults) > MOST_FAULTS:
        yield f"{len(records.faults) - MOST_FAULTS} more files had faults."
