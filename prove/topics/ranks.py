"""Are the figures of many ranks right? Two ranks of known cost, one slower; and what being one rank costs."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any

from prove.commands import bench
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

KNOWN = "loaderbench.datasets.synthetic.known_ranks"
SAMPLES, BATCH, RANKS = 96, 8, 2
SLEEPS_S = (0.008, 0.024)
FIGURES = ("throughput of both", "sum of their rates", "straggler cost")
WAITS = ("waiting for data", "waiting for the other rank")
COST = "ranks: CPU time of being one rank, per batch"
CHEAP = ("--dataset", "table", "--batch-size", "32", "--num-workers", "0", "--device", "cpu")


def name(figure: str) -> str:
    """Return what a goal about a figure is called."""
    return f"ranks: {figure}, one three times as slow"


def truths() -> dict[str, float]:
    """Return what is true of the two ranks: rates in samples/s, waits in seconds of a step, the mean rank's."""
    fast_s, slow_s = SLEEPS_S
    return {
        "throughput of both": RANKS / slow_s,
        "sum of their rates": 1 / fast_s + 1 / slow_s,
        "straggler cost": 1 - (fast_s + slow_s) / 2 / slow_s,
        "waiting for data": BATCH * (fast_s + slow_s) / 2,
        "waiting for the other rank": BATCH * (slow_s - fast_s) / 2,
    }


def measured(loading: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, float]:
    """Return the same of the rounds in the record, of ``bench_ranks`` and of ``bench_ranks_training``."""
    steps = [batches / RANKS for batches in training["batches"]]
    return {
        "throughput of both": sum(loading["samples"]) / sum(loading["seconds"]),
        "sum of their rates": median(loading["rates_sum_per_s"]),
        "straggler cost": median(loading["straggler_cost"]),
        "waiting for data": sum(training["wait_s"]) / sum(steps),
        "waiting for the other rank": sum(training["sync_wait_s"]) / sum(steps),
    }


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the error of each figure, and the CPU time that a rank takes for a batch beyond ``bench_epoch``'s."""
    arguments = json.dumps({"samples": scope.of(SAMPLES, 16), "sleeps_s": SLEEPS_S})
    rounds = ("--rounds", str(scope.of(5, 1)), "--round-time", "0")
    known = ("--dataset", f"{KNOWN}:SleepingRanks", "--dataset-args", arguments, "--samples", "all")
    step = ("--train-step", f"{KNOWN}:SleepingStep", "--batch-size", str(BATCH), "--num-workers", "0")
    ranks = ("--nproc-per-node", str(RANKS), "--device", "cpu")
    bench("bench_ranks.py", *known, *step, *ranks, *rounds, run_dir=scope.folder / "known")
    cases = rounds_of(scope.folder / "known")
    figures = measured(cases["ranks"], cases["ranks_training"])
    errors = {name(figure): Measured(value=abs(figures[figure] / truth - 1)) for figure, truth in truths().items()}
    return {**errors, COST: _cost(scope)}


def _cost(scope: Scope) -> Measured:
    options = (*CHEAP, "--rounds", str(scope.of(9, 1)), "--round-time", "10ms" if scope.short else "1s")
    bench("bench_epoch.py", *options, run_dir=scope.folder / "epoch")
    bench("bench_ranks.py", "-k", "not training", "--nproc-per-node", "1", *options, run_dir=scope.folder / "one")
    alone = rounds_of(scope.folder / "epoch")["epoch"]
    one = rounds_of(scope.folder / "one")["ranks"]
    cpu_s = [fmean(rounds["cpu_s"]) / fmean(rounds["batches"]) for rounds in (alone, one)]
    wall_s = [sum(rounds["seconds"]) / sum(rounds["batches"]) for rounds in (alone, one)]
    return Measured(value=cpu_s[1] - cpu_s[0], note=f"{wall_s[1] / wall_s[0]:.3f} times as long")


def rounds_of(folder: Path) -> dict[str, Any]:
    """Return the rounds of each bench in a record that has one case of each."""
    record = json.loads((folder / "run.json").read_text())
    cases = [case["extra_info"] for case in record["benchmarks"]]
    return {case["bench"]: case["rounds"] for case in cases}


TOPIC = Topic(
    name="ranks",
    goals=(
        *(Goal(what=name(figure), unit="share", at_most=0.02) for figure in (*FIGURES, *WAITS)),
        Goal(what=COST, unit="s", at_most=30e-6),
    ),
    measure=measure,
    minutes=2,
)
