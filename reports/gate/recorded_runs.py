"""Recorded runs compared: the same verdicts as the gate's, with a run in the place of a block.

Runs were not measured in turns, so what changed between them on the machine (other work, its temperature) is part of
their difference. From four runs of each revision on their spread shows how much that is; one run of each cannot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loaderbench.reports.gate.comparison import Comparison, Setup, lacking, worst_first
from loaderbench.reports.gate.estimate import (
    EXACT,
    Change,
    Estimate,
    Floats,
    candidate_changes,
    moved_controls,
    unpaired,
)
from loaderbench.reports.gate.paired_effects import REVISIONS, is_control, metric_values, rule_of
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.verdicts import CaseVerdict, VerdictName
from loaderbench.reports.records.frame import Records
from loaderbench.reports.records.schema import SAME_MACHINE, Run
from loaderbench.reports.units import count
from loaderbench.reports.vocabulary import FIDELITY_BENCH, case_identity
from loaderbench.reports.wording import settings_of

SAME = (*SAME_MACHINE, "threads")  # facts that must be the same for both
RATE = 0.05  # of false discoveries
FEWEST_RUNS = 4  # runs of each revision: with fewer, the exact test can never agree


def unlike(runs: Sequence[Run]) -> list[str]:
    """Return what tells the machines of `runs` apart, each with its values; nothing where they are alike."""
    seen = {name: {str(run.machine.get(name)) for run in runs} for name in SAME}
    return [f"{name}: {', '.join(sorted(values))}" for name, values in seen.items() if len(values) > 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedValues:
    """A metric of a case that both have: one value a run in the order of the runs, or one a round of a single run."""

    case: str
    metric: str
    base: Floats
    head: Floats
    runs: int  # of each, at least

    def records(self) -> Iterator[dict[str, object]]:
        """Yield the values of each revision, for a file."""
        for revision, values in zip(REVISIONS, (self.base, self.head), strict=True):
            yield {"case": self.case, "metric": self.metric, "revision": revision, "values": values.tolist()}


def compare(base: Records, head: Records, plan: Plan, setup: Setup) -> Comparison:
    """Compare runs with runs: from `FEWEST_RUNS` of each on, a case may be called regressed or improved."""
    of_base, of_head = _cases(base), _cases(head)
    both = [key for key in of_head if key in of_base]
    values = [value for key in both for value in _values(of_base[key], of_head[key])]
    estimates = [unpaired(value.case, value.metric, value.base, value.head, runs=value.runs) for value in values]
    moved = moved_controls(estimates, plan.margin)
    judged = [estimate for estimate in estimates if not is_control(estimate.case)]
    verdicts = [
        *_verdicts(judged, plan, moved, runs=min(len(base.runs), len(head.runs))),
        *_failed(base, head),
        *lacking(
            new=[_name(rounds) for key, rounds in of_head.items() if key not in of_base],
            gone=[_name(rounds) for key, rounds in of_base.items() if key not in of_head],
        ),
    ]
    return Comparison(
        setup=setup,
        plan=plan,
        verdicts=worst_first(verdicts),
        moved=moved,
        values=tuple(record for value in values for record in value.records()),
    )


def label_of_runs(records: Records) -> str:
    """Return how many runs of which commits and versions there are."""
    commits = dict.fromkeys(str(run.commit.get("id") or "")[:8] or "an unknown commit" for run in records.runs)
    versions = dict.fromkeys(f"torch {run.machine.get('torch', '?')}" for run in records.runs)
    return f"{count(len(records.runs), 'run')} of {', '.join(commits)} ({', '.join(versions)})"


def _cases(records: Records) -> dict[str, pd.DataFrame]:
    """Return the timed rounds of each case, by its bench and settings: a name says only what varied in its run."""
    frame = records.frame
    rounds = frame[~frame["warmup"].astype(bool) & (frame["bench"] != FIDELITY_BENCH)]
    settings = settings_of(frame)
    return {
        case_identity(bench, dict(zip(settings, values, strict=True))): case
        for (bench, *values), case in rounds.groupby(["bench", *settings], dropna=False, sort=False)
    }


def _name(rounds: pd.DataFrame) -> str:
    return str(rounds["case"].iloc[-1]).removeprefix("bench_")


def _values(base: pd.DataFrame, head: pd.DataFrame) -> Iterator[RecordedValues]:
    case, runs = _name(head), min(rounds["run"].nunique() for rounds in (base, head))
    of_base, of_head = metric_values(base), metric_values(head)
    for metric in (metric for metric in of_head if metric in of_base):
        pairs = ((base, of_base[metric]), (head, of_head[metric]))
        of_runs = [_of_runs(rounds["run"], values, is_summed=rule_of(metric).is_summed) for rounds, values in pairs]
        if all(map(len, of_runs)):
            yield RecordedValues(case=case, metric=metric, base=of_runs[0], head=of_runs[1], runs=runs)


def _of_runs(runs: pd.Series, values: pd.Series, *, is_summed: bool) -> Floats:
    """Return one value a run, or one a round where there is one run."""
    known = pd.DataFrame({"run": runs, "value": values}).dropna()
    of_runs = known.groupby("run")["value"].agg("mean" if is_summed else "median")
    return (of_runs if len(of_runs) > 1 else known["value"]).to_numpy(np.float64)


def _verdicts(judged: Sequence[Estimate], plan: Plan, moved: Sequence[str], *, runs: int) -> Iterator[CaseVerdict]:
    candidates = candidate_changes(judged, plan.margin, RATE)
    for estimate in judged:
        change = candidates.get((estimate.case, estimate.metric))
        verdict, why = _verdict(estimate, change, plan, runs)
        yield CaseVerdict.of(estimate, verdict, why, margin=plan.margin, candidate=change, moved=moved)


def _verdict(estimate: Estimate, candidate: Change | None, plan: Plan, runs: int) -> tuple[VerdictName, str]:
    if runs == 1:
        why = "one run of each: the interval is within-run spread, and two fresh processes differ by more"
        return "inconclusive", why
    if estimate.blocks < FEWEST_RUNS:
        return "inconclusive", f"{estimate.blocks} runs of one revision; a verdict needs {FEWEST_RUNS}"
    if candidate and estimate.exact_p_value(candidate) <= EXACT:
        return candidate, ""
    if estimate.is_within(plan.margin):
        return "unchanged", ""
    return "inconclusive", estimate.why_undecided(plan.margin)


def _failed(base: Records, head: Records) -> Iterator[CaseVerdict]:
    for revision, records in zip(REVISIONS, (base, head), strict=True):
        failed = records.missed[records.missed["status"] == "failed"].drop_duplicates("case", keep="last")
        for case, reason in zip(failed["case"], failed["reason"], strict=True):
            yield CaseVerdict(case=str(case).removeprefix("bench_"), verdict="failed", why=f"{revision}: {reason}")
