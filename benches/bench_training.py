"""How much of a training step is waiting for data?

**The ceiling triple**, three measurements in every round:

1. *the loader alone*: passes whose batches are placed on the device and dropped;
2. *the step alone*: as many training steps, on as many different batches, which are there already;
3. *both*: passes in which every batch is trained on. This is the time that pytest-benchmark's own table shows.

**Read as** three rates. The lower of the first two is the bound. The third is below it where loading and training do
not fully overlap: with workers they run at the same time, without one after the other. The *stall share* is the part of
the third that is spent waiting for a batch. On a CPU, where a step has ended when it returns, it is read from the
host's clock; elsewhere from events in the device's queue, because the host's clock cannot tell waiting from queueing.

**When loading is the bottleneck**: when the first rate is the lower one.

The step is ``--train-step``, or one of three that need no code (``harness/training/``). The step alone has other
batches in every round, because it may take longer on a shape that it has not met before. They are read before the clock
starts, at most 256 MB at once. Where all batches have one shape, those of the first round are kept.

A pass is cut to as many batches as the step takes about `PASS_S` for (a power of two, at least `LEAST`): a slow model
would otherwise turn a pass into minutes.

    pytest benches/bench_training.py --dataset images --num-workers 0,2
    pytest benches/bench_training.py --dataset my.data:Train --model my.model:Net --train-step my.train:step
"""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle, islice
from time import perf_counter
from typing import Any, Self

import pytest
import torch

from loaderbench.benches.harness.loading.batch_source import BatchSource, have_one_shape
from loaderbench.benches.harness.loading.case_loader import cut
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import Epoch, keep
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics
from loaderbench.benches.harness.samples.pass_length import power_of_two
from loaderbench.benches.harness.system.child import Child
from loaderbench.benches.harness.system.devices import place, synchronise
from loaderbench.benches.harness.training.model_choice import Task

PASS_S = 0.2
LEAST = 8  # batches in a pass
WARMING, PROBED = 2, 4  # steps before the first pass: to warm up, then to see how long one takes


class Training(Epoch):
    """Passes that train, with the loader alone and the step alone before each round."""

    def __init__(
        self, subject: Subject, config: LoaderConfig, *, device: torch.device, make_task: Callable[[], Task]
    ) -> None:
        super().__init__(subject, config, device=device)
        self.make_task = make_task
        self.kept: list[Any] | None = None  # on the device: the first pass, where it stands for all; else none

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # First, and in a process of its own: workers are started from this one, where nothing has been read.
            self.source = stack.enter_context(Child(BatchSource(self.subject, self.config)))
            self.task = self.make_task()
            self._steps_s(WARMING)  # allocations, kernels chosen
            batches = max(LEAST, power_of_two(PASS_S * PROBED / self._steps_s(PROBED)))
            self.subject, self.config = cut(self.subject, self.config, batches * (self.config.batch_size or 1))
            super().__enter__()
            self.opened = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self.opened.close()

    def before(self, passes: int) -> None:
        """The loader alone, then the step alone."""
        self.step = keep
        self.run(passes)
        alone = self.after()
        self.source.call("start_pass")
        if self.kept is None:
            self.kept = self._batches_for_all(int(alone["batches"]))
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

    def _batches_for_all(self, most: int) -> list[Any]:
        """Return the batches of a pass, `most`, where they can be kept and stand for those of any other, else none."""
        batches = self._fresh(most)
        return batches if len(batches) == most and have_one_shape(batches) else []

    def _steps_s(self, count: int) -> float:
        """Return the seconds of `count` steps on batches that are there: reading them is not timed."""
        seconds = 0.0
        while count > 0:
            batches = list(islice(cycle(self.kept or ()), count)) or self._fresh(count)
            count -= len(batches)
            synchronise(self.device)
            began = perf_counter()
            for batch in batches:
                self.task(batch)
            synchronise(self.device)
            seconds += perf_counter() - began
        return seconds

    def _fresh(self, most: int) -> list[Any]:
        """Return at most `most` batches that were not there before, on the device."""
        return [place(batch, self.device) for batch in self.source.call("next_batches", most)]


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
