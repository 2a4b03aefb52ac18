"""Where does a batch's time go?

**Timed**, one after the other in every round, passes over the same samples in the same order, each with one part of the
loader more than the pass before:

1. ``dataset_only_s``: every sample requested from the dataset, in one process, and dropped;
2. ``with_collate_s``: and collated;
3. ``with_workers_s``: the loader as configured, but each worker keeps its batches: none is transported;
4. ``with_transport_s``: the loader as configured. Without a device this is the last pass, ``seconds``;
5. ``seconds``: and each batch copied to the device, which is synchronised at both edges of the pass.

What a pass takes longer than the one before is the cost of the part that it adds. Every batch of the last pass carries
timestamps, from which its time is broken down twice (``harness/tracing/{timestamps,breakdown}.py``):

- *done*: ``fetch_s`` (``transform_s`` of it in the dataset's ``transform``), ``collate_s`` (``off_cpu_s`` of both
  without a CPU: waiting for files, a network, or a CPU), ``queue_s`` (until the worker's sending thread takes it),
  ``pickle_s``, ``transit_s`` (in the pipe, until this process reads it), ``unpickle_s``, ``pin_s``, ``ready_s`` (ready,
  not yet requested): over all batches, of workers that run side by side;
- *waited for*: the loop's own seconds, by the stage of the batch it waited for: ``wait_begin_s`` (not begun),
  ``wait_fetch_s``, ``wait_collate_s``, ``wait_transport_s``, ``wait_pin_s``, ``wait_loop_s`` (torch's own loop), and
  ``blocked_s`` of all that while a later batch was ready; on a device also ``copy_s``, which the host spent on copies
  and the device on finishing them.

The second breakdown adds up to the pass; ``unexplained`` is the share that is left. ``tracing_overhead`` is what
the timestamps cost: the pass with them over the same pass without.

After the last round, a pass in another process reads each sample on its own: the record has the slowest ones, by their
index in your dataset (in a stream, their place), with their seconds and their shares of the time of all samples.

Beside them stand the tensors, other objects and bytes of a batch: rf-detr#1399 had 114 objects a batch, 112 of them
0.005 % of the bytes, which cost a third of the throughput.

    pytest benches/bench_breakdown.py --dataset images --num-workers 0,2
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, Self, TypedDict

import pytest
import torch
from torch.utils.data import DataLoader

from loaderbench.benches.harness.loading.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import read
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics, Work
from loaderbench.benches.harness.system.child import Child
from loaderbench.benches.harness.system.devices import place, synchronise
from loaderbench.benches.harness.tracing.breakdown import blocked_s, loop_times, stage_times, unexplained
from loaderbench.benches.harness.tracing.slowest import slow_samples
from loaderbench.benches.harness.tracing.timestamps import PassTrace, trace_pass, traced_loader
from loaderbench.reports.records.slow_samples import SlowSample


class DeviceArguments(TypedDict, total=False):
    """What `trace_pass` does with batches that are copied to a device; nothing without one."""

    step: Callable[[Any], object]
    drain: Callable[[], object]


class TimedPasses:
    """Passes without workers: of loaders, and of the dataset alone."""

    def __init__(self, loaders: Mapping[str, "DataLoader[Any]"], dataset: Any) -> None:
        self._loaders, self._dataset = loaders, dataset

    def seconds(self) -> dict[str, float]:
        """Return what a pass of each takes."""
        return {name: trace_pass(loader).seconds for name, loader in self._loaders.items()}

    def slow_samples(self) -> tuple[SlowSample, ...]:
        """Return the slowest samples of one more pass."""
        return slow_samples(self._dataset)


class Breakdown(Work):
    """Passes that each add one part of the loader, and the time breakdown of the last."""

    steady = False  # a round is one pass of each kind

    def __init__(self, subject: Subject, config: LoaderConfig, device: torch.device) -> None:
        self.subject = subject
        self.config = config
        self.device = device
        self.collate_fn = config.batch_fn
        has_device = device.type != "cpu"
        self.on_device: DeviceArguments = (
            {"step": self._copy, "drain": partial(synchronise, device)} if has_device else {}
        )

    def __enter__(self) -> Self:
        dataset, in_process = self.subject.dataset, without_workers(self.config)
        loaders = {
            "dataset_only_s": traced_loader(dataset, in_process, len, sends_batches=False),
            "with_collate_s": traced_loader(dataset, in_process, self.collate_fn),
        }
        # Passes without workers have a process of their own: in this one, which starts the workers, nothing is read.
        self.in_process = Child(nullcontext(TimedPasses(loaders, dataset))).__enter__()
        self.without_transport = traced_loader(dataset, self.config, self.collate_fn, sends_batches=False)
        self.whole_loader = traced_loader(dataset, self.config, self.collate_fn)
        self.untraced_loader = self.config.build(dataset)
        return self

    def __exit__(self, *_: object) -> None:
        del self.without_transport, self.whole_loader, self.untraced_loader  # their workers are joined here
        self.in_process.__exit__(None, None, None)

    def before(self, _passes: int) -> None:
        """Read the loaders that lack a part, and the whole one without timestamps."""
        self.pass_times = {
            **self.in_process.call("seconds"),
            "with_workers_s": trace_pass(self.without_transport).seconds,
        }
        if self.on_device:
            self.pass_times["with_transport_s"] = trace_pass(self.whole_loader).seconds
        self.untraced_s = read(self.untraced_loader).seconds

    def run(self, _passes: int) -> None:
        """Read the whole loader."""
        self.trace: PassTrace = trace_pass(self.whole_loader, **self.on_device)

    def slow_samples(self) -> tuple[SlowSample, ...]:
        """Return the slowest samples, once all rounds have ended: each is warm then."""
        samples: tuple[SlowSample, ...] = self.in_process.call("slow_samples")
        return samples

    def _copy(self, batch: Any) -> None:
        place(batch, self.device, non_blocking=self.config.pin_memory)

    def after(self) -> Metrics:
        """Return the seconds of every pass, and both breakdowns of the last."""
        waits = loop_times(self.trace)
        copies = {"copy_s": waits["step_s"]} if self.on_device else {}
        traced_s = self.pass_times.get("with_transport_s", self.trace.seconds)
        return {
            "seconds": self.trace.seconds,
            "batches": float(len(self.trace.batches)),
            **self.pass_times,
            **stage_times(self.trace),
            **waits,
            **copies,
            "blocked_s": blocked_s(self.trace),
            "unexplained": unexplained(self.trace),
            "tracing_overhead": traced_s / self.untraced_s,
        }


@pytest.mark.sweep(
    dataset=("images",),
    num_workers="first",
    batch_size="first",
    collate_fn="first",
    pin_memory=(False,),
    persistent_workers=(True,),
    rounds=2,
    expected_s=4.0,
)
def bench_breakdown(measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device) -> None:
    """Seconds of a pass, broken down by what happened to its batches."""
    measure(Breakdown(dataset, loader, device))
