"""The ranking: what each cause costs an epoch, from A/B passes with it and without it.

The unit of inference is a block, a fresh pair of loaders. Its effect is the median over its pairs of passes of
log(with / without). The mean over blocks has a t interval (Student 1908); of all interventions said to help or to
harm, at most 5 % are so by chance (Y. Benjamini, Y. Hochberg, J. R. Statist. Soc. B 57, 1995).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from loaderbench.reports.explain.explain_record import Explanation, InterventionFacts, PassBlock
from loaderbench.reports.explain.mean_interval import MeanInterval, mean_interval
from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.stats.significance import discoveries
from loaderbench.reports.units import count

InterventionOutcome = Literal["helps", "harms", "no difference", "unclear", "not run"]
OUTCOMES: tuple[InterventionOutcome, ...] = (
    "helps",
    "unclear",
    "no difference",
    "harms",
    "not run",
)  # as they are listed

FALSE_DISCOVERIES = 0.05  # of what is said to help or to harm, by chance
_SHORTEST = 0.01  # of a pass that starts its workers: the least that is left of it without the start
FEWEST_BLOCKS = 4  # of an intervention, before anything is said of it


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedIntervention:
    """The outcome of one intervention; `gain` is the share of an epoch that it saves."""

    cause: str
    outcome: InterventionOutcome
    evidence: str = ""
    change: str = ""  # the line of code
    call: str = ""  # of DataLoader, with the change made
    caveat: str = ""  # what else the change does
    combines: tuple[str, ...] = ()  # the causes that are removed together
    reason: str = ""  # why it was not run
    blocks: int = 0
    gain: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochTime:
    """Seconds of an epoch of the whole dataset; NaN where no pass was measured."""

    passes_s: float  # workers running
    start_s: float  # of starting and ending its workers, where they are not persistent
    samples: int  # of it

    @property
    def seconds(self) -> float:
        """Return both together."""
        return self.passes_s + self.start_s

    def scale(self, block: PassBlock) -> float:
        """Return the samples of an epoch, over those that a pass of `block` reads."""
        return self.samples / block.samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Every intervention, the one that saves most first."""

    explanation: Explanation
    epoch: EpochTime
    interventions: tuple[RankedIntervention, ...]

    @property
    def headline(self) -> str:
        """Return the one thing to do, or that there is none."""
        best = self.best
        if not self.explanation.blocks:
            return "Nothing was tried: give it more time (--budget)"
        if best is None and self.undecided:
            causes = count(self.undecided, "cause")
            return f"Nothing is shown to make this loader faster; {causes} not decided: give it more time (--budget)"
        if best is None:
            return "Nothing that was tried makes this loader faster"
        what = best.cause.capitalize() if best.combines else f"Remove '{best.cause}'"
        return f"{what}: an epoch then takes {1 - best.gain:.2f} times as long"

    @property
    def undecided(self) -> int:
        """Return how many causes could be removed, but too few blocks, or none, say what that changes."""
        could_be = {facts.cause for facts in self.explanation.interventions}
        return sum(one.cause in could_be and one.outcome in ("unclear", "not run") for one in self.interventions)

    @property
    def best(self) -> RankedIntervention | None:
        """Return what to do: the intervention that saves most of an epoch; None where none helps."""
        first = self.interventions[0] if self.interventions else None
        return first if first is not None and first.outcome == "helps" else None


def read_ranking(path: Path) -> Ranking:
    """Return the ranking of an ``explain.json``, or of the folder that holds one; raises MalformedError."""
    return rank(Explanation.read(path))


def rank(explanation: Explanation) -> Ranking:
    """Rank the interventions of an explanation."""
    blocks = defaultdict(list)
    for block in explanation.blocks:
        blocks[block.cause].append(block)
    measured = [facts for facts in explanation.interventions if facts.cause in blocks]
    epoch = _epoch_time(explanation, measured, blocks)
    estimates = [
        mean_interval([_effect(facts, block, epoch) for block in blocks[facts.cause]], FEWEST_BLOCKS)
        for facts in measured
    ]
    significant = discoveries([estimate.p_value for estimate in estimates], FALSE_DISCOVERIES)
    ranked = [
        _ranked(facts, blocks[facts.cause], estimate, epoch, is_significant=is_significant)
        for facts, estimate, is_significant in zip(measured, estimates, significant, strict=True)
    ]
    ranked.sort(key=_place)
    return Ranking(explanation=explanation, epoch=epoch, interventions=(*ranked, *_not_run(explanation, blocks)))


