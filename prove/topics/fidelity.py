"""Are the measurements right? ``bench_fidelity``: known costs beside measurements, passes beside a bare loop.

The error is the median over rounds of measured over known, less one. Of an overhead, the known value is the bare loop.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from loaderbench.benches.bench_fidelity import OVERHEADS, PARTS, TIMES
from loaderbench.reports.records.frame import read_records
from loaderbench.reports.stats.summary import summarise
from prove.commands import bench
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

QUANTITIES = (*TIMES, *PARTS, "128 MiB held by each of 2 workers: PSS", "64 samples of 10 kB: bytes in a batch")
MANY_PAIRS = ("-k", "overhead", "--rounds", "150")  # of passes: fewer do not show 1 %


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the errors of the measurements, without sign, and the overheads of measuring."""
    runs = [("--rounds", "1", "--round-time", "0")] if scope.short else [("-k", "not overhead"), MANY_PAIRS]
    for number, options in enumerate(runs):
        bench("bench_fidelity.py", *options, run_dir=scope.folder / str(number))
    by_quantity = errors([scope.folder / str(number) for number in range(len(runs))])
    return {
        quantity: Measured(value=error if quantity in OVERHEADS else abs(error))
        for quantity, error in by_quantity.items()
    }


def errors(run_dirs: Sequence[Path]) -> dict[str, float]:
    """Return the error of each quantity in the records of some runs."""
    cases = summarise(read_records(run_dirs).frame)
    return dict(zip(cases["quantity"], cases["error"].astype(float), strict=True))


TOPIC = Topic(
    name="fidelity",
    goals=(
        *(Goal(what=quantity, unit="share", at_most=0.02) for quantity in QUANTITIES),
        *(Goal(what=quantity, unit="share", at_most=0.01) for quantity in OVERHEADS),
    ),
    measure=measure,
    minutes=6,
)
