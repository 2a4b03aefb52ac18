"""Is the time breakdown right? Traced loaders over datasets of known cost, beyond what ``bench_fidelity`` reads."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from torch.utils.data import Dataset, default_collate

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.tracing.breakdown import blocked_s, loop_times, stage_times, unexplained
from loaderbench.benches.harness.tracing.timestamps import PassTrace, trace_pass, traced_loader
from loaderbench.datasets.synthetic.known_cost import Busy, Sleeping, SlowCollate, Straggler, spin
from loaderbench.reports.records.frame import read_records
from loaderbench.reports.stats.summary import summarise
from prove.commands import bench
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

STRAGGLER_S, SAMPLE_S = 0.5, 0.001


class HalfTransform(Dataset[int]):
    """A sample takes 8 ms, half of them in its ``transform``."""

    def __init__(self) -> None:
        self.transform: Callable[[int], int] = spinning

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> int:
        return self.transform(spinning(range(len(self))[index]))


def spinning(number: int) -> int:
    """Return `number` after 4 ms of one core."""
    spin(perf_counter() + 0.004)
    return number


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedPart:
    """A traced pass, and the seconds that one part of its breakdown takes by construction."""

    dataset: Any
    truth: float
    reading: Callable[[PassTrace], float]
    num_workers: int = 1
    collate_fn: Callable[[list[Any]], Any] = default_collate
    step: Callable[[Any], object] | None = None
    drain: Callable[[], object] | None = None

    def trace(self) -> PassTrace:
        """Return the trace of a second pass, whose workers run already."""
        config = LoaderConfig(batch_size=4, num_workers=self.num_workers, persistent_workers=self.num_workers > 0)
        loader = traced_loader(self.dataset, config, self.collate_fn)
        trace_pass(loader)
        return trace_pass(loader, self.step, self.drain)


# With 2 workers the straggler is in the first batch; the second, of 4 usual samples, is ready long before. There are no
# others: while its worker makes the next one, a batch is sent up to 5 ms later (sys.getswitchinterval), and the loop
# would go on to wait for a batch of the first worker, which has fallen behind, with one of the second ready.
BLOCKED_S = STRAGGLER_S + 3 * SAMPLE_S - 4 * SAMPLE_S
PARTS = {
    **{
        f"breakdown: fetching, sleep 5 ms a sample, {workers} workers": TracedPart(
            dataset=Sleeping(32, 5e-3),
            truth=32 * 5e-3,
            reading=lambda trace: stage_times(trace)["fetch_s"],
            num_workers=workers,
        )
        for workers in (0, 2)
    },
    "breakdown: transform, half of fetching": TracedPart(
        dataset=HalfTransform(), truth=16 * 4e-3, reading=lambda trace: stage_times(trace)["transform_s"]
    ),
    "breakdown: off the CPU, sleep 18 of 20 ms a sample": TracedPart(
        dataset=Sleeping(16, 20e-3), truth=16 * 18e-3, reading=lambda trace: stage_times(trace)["off_cpu_s"]
    ),
    "breakdown: waiting for a slow collate_fn, no workers": TracedPart(
        dataset=Busy(32, 0.0),
        truth=8 * 10e-3,
        reading=lambda trace: loop_times(trace)["wait_collate_s"],
        num_workers=0,
        collate_fn=SlowCollate(10e-3),
    ),
    "breakdown: a device finishing after the last batch": TracedPart(
        dataset=Busy(8, 0.0),
        truth=0.1,
        reading=lambda trace: loop_times(trace)["step_s"],
        step=lambda _: None,
        drain=lambda: time.sleep(0.1),
    ),
    "breakdown: blocked behind a straggler of 500 ms": TracedPart(
        dataset=Straggler(8, SAMPLE_S, 0, STRAGGLER_S), truth=BLOCKED_S, reading=blocked_s, num_workers=2
    ),
}
UNEXPLAINED = "breakdown: seconds of a pass left unexplained, most of all passes"
COST = "breakdown: cost of its timestamps, images, 2 workers"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the median errors of known parts, without sign, what is left unexplained, and what timestamps cost."""
    measured = {}
    left = []
    for what, part in PARTS.items():
        traces = [part.trace() for _ in range(scope.of(5, 1))]
        left += [abs(unexplained(trace)) for trace in traces]
        measured[what] = Measured(value=abs(median(part.reading(trace) for trace in traces) / part.truth - 1))
    rounds = ("--rounds", str(scope.of(40, 1)), "--samples", str(scope.of(512, 32)))
    options = ("--dataset", "images", "--num-workers", "2", "--batch-size", "16", *rounds)
    bench("bench_breakdown.py", *options, run_dir=scope.folder / "timestamps")
    (ratio,) = summarise(read_records([scope.folder / "timestamps"]).frame)["tracing_overhead"]
    return {**measured, UNEXPLAINED: Measured(value=max(left)), COST: Measured(value=float(ratio) - 1)}


TOPIC = Topic(
    name="breakdown",
    goals=(
        *(Goal(what=what, unit="share", at_most=0.02) for what in PARTS),
        Goal(what=UNEXPLAINED, unit="share", at_most=0.02),
        Goal(what=COST, unit="share", at_most=0.02),
    ),
    measure=measure,
    minutes=2,
)