def _place(intervention: RankedIntervention) -> tuple[int, float]:
    """Return what interventions are sorted by; a combination comes before a single one that saves about as much."""
    is_as_good = MARGIN if intervention.combines else 0.0
    return OUTCOMES.index(intervention.outcome), -(intervention.gain + is_as_good)


def _not_run(explanation: Explanation, blocks: Mapping[str, object]) -> list[RankedIntervention]:
    end = "it was interrupted before its first block" if explanation.interrupted else "not tried: the budget"
    reasons = {facts.cause: end for facts in explanation.interventions if facts.cause not in blocks}
    reasons |= {not_run.cause: not_run.reason for not_run in explanation.not_run}
    return [RankedIntervention(cause=cause, outcome="not run", reason=reason) for cause, reason in reasons.items()]


def _effect(facts: InterventionFacts, block: PassBlock, epoch: EpochTime) -> float:
    """Return the median over the pairs of passes of log(with / without): above 0 where the cause costs time.

    Where only the loader with the cause starts its workers in every pass, and a pass is a part of an epoch, both are
    scaled to an epoch: it has one start.
    """
    with_cause_s, without_cause_s = np.asarray(block.with_cause_s), np.asarray(block.without_cause_s)
    if facts.keeps_workers and not facts.once_per_epoch:
        passes_s = np.maximum(with_cause_s - epoch.start_s, _SHORTEST * with_cause_s)
        with_cause_s = epoch.start_s + epoch.scale(block) * passes_s
        without_cause_s = epoch.scale(block) * without_cause_s
    return float(np.median(np.log(with_cause_s / without_cause_s)))


def _epoch_time(
    explanation: Explanation, measured: Sequence[InterventionFacts], blocks: Mapping[str, Sequence[PassBlock]]
) -> EpochTime:
    """Return the time of an epoch: passes over a part of the dataset, scaled, and starting its workers once."""
    samples = explanation.dataset.samples
    passes_s = [
        samples / block.samples * seconds
        for facts in measured
        if not facts.once_per_epoch and not facts.builds_on and not facts.keeps_workers
        for block in blocks[facts.cause]
        for seconds in block.with_cause_s
    ]
    starts_s = [
        np.median(block.with_cause_s) - np.median(block.without_cause_s)
        for facts in measured
        if facts.keeps_workers and facts.once_per_epoch
        for block in blocks[facts.cause]
    ]
    return EpochTime(
        passes_s=float(np.median(passes_s)) if passes_s else math.nan,
        start_s=max(0.0, float(np.median(starts_s))) if starts_s else explanation.start_s,
        samples=samples,
    )


def _ranked(
    facts: InterventionFacts,
    blocks: Sequence[PassBlock],
    estimate: MeanInterval,
    epoch: EpochTime,
    *,
    is_significant: bool,
) -> RankedIntervention:
    with_cause_s = float(np.median([seconds for block in blocks for seconds in block.with_cause_s]))
    paid_s = epoch.passes_s  # what of an epoch the intervention shortens
    if facts.once_per_epoch:
        paid_s = with_cause_s
    elif facts.keeps_workers:
        paid_s = epoch.seconds
    elif facts.builds_on:
        paid_s = float(np.median([epoch.scale(block) * np.median(block.with_cause_s) for block in blocks]))
    share = min(1.0, paid_s / epoch.seconds) if epoch.seconds > 0 else 1.0  # all of it where no pass was measured
    gain, low, high = (-math.expm1(-effect) * share for effect in (estimate.mean, estimate.low, estimate.high))
    return RankedIntervention(
        cause=facts.cause,
        outcome=_outcome(gain, low, high, is_significant=is_significant),
        evidence=facts.evidence,
        change=facts.change,
        call=facts.call,
        caveat=facts.caveat,
        combines=facts.combines,
        blocks=len(blocks),
        gain=gain,
        low=low,
        high=high,
    )


def _outcome(gain: float, low: float, high: float, *, is_significant: bool) -> InterventionOutcome:
    if is_significant and gain >= MARGIN:
        return "helps"
    if is_significant and gain <= -MARGIN:
        return "harms"
    return "no difference" if low > -MARGIN and high < MARGIN else "unclear"
