"""What a reader must know before believing a report: what is incomplete, failed or was not read."""

from collections.abc import Iterator

from loaderbench.reports.quantities import count
from loaderbench.reports.report import Report

MOST_FAULTS = 8


def notices(report: Report) -> Iterator[str]:
    """Yield a line for each."""
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
    for fault in records.faults[:MOST_FAULTS]:
        yield f"{fault.path.parent.name}/{fault.path.name}: {fault.what}"
    if len(records.faults) > MOST_FAULTS:
        yield f"{len(records.faults) - MOST_FAULTS} more files had faults."
