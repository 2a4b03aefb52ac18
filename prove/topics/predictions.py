"""Does what ``loaderbench whatif`` predicts happen? Predictions beside passes that were measured and not used."""

import json
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from time import perf_counter

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.units import percent, quantity
from loaderbench.reports.whatif.whatif_record import COVERAGE, HeldOutPass, WhatIf, inside
from prove.commands import loaderbench
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

DATASETS = ("text", "images", "tokens", "table")
# Samples that wait for 5 ms, of no CPU: a batch of 8 every 8 ms takes 8 × 5 / 8 workers.
WAITING = "loaderbench.datasets.synthetic.pitfalls:SlowSamples"
FOR_WAITING = ("--batch-size", "8", "--num-workers", "1,4,8", "--cpus", "64", "--step", "8ms")
WORKERS = 8 * 5 / 8
BUDGET_S, SHORT_BUDGET_S = 60, 30
LATE = 1.2  # the factor by which a command may exceed its budget
MISSED = f"whatif: passes of {', '.join(DATASETS)} that were not used, median error"
WORST = f"whatif: passes of {', '.join(DATASETS)} that were not used, largest error"
COVERED = "whatif: those passes in the interval that the others give their prediction"
ENDED = "whatif: time that a command takes over its budget, the longest"
KEEPS_UP = f"whatif: workers that keep up with a step which takes {WORKERS:g}, off by so many"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the errors of held-out passes, of the workers that are said to keep up with a step, and of the budget."""
    sleep_s, samples = (0.0005, 64) if scope.short else (0.005, 256)
    made = json.dumps({"samples": 4096, "usual_s": sleep_s, "slow_s": sleep_s})
    waiting = ("--dataset", WAITING, "--dataset-args", made, "--samples", str(samples), *FOR_WAITING)
    shares = [_share_of_budget(*waiting, "--out", "waiting", scope=scope)]
    for dataset in DATASETS[: scope.of(len(DATASETS), 0)]:
        arguments = ("--dataset", dataset, "--num-workers", "1,2,4", "--out", dataset)
        shares.append(_share_of_budget(*arguments, scope=scope))
    passes = _held_out(scope).values()
    errors = [abs(held_out.error) for of_dataset in passes for held_out in of_dataset]
    uncertainty = median(held_out.uncertainty for of_dataset in passes for held_out in of_dataset)
    covered = [is_inside for of_dataset in passes for is_inside in inside(of_dataset)]
    needed = WhatIf.read(scope.folder / "waiting").workers_needed[0].likely
    return {
        MISSED: Measured(
            value=median(errors), note=f"{len(errors)} passes, measured with a standard error of {percent(uncertainty)}"
        ),
        WORST: Measured(value=max(errors)),
        COVERED: Measured(value=fmean(covered), note=f"{sum(covered)} of {len(covered)}"),
        KEEPS_UP: Measured(value=abs((needed or 0) - WORKERS)),
        ENDED: Measured(value=max(shares)),
    }


def _share_of_budget(*arguments: str, scope: Scope) -> float:
    """Return what the whole command takes, over its budget."""
    budget_s = scope.of(BUDGET_S, SHORT_BUDGET_S)
    began = perf_counter()
    loaderbench("whatif", *arguments, "--budget", f"{budget_s}s", folder=scope.folder)
    return (perf_counter() - began) / budget_s


def details(scope: Scope) -> Sequence[Table]:
    """Return every pass that was measured and not used, beside its prediction."""
    labels = ("dataset", "workers", "batch", "measured", "predicted", "off by")
    rows = [
        tuple(
            Cell(text=text)
            for text in (
                dataset,
                str(held_out.num_workers),
                str(held_out.batch_size),
                quantity(held_out.measured_s, "s"),
                quantity(held_out.predicted_s, "s"),
                percent(held_out.error),
            )
        )
        for dataset, passes in _held_out(scope).items()
        for held_out in passes
    ]
    return [Table(columns=tuple(Column(label=label) for label in labels), rows=tuple(rows))]


def _held_out(scope: Scope) -> dict[str, tuple[HeldOutPass, ...]]:
    names = ("waiting",) if scope.short else DATASETS
    return {name: WhatIf.read(scope.folder / name).held_out for name in names}


TOPIC = Topic(
    name="predictions",
    goals=(
        Goal(what=MISSED, unit="share", at_most=0.05),
        Goal(what=WORST, unit="share", at_most=0.15),
        Goal(what=COVERED, unit="share", at_least=COVERAGE),
        Goal(what=KEEPS_UP, unit="", at_most=2),
        Goal(what=ENDED, unit="ratio", at_most=LATE),
    ),
    measure=measure,
    details=details,
    minutes=6,
)
