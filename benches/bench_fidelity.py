"""Are the measurements right, and does measuring slow the loader?

The instrument measures itself, on this machine, in every run that has this bench:

**Are the measurements right?** Datasets of known cost (``datasets/synthetic/known_cost.py``) are read like
any other, and each measurement stands beside the truth. Goal: within 2 %.

**Does measuring slow the loader?** The suite's own pass, with its count of samples and its timestamp of each batch,
takes turns with a bare ``for batch in loader: pass`` over a plain loader with the same arguments. Which of the two goes
first alternates. Goal: a ratio of at most 1.01.

    pytest benches/bench_fidelity.py
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

import pytest
import torch

from loaderbench.benches.harness.loading.collate_choice import collate_fn
from loaderbench.benches.harness.loading.loader import LoaderConfig, batch_facts
from loaderbench.benches.harness.loading.subject import DatasetChoice, subject_of
from loaderbench.benches.harness.measuring.clock import Epoch, Step, keep
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics, Work
from loaderbench.benches.harness.system import processes
from loaderbench.benches.harness.system.devices import available, place, synchronise
from loaderbench.benches.harness.tracing.breakdown import loop_times, stage_times
from loaderbench.benches.harness.tracing.timestamps import trace_pass, traced_loader
from loaderbench.datasets.synthetic.known_cost import Busy, Bytes, Resident, Sleeping, SlowCollate, Straggler

CPU = torch.device("cpu")
STEP_S = 0.01
RESIDENT_BYTES = 128 << 20


def busy_step(batch: Any) -> Any:
    """A step that lasts `STEP_S` by construction."""
    end = perf_counter() + STEP_S
    while perf_counter() < end:
        pass
    return batch


def running_workers(count: int, **settings: Any) -> LoaderConfig:
    """Return a loader whose workers run already when the clock starts."""
    return LoaderConfig(num_workers=count, persistent_workers=True, **settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownPass:
    """A dataset of known cost, how it is read, and the metric that should then be `truth` for each pass."""

    dataset: Any
    config: LoaderConfig
    metric: str
    truth: float
    step: Step = keep


TENS = LoaderConfig(batch_size=10)
TIMES: dict[str, Callable[[], KnownPass]] = {
    "busy 5 ms a sample: pass": lambda: KnownPass(dataset=Busy(80, 5e-3), config=TENS, metric="seconds", truth=0.4),
    "busy 5 ms a sample, step 10 ms: wait": lambda: KnownPass(
        dataset=Busy(80, 5e-3), config=TENS, metric="wait_s", truth=0.4, step=busy_step
    ),
    "sleep 20 ms a sample, 2 workers: pass": lambda: KnownPass(
        dataset=Sleeping(64, 20e-3), config=running_workers(2, batch_size=4), metric="seconds", truth=0.64
    ),
    "sleep 100 ms a sample, 1 worker: first batch": lambda: KnownPass(
        dataset=Sleeping(4, 100e-3), config=running_workers(1, batch_size=4), metric="first_batch_s", truth=0.4
    ),
    "one straggler of 100 ms: longest wait": lambda: KnownPass(
        dataset=Straggler(100, 1e-3, 50, 0.1), config=LoaderConfig(batch_size=1), metric="wait_max_s", truth=0.1
    ),
}


class KnownPasses(Epoch):
    """Passes over a dataset of known cost: what was read, and the truth."""

    def __init__(self, case: KnownPass) -> None:
        super().__init__(subject_of(case.dataset), case.config, device=CPU, step=case.step)
        self.case = case

    def before(self, passes: int) -> None:
        """Passes add up in all metrics but those of a single batch."""
        self.times = passes if self.case.metric in ("seconds", "wait_s") else 1

    def after(self) -> Metrics:
        """Return known and measured value, in seconds."""
        metrics = super().after()
        return {
            "seconds": metrics["seconds"],
            "truth": self.case.truth * self.times,
            "measured": metrics[self.case.metric],
        }


@pytest.mark.parametrize("quantity", TIMES)
def bench_fidelity_time(measure: Measure, quantity: str) -> None:
    """A measurement in seconds, and the seconds that the dataset takes by construction."""
    measure(KnownPasses(TIMES[quantity]()), unit="s")


class WorkerMemory(Work):
    """Memory of workers that hold nothing, and of workers that each come to hold a known number of bytes."""

    steady = False

    def run(self, _passes: int) -> None:
        """Read twice, with nothing between: another process that maps the libraries of torch changes the PSS of all."""
        began = perf_counter()
        without_bytes, with_bytes = _worker_bytes(0), _worker_bytes(RESIDENT_BYTES)
        truth = 2.0 * RESIDENT_BYTES
        measured = float(with_bytes - without_bytes)
        self.metrics = {"seconds": perf_counter() - began, "truth": truth, "measured": measured}

    def after(self) -> Metrics:
        """Return known and measured value, in bytes."""
        return self.metrics


def _worker_bytes(resident_bytes: int) -> int:
    with Epoch(subject_of(Resident(64, resident_bytes)), running_workers(2), device=CPU) as epoch:
        epoch.run(1)
        return processes.memory().worker_pss_bytes


@pytest.mark.parametrize("quantity", ["128 MiB held by each of 2 workers: PSS"])
@pytest.mark.sweep(rounds=2)
def bench_fidelity_memory(measure: Measure, quantity: str) -> None:  # noqa: ARG001 - it names the case
    """The memory that two workers hold as measured, and what they allocate by construction."""
    measure(WorkerMemory(), unit="B")


class BatchBytes(Epoch):
    """A pass over samples of known size: the bytes that the record states for a batch."""

    def __init__(self, sample_bytes: int, batch_size: int) -> None:
        super().__init__(subject_of(Bytes(1024, sample_bytes)), LoaderConfig(batch_size=batch_size), device=CPU)
        self.truth = sample_bytes * batch_size

    def after(self) -> Metrics:
        """Return known and measured value, in bytes."""
        stated = batch_facts(self.subject.dataset, self.config)["batch_bytes"]
        return {"seconds": super().after()["seconds"], "truth": float(self.truth), "measured": float(stated)}


@pytest.mark.parametrize("quantity", ["64 samples of 10 kB: bytes in a batch"])
@pytest.mark.sweep(rounds=1)
def bench_fidelity_bytes(measure: Measure, quantity: str) -> None:  # noqa: ARG001 - it names the case
    """The bytes that the record states for a batch, and those that its samples hold by construction."""
    measure(BatchBytes(10_000, 64), unit="B")


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownPart:
    """A part of a time breakdown whose seconds are known: 16 batches of 4 samples, of these costs."""

    metric: str
    truth: float
    config: LoaderConfig
    sample_s: float = 0.0
    collate_s: float = 0.0  # a batch
    step: Step | None = None


PARTS = {
    "breakdown: fetching, busy 5 ms a sample": KnownPart(
        metric="fetch_s", truth=64 * 5e-3, sample_s=5e-3, config=running_workers(1, batch_size=4)
    ),
    "breakdown: collating, 10 ms a batch": KnownPart(
        metric="collate_s", truth=16 * 10e-3, collate_s=10e-3, config=running_workers(1, batch_size=4)
    ),
    "breakdown: waiting for samples, no workers": KnownPart(
        metric="wait_fetch_s", truth=64 * 5e-3, sample_s=5e-3, collate_s=10e-3, config=LoaderConfig(batch_size=4)
    ),
    "breakdown: a step of 10 ms": KnownPart(
        metric="step_s", truth=16 * STEP_S, sample_s=1e-3, config=running_workers(1, batch_size=4), step=busy_step
    ),
}


class BreakdownPass(Work):
    """Passes of a traced loader: one part of their time breakdown, and its truth."""

    steady = False

    def __init__(self, part: KnownPart) -> None:
        self.part = part

    def __enter__(self) -> Self:
        dataset = Busy(64, self.part.sample_s)
        self.loader = traced_loader(dataset, self.part.config, SlowCollate(self.part.collate_s))
        return self

    def __exit__(self, *_: object) -> None:
        del self.loader

    def run(self, _passes: int) -> None:
        """One pass."""
        self.trace = trace_pass(self.loader, self.part.step)

    def after(self) -> Metrics:
        """Return known and measured value, in seconds."""
        measured = {**stage_times(self.trace), **loop_times(self.trace)}[self.part.metric]
        return {"seconds": self.trace.seconds, "truth": self.part.truth, "measured": measured}


@pytest.mark.parametrize("quantity", PARTS)
def bench_fidelity_breakdown(measure: Measure, quantity: str) -> None:
    """A part of the time breakdown, and the seconds that it takes by construction."""
    measure(BreakdownPass(PARTS[quantity]), unit="s")


class OverheadPairs(Epoch):
    """A pass of the suite and one of a bare loop over a plain loader, in turns; either one first.

    Many short pairs, not few long ones: what disturbs the machine then spoils one ratio of many, and not their median.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        self.steady = False  # so that a round is one pair
        self.plain = self.config.build(self.subject.dataset)
        self.pairs = 0
        self._bare_s()  # its workers start, and its pages are read, before the clock
        return self

    def __exit__(self, *exception: object) -> None:
        del self.plain
        super().__exit__(*exception)

    def run(self, passes: int) -> None:
        """Measure both with nothing between them: after other work the caches of the CPU are cold."""
        self.pairs += 1
        if self.pairs % 2:
            self.bare_s = self._bare_s()
            super().run(passes)
        else:
            super().run(passes)
            self.bare_s = self._bare_s()

    def after(self) -> Metrics:
        """Return the seconds of the bare loop as truth, those of the suite as measured."""
        seconds = super().after()["seconds"]
        return {"truth": self.bare_s, "measured": seconds, "seconds": seconds}

    def _bare_s(self) -> float:
        synchronise(self.device)
        began = perf_counter()
        if self.device.type == "cpu":
            for _batch in self.plain:
                pass
        else:
            for batch in self.plain:
                place(batch, self.device, non_blocking=self.config.pin_memory)
        synchronise(self.device)
        return perf_counter() - began


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """A dataset of ours, how it is read, and where its batches go."""

    dataset: str
    config: LoaderConfig
    device: torch.device = CPU


