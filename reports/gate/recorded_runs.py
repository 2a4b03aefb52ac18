"""Recorded runs compared: the same judgement as the gate's, with a run in the place of a block.

Runs were not measured in turns, and so what moved between them (another tenant on the machine, a warmer room) stands in
their difference. From four runs a side on their spread says how much that is; one run a side cannot know.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from loaderbench.reports.gate.comparison import About, Judgement, Row, ordered
from loaderbench.reports.gate.estimate import EXACT, Estimate, Floats, Word, is_control, suspects, unpaired
from loaderbench.reports.gate.paired_effects import Judged, judged
from loaderbench.reports.gate.sequential import Plan
from loaderbench.reports.records.frame import Records
from loaderbench.reports.records.schema import Run

# What must be the same on both sides. Versions may be what is compared, and are named in the sides' labels.
KIND = ("cpu_model", "cpus_affinity", "cpus_quota", "threads", "accelerator_name")
_ASIDE = "fidelity"  # asks about the suite itself
RATE = 0.05  # of false discoveries
FEWEST = 4  # runs a side: with fewer, the exact test can never agree


def unlike(runs: Sequence[Run]) -> list[str]:
    """What tells the machines of `runs` apart, each with its values; nothing where they are alike."""
    seen = {name: {str(run.machine.get(name)) for run in runs} for name in KIND}
    return [f"{name}: {', '.join(sorted(values))}" for name, values in seen.items() if len(values) > 1]


def compare(base: Records, head: Records, plan: Plan, about: About) -> Judgement:
    """Judge runs against runs: `FEWEST` and more a side may be called regressed or improved."""
    sides = [_cases(records) for records in (base, head)]
    both = [key for key in sides[1] if key in sides[0]]
    estimates = [each for key in both for each in _estimates(sides[0][key], sides[1][key])]
    runs = min(len(base.runs), len(head.runs))
    moved = _moved([each for each in estimates if is_control(each.case)], plan)
    found = [each for each in estimates if not is_control(each.case)]
    rows = [*_rows(found, plan, moved, runs), *_missed(base, head)]
    rows += [
        Row(case=_name(case), word="gone", why="head does not have it")
        for key, case in sides[0].items()
        if key not in sides[1]
    ]
    rows += [
        Row(case=_name(case), word="new", why="base does not have it")
        for key, case in sides[1].items()
        if key not in sides[0]
    ]
    values = [each for key in both for each in _recorded(sides[0][key], sides[1][key])]
    return Judgement(about=about, plan=plan, rows=ordered(rows), moved=tuple(moved), values=tuple(values))


def label(records: Records) -> str:
    """How many runs of which commits and versions a side has."""
    commits = dict.fromkeys(str(run.commit.get("id") or "no commit")[:8] for run in records.runs)
    versions = dict.fromkeys(f"torch {run.machine.get('torch', '?')}" for run in records.runs)
    count = len(records.runs)
    return f"{count} run{'s' if count > 1 else ''} of {', '.join(commits)} ({', '.join(versions)})"


def _cases(records: Records) -> dict[Hashable, pd.DataFrame]:
    """The timed rounds of each case, by its bench and settings: a name says only what varied in its run."""
    frame = records.frame
    rounds = frame[~frame["warmup"].astype(bool) & (frame["bench"] != _ASIDE)] if len(frame) else frame
    named = list(frame.columns)
    identity = named[named.index("bench") : named.index("warmup")] if len(frame) else ["bench"]  # and the settings
    return {
        str(sorted((name, str(value)) for name, value in zip(identity, key, strict=True) if str(value) != "nan")): held
        for key, held in rounds.groupby(identity, dropna=False, sort=False)
    }


def _name(rounds: pd.DataFrame) -> str:
    return str(rounds["case"].iloc[-1]).removeprefix("bench_")


def _estimates(base: pd.DataFrame, head: pd.DataFrame) -> Iterator[Estimate]:
    case = _name(head)
    for quantity in judged(case):
        values = [_values(held, quantity) for held in (base, head)]
        if all(map(len, values)):
            runs = min(held["run"].nunique() for held in (base, head))
            yield unpaired(case, quantity, values[0], values[1], runs=runs)


def _recorded(base: pd.DataFrame, head: pd.DataFrame) -> Iterator[dict[str, object]]:
    """What was judged, in the order of the runs, so that another tool can judge it again."""
    case = _name(head)
    for quantity in judged(case):
        for side, held in (("base", base), ("head", head)):
            yield {"case": case, "metric": quantity.name, "side": side, "values": _values(held, quantity).tolist()}


def _values(rounds: pd.DataFrame, quantity: Judged) -> Floats:
    """One side's values of a metric: one a run, or one a round where there is one run."""
    values = quantity.value(rounds).replace([np.inf, -np.inf], np.nan)
    if quantity.scale == "ratio":
        values = values.where(values > 0)
    held = pd.DataFrame({"run": rounds["run"], "value": values}).dropna()
    of_runs = held.groupby("run")["value"].agg("mean" if quantity.summed else "median")
    return (of_runs if len(of_runs) > 1 else held["value"]).to_numpy(np.float64)


def _moved(controls: Sequence[Estimate], plan: Plan) -> list[str]:
    called = suspects(controls, plan.margin, 0.01)
    return [
        each.case for each in controls if (word := called.get((each.case, each.metric))) and each.exact(word) <= EXACT
    ]


def _rows(found: Sequence[Estimate], plan: Plan, moved: Sequence[str], runs: int) -> Iterator[Row]:
    called = suspects(found, plan.margin, RATE)
    for each in found:
        word, why = _verdict(each, called.get((each.case, each.metric)), plan, runs)
        if moved and word in ("regressed", "improved"):
            word, why = "unproven", f"a control moved: {', '.join(moved)}"
        yield Row(
            case=each.case, metric=each.metric, word=word, why=why, estimate=each, tolerance=each.tolerance(plan.margin)
        )


def _verdict(each: Estimate, suspected: Word | None, plan: Plan, runs: int) -> tuple[Word, str]:
    if runs == 1:
        return (
            "inconclusive",
            "one run a side: the interval is within-run spread, and two fresh processes differ by more",
        )
    if each.blocks < FEWEST:
        return "inconclusive", f"{each.blocks} runs on a side; a verdict needs {FEWEST}"
    if suspected and each.exact(suspected) <= EXACT:
        return suspected, ""
    if each.is_within(plan.margin):
        return "unchanged", ""
    return "inconclusive", f"it takes a change of {each.detectable / each.tolerance(plan.margin):.1f} margins to tell"


def _missed(base: Records, head: Records) -> Iterator[Row]:
    for name, records in (("base", base), ("head", head)):
        failed = records.missed[records.missed["status"] == "failed"]
        for case, held in failed.groupby("case"):
            reasons: Mapping[Hashable, object] = held.iloc[-1].to_dict()
            yield Row(case=str(case).removeprefix("bench_"), word="failed", why=f"{name}: {reasons['reason']}")
