"""Does what ``loaderbench whatif`` predicts happen? Predictions beside passes that were measured and not used.

Passes of a few milliseconds, each in a process of its own, differ by some 15 % on a shared machine with 2 CPUs. So each
dataset is measured for longer than the command's own minute, and the note says what error there would be if the model
were exact: that of two numbers which are each known within the standard error of the passes.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist, fmean, median
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
USUAL_BUDGET_S, BUDGET_S, SHORT_BUDGET_S = 60, 120, 30
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
    commands: dict[str, tuple[int, Sequence[str]]] = {"waiting": (scope.of(USUAL_BUDGET_S, SHORT_BUDGET_S), waiting)}
    if not scope.short:
        commands |= {name: (BUDGET_S, ("--dataset", name, "--num-workers", "1,2,4")) for name in DATASETS}
    shares = [_share_of_budget(scope.folder, name, *commands[name]) for name in scope.parts(list(commands))]
    passes = _held_out(scope).values()
    errors = [abs(held_out.error) for of_dataset in passes for held_out in of_dataset]
    uncertainty = median(held_out.uncertainty for of_dataset in passes for held_out in of_dataset)
    covered = [is_inside for of_dataset in passes for is_inside in inside(of_dataset)]
    needed = WhatIf.read(scope.folder / "waiting").workers_needed[0].likely
    note = (
        f"{len(errors)} passes, known within {percent(uncertainty)}; an exact model: {percent(by_chance(uncertainty))}"
    )
    return {
        MISSED: Measured(value=median(errors), note=note),
        WORST: Measured(value=max(errors)),
        COVERED: Measured(value=fmean(covered), note=f"{sum(covered)} of {len(covered)}"),
        KEEPS_UP: Measured(value=abs((needed or 0) - WORKERS)),
        ENDED: Measured(value=max(shares)),
    }


def _share_of_budget(folder: Path, name: str, budget_s: int, arguments: Sequence[str]) -> float:
    """Return what the whole command takes, over its budget; it leaves its files in ``folder / name``."""
    began = perf_counter()
    loaderbench("whatif", *arguments, "--budget", f"{budget_s}s", "--out", name, folder=folder)
    return (perf_counter() - began) / budget_s


def by_chance(uncertainty: float) -> float:
    """Return the median error, without sign, of an exact model: prediction and pass each have this standard error."""
    return NormalDist(sigma=math.sqrt(2)).inv_cdf(0.75) * uncertainty


def details(scope: Scope) -> Sequence[Table]:
    """Return every pass that was measured and not used, beside its prediction."""
    labels = ("dataset", "workers", "batch", "rounds", "measured", "known within", "predicted", "off by")
    rows = [
        tuple(
            Cell(text=text)
            for text in (
                dataset,
                str(held_out.num_workers),
                str(held_out.batch_size),
                str(len(held_out.rounds_s)),
                quantity(held_out.measured_s, "s"),
                percent(held_out.uncertainty),
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
    minutes=7,
)