PADDED = LoaderConfig(batch_size=32, collate_fn=collate_fn("pad"), seed=0)
OVERHEADS = {
    "overhead: text, 0 workers": Overhead(dataset="text", config=PADDED),
    "overhead: table, 0 workers": Overhead(
        dataset="table", config=LoaderConfig(batch_size=256, collate_fn=collate_fn("default"), seed=0)
    ),
}
if len(available()) > 1:  # each batch is copied to the device, whose events the suite records
    DEVICE = torch.device(available()[-1])
    OVERHEADS |= {
        "overhead: text to the device, 0 workers": Overhead(dataset="text", config=PADDED, device=DEVICE),
        "overhead: images to the device, 2 workers, pinned": Overhead(
            dataset="images",
            config=running_workers(2, batch_size=32, pin_memory=True, collate_fn=collate_fn("default"), seed=0),
            device=DEVICE,
        ),
    }


@pytest.mark.parametrize("quantity", OVERHEADS)
@pytest.mark.sweep(rounds=15)
def bench_fidelity_overhead(measure: Measure, quantity: str) -> None:
    """The seconds of the suite's own pass, and those of a bare loop."""
    overhead = OVERHEADS[quantity]
    subject = DatasetChoice().subject(overhead.dataset)
    measure(OverheadPairs(subject, overhead.config, device=overhead.device), unit="s")
