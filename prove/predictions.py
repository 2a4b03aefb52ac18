"""Does what ``loaderbench whatif`` predicts happen? Predictions beside passes that were measured and not used."""

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.units import percent, quantity
from prove.commands import loaderbench
from prove.goals import Goal, Measured, Scope, Topic

DATASETS = ("text", "images", "tokens", "table")
# Samples that wait for 5 ms, of no CPU: a batch of 8 every 8 ms takes 8 × 5 / 8 workers.
WAITING = "loaderbench.datasets.synthetic.pitfalls:SlowSamples"
FOR_WAITING = ("--batch-size", "8", "--num-workers", "1,4,8", "--cpus", "64", "--step", "8ms")
WORKERS = 8 * 5 / 8
MISSED = f"whatif: passes of {', '.join(DATASETS)} that were not used, median error"
FED = f"whatif: workers that feed a step which takes {WORKERS:g}, off by so many"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the median error of held-out passes, and of the workers that are said to feed a step."""
    sleep_s, samples = (0.0005, 64) if scope.short else (0.005, 256)
    made = json.dumps({"samples": 4096, "usual_s": sleep_s, "slow_s": sleep_s})
    waiting = ("--dataset", WAITING, "--dataset-args", made, "--samples", str(samples), *FOR_WAITING)
    loaderbench("whatif", *waiting, "--out", "waiting", folder=scope.folder)
    for dataset in DATASETS[: scope.of(len(DATASETS), 0)]:
        loaderbench("whatif", "--dataset", dataset, "--num-workers", "1,2,4", "--out", dataset, folder=scope.folder)
    errors = [error for held_out in _held_out(scope).values() for error in map(error_of, held_out)]
    (answer, *_) = _document(scope, "waiting")["answers"]
    return {
        MISSED: Measured(value=median(map(abs, errors)), note=f"worst {percent(max(map(abs, errors)))}"),
        FED: Measured(value=abs((answer["workers"] or 0) - WORKERS)),
    }


def error_of(held_out: Mapping[str, float]) -> float:
    """Return by what share the prediction of a pass is off."""
    return held_out["predicted_s"] / held_out["seconds"] - 1


def details(scope: Scope) -> Sequence[Table]:
    """Return every pass that was measured and not used, beside its prediction."""
    labels = ("dataset", "workers", "batch", "measured", "predicted", "off by so many")
    rows = [
        tuple(
            Cell(text=text)
            for text in (
                dataset,
                str(held_out["num_workers"]),
                str(held_out["batch_size"]),
                quantity(held_out["seconds"], "s"),
                quantity(held_out["predicted_s"], "s"),
                percent(error_of(held_out)),
            )
        )
        for dataset, passes in _held_out(scope).items()
        for held_out in passes
    ]
    return [Table(columns=tuple(Column(label=label) for label in labels), rows=tuple(rows))]


def _held_out(scope: Scope) -> dict[str, list[dict[str, Any]]]:
    names = ("waiting",) if scope.short else DATASETS
    return {name: _document(scope, name)["held_out"] for name in names}


def _document(scope: Scope, name: str) -> dict[str, Any]:
    return dict(json.loads((scope.folder / name / "whatif.json").read_text(encoding="utf-8")))


TOPIC = Topic(
    name="predictions",
    goals=(
        Goal(what=MISSED, unit="share", at_most=0.1),
        Goal(what=FED, unit="", at_most=2),
    ),
    measure=measure,
    details=details,
)
