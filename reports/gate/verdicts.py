"""The verdicts that a comparison can come to, each declared once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from loaderbench.reports.gate.estimate import Estimate
from loaderbench.reports.vocabulary import METRICS

VerdictName = Literal["regressed", "failed", "gone", "unproven", "inconclusive", "improved", "new", "unchanged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictKind:
    """What a verdict means, and how a CI job is to take it."""

    name: VerdictName
    meaning: str
    tone: Literal["good", "bad", "warn", "muted", "plain"]
    junit: Literal["failure", "error", "skipped", ""] = ""  # the element of its test case; none where it passed
    is_calm: bool = False  # nobody need act on it: outputs fold it away


_UNPROVEN = "It looks changed, but so does a control, which no change to the code can affect: the machine changed."

# The gravest first: the order of all tables.
VERDICTS: Mapping[VerdictName, VerdictKind] = {
    kind.name: kind
    for kind in (
        VerdictKind(
            name="regressed",
            meaning="Worse by more than the margin, in two tests over all cases, and again in blocks measured later.",
            tone="bad",
            junit="failure",
        ),
        VerdictKind(
            name="failed", meaning="A revision could not measure the case. Never a pass.", tone="bad", junit="error"
        ),
        VerdictKind(
            name="gone",
            meaning="Head does not have the case any more. Not a pass unless --accept-gone is given.",
            tone="bad",
            junit="error",
        ),
        VerdictKind(name="unproven", meaning=_UNPROVEN, tone="warn", junit="error"),
        VerdictKind(
            name="inconclusive",
            meaning="The budget was spent before the blocks could tell.",
            tone="warn",
            junit="skipped",
        ),
        VerdictKind(
            name="improved",
            meaning="Better by more than the margin, shown in the same way as a regression.",
            tone="good",
        ),
        VerdictKind(name="new", meaning="Base does not have the case.", tone="plain", is_calm=True),
        VerdictKind(
            name="unchanged",
            meaning="The whole interval lies within the margin. Beside it stands the least change for the worse that "
            "so many blocks find in 95 of 100 comparisons.",
            tone="muted",
            is_calm=True,
        ),
    )
}
CHANGED: tuple[VerdictName, ...] = ("regressed", "improved")


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseVerdict:
    """The verdict on one metric of a case or, where nothing could be measured, on a case alone."""

    case: str
    verdict: VerdictName
    metric: str = ""
    why: str = ""
    estimate: Estimate | None = None
    tolerance: float = 0.0  # the effect that is too small to matter

    @property
    def kind(self) -> VerdictKind:
        """Return what the verdict means."""
        return VERDICTS[self.verdict]

    @property
    def label(self) -> str:
        """Return what a reader calls the metric."""
        return METRICS[self.metric].label if self.metric else ""
