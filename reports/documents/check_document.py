"""What `loaderbench check` says: what a loader will need, and what the machine has."""

from collections.abc import Mapping, Sequence

from loaderbench.reports.check.preflight import Finding, Level
from loaderbench.reports.documents.document import Cell, Column, Document, Table, Text, Tone
from loaderbench.reports.units import quantity

TONES: Mapping[Level, Tone] = {"fine": "good", "note": "warn", "wrong": "bad"}
COLUMNS = (
    Column(label="result"),
    Column(label="what"),
    Column(label="needs", number=True),
    Column(label="limit", number=True),
    Column(label="why, and what to do", wide=True),
)


def wrong(findings: Sequence[Finding]) -> list[str]:
    """Return the names of what would crash or be wrong."""
    return [finding.name for finding in findings if finding.level == "wrong"]


def check_document(findings: Sequence[Finding]) -> Document:
    """Return everything that the command says."""
    faults = wrong(findings)
    verdict = f"would crash or be wrong: {', '.join(faults)}" if faults else "nothing that would crash or be wrong"
    return Document(
        title="What this loader will need",
        parts=(
            Table(
                columns=COLUMNS,
                rows=tuple(_row(finding) for finding in findings),
                kinds=tuple(finding.level for finding in findings),
            ),
            Text(text=verdict, strong=True, tone="bad" if faults else "good"),
        ),
    )


def _row(finding: Finding) -> tuple[Cell, ...]:
    return (
        Cell(text=finding.level, tone=TONES[finding.level]),
        Cell(text=finding.name),
        _amount(finding.needed, finding.unit),
        _amount(finding.limit, finding.unit),
        Cell(text=finding.why, note=finding.remedy),
    )


def _amount(value: float | None, unit: str) -> Cell:
    return Cell(text="" if value is None else quantity(value, unit), number=value)
