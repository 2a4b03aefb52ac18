"""How much of a training step is waiting for data?

**The ceiling triple**, three measurements in every round:

1. *the loader alone*: passes whose batches are placed on the device and dropped;
2. *the step alone*: as many training steps, on a few cached batches that are already there;
3. *both*: passes in which every batch is trained on. This is the time that pytest-benchmark's own table shows.

**Read as** three rates. The lower of the first two is the bound; by how much the third falls short of it is overlap
that was lost: with workers, loading and training run at once; without, one after the other. The *stall share* is the
part of the third spent waiting for a batch: by the host's clock on a CPU, where a step has ended when it returns; by
events in the device's queue elsewhere, because a host's clock cannot tell waiting from queueing.

**When loading is the bottleneck**: when the first rate is the lower one.

A pass is cut to as many batches as the model trains on in about `PASS_S` (a power of two, at least `LEAST`): a slow
model would otherwise turn a pass into minutes. A stream is read whole.

    pytest benches/bench_training.py --dataset images --num-workers 0,2
    pytest benches/bench_training.py --dataset my.data:Train --model my.model:Net
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice
from time import perf_counter
from typing import Any, Self

import pytest
import torch

from loaderbench.benches.harness.clock import Epoch, Metrics, keep
from loaderbench.benches.harness.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.pass_length import power_of_two
from loaderbench.benches.harness.rounds import Measure
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.devices import place, synchronise
from loaderbench.benches.harness.training import Task

CACHED = 4  # batches: one alone would not stand for texts of unequal length
PASS_S = 0.2
LEAST = 8  # batches in a pass


class Training(Epoch):
    """Passes that train, with the loader alone and the step alone before each round."""

    def __init__(
        self, subject: Subject, config: LoaderConfig, *, device: torch.device, make_task: Callable[[], Task]
    ) -> None:
        super().__init__(subject, config, device=device)
        self.make_task = make_task

    def __enter__(self) -> Self:
        # First, and in a process of their own: workers are started from this one, where nothing has been read.
        batches = in_child(self._first_batches)
        self.task = self.make_task()
        self.cached = [place(batch, self.device) for batch in batches]
        self._steps_s(CACHED)  # warms up: allocations, kernels chosen
        self.subject = self._cut(self.subject, self._steps_s(CACHED) / CACHED)
        super().__enter__()
        return self

    def _first_batches(self) -> list[Any]:
        in_process = replace(without_workers(self.config), pin_memory=False)
        return list(islice(in_process.build(self.subject.dataset), CACHED))

    def _cut(self, subject: Subject, step_s: float) -> Subject:
        batches = max(LEAST, power_of_two(PASS_S / step_s))
        return subject if subject.is_stream else subject.part(batches * (self.config.batch_size or 1))

    def before(self, passes: int) -> None:
        """The loader alone, then the step alone."""
        self.step = keep
        self.run(passes)
        alone = self.after()
        self.parts = {
            "loader_seconds": alone["seconds"],
            "loader_samples": alone["samples"],
            "step_seconds": self._steps_s(int(alone["batches"])),
            "step_samples": alone["samples"],
        }
        self.step = self.task

    def after(self) -> Metrics:
        """Return the triple, or what there is of it so far."""
        return {**super().after(), **getattr(self, "parts", {})}

    def _steps_s(self, count: int) -> float:
        batches: list[Any] = list(islice(cycle(self.cached), count))
        synchronise(self.device)
        began = perf_counter()
        for batch in batches:
            self.task(batch)
        synchronise(self.device)
        return perf_counter() - began


@pytest.mark.sweep(
    dataset=("text", "images", "tokens", "table"),
    batch_size="first",
    collate_fn="first",
    persistent_workers=(True,),
    rounds=2,
    expected_s=3.0,
)
def bench_training(
    measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device, task: Callable[[], Task]
) -> None:
    """Seconds to train on every sample once, beside the loader alone and the step alone."""
    measure(Training(dataset, loader, device=device, make_task=task))
