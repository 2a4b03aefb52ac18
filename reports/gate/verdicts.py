"""The verdicts that a comparison can come to, each declared once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from loaderbench.reports.gate.estimate import CHANGES, Change, Estimate
from loaderbench.reports.vocabulary import METRICS

VerdictName = Literal["regressed", "failed", "gone", "unproven", "inconclusive", "improved", "new", "unchanged"]


@dataclass(frozen=True, slots=True)
class VerdictKind:
    """What a verdict means, and how a CI job is to take it."""

    name: VerdictName
    tone: Literal["good", "bad", "warn", "muted", "plain"]
    junit: Literal["failure", "error", "skipped", ""]  # the element of its test case; none where it passed
    meaning: str

    @property
    def needs_action(self) -> bool:
        """Return whether someone is to act on it; outputs fold away what needs none."""
        return self.tone not in ("muted", "plain")


# The worst first: the order of all tables.
_KINDS = (
    VerdictKind(
        "regressed", "bad", "failure",
        "Worse by more than the margin, in two tests over all cases, and again in blocks measured later.",
    ),
    VerdictKind("failed", "bad", "error", "A revision could not measure the case. Never a pass."),
    VerdictKind(
        "gone", "bad", "error", "Head does not have the case any more. Not a pass unless --accept-gone is given."
    ),
    VerdictKind(
        "unproven", "warn", "error",
        "It looks changed, but so does a control, which no change to the code can affect: the machine changed.",
    ),
    VerdictKind("inconclusive", "warn", "skipped", "The measurements do not decide it; the reason is below the case."),
    VerdictKind("improved", "good", "", "Better by more than the margin, shown in the same way as a regression."),
    VerdictKind("new", "plain", "", "Base does not have the case."),
    VerdictKind(
        "unchanged", "muted", "",
        "The whole interval lies within the margin. Beside it stands the smallest change for the worse that this "
        "many blocks find in 95 of 100 comparisons.",
    ),
)  # fmt: skip
VERDICTS: Mapping[VerdictName, VerdictKind] = {kind.name: kind for kind in _KINDS}


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseVerdict:
    """The verdict on one metric of a case or, where nothing could be measured, on a case alone."""

    case: str
    verdict: VerdictName
    metric: str = ""
    why: str = ""
    estimate: Estimate | None = None
    tolerance: float = 0.0  # the effect that is too small to matter
    candidate: Change | None = None  # what it looks like, where that was not confirmed

    @classmethod
    def of(
        cls,
        estimate: Estimate,
        verdict: VerdictName,
        why: str,
        *,
        margin: float,
        candidate: Change | None,
        moved: Sequence[str],
    ) -> Self:
        """Return the verdict on a metric; where controls `moved`, which would explain a change, it is unproven."""
        if moved and (candidate or verdict in CHANGES):
            verdict, why = "unproven" if verdict in CHANGES else verdict, f"a control moved: {', '.join(moved)}"
        return cls(
            case=estimate.case,
            metric=estimate.metric,
            verdict=verdict,
            why=why,
            estimate=estimate,
            tolerance=estimate.tolerance(margin),
            candidate=candidate if verdict == "inconclusive" else None,
        )

    @property
    def kind(self) -> VerdictKind:
        """Return what the verdict means."""
        return VERDICTS[self.verdict]

    @property
    def label(self) -> str:
        """Return what a reader calls the metric."""
        return METRICS[self.metric].label if self.metric else ""
