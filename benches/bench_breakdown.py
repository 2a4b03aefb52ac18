"""Where does a batch's time go?

**Timed**, the rungs of a ladder taking turns in every round, each a pass over the same samples in the same order:

1. ``alone_s``: every sample asked of the dataset, in this process, and dropped;
2. ``collated_s``: and collated;
3. ``kept_s``: the loader as configured, but each worker keeps its batches: nothing is handed over;
4. ``seconds``: the loader as configured; on a device, this one is ``handed_s``, and ``seconds`` is with each batch
   copied there, the device synchronised at both edges of the pass.

What a rung takes longer than the one before is the cost of what it adds. Beside that, every batch of the last rung
carries stamps (``explain/stamps.py``), from which two accounts are kept:

- *done*: ``fetch_s`` (``transform_s`` of it in the dataset's ``transform``), ``collate_s`` (``off_cpu_s`` of both
  without a CPU: waiting for files, a network, or a CPU), ``queue_s`` (for the worker's sending thread), ``pickle_s``,
  ``transit_s`` (in the pipe, until this process turns to it), ``unpickle_s``, ``pin_s``, ``ready_s`` (there, and not
  asked for): over all batches, of workers that work side by side;
- *waited for*: the loop's own seconds, by what the batch it waited for was at: ``wait_begin_s`` (not begun),
  ``wait_fetch_s``, ``wait_collate_s``, ``wait_hand_over_s``, ``wait_pin_s``, ``wait_loop_s`` (torch's own loop), and
  ``blocked_s`` of all that while a later batch was ready; on a device also ``copy_s``, which the host spent on copies
  and the device on ending them.

They must add up: ``closure`` is what the second account leaves of the pass, as a share of it. ``stamping`` is what the
stamps cost: the pass with them over the same pass without.

**Beside it** stand tensors, other objects and bytes of a batch: rf-detr#1399 had 114 objects a batch, 112 of them
0.005 % of the bytes, which cost a third of the throughput.

    pytest benches/bench_ledger.py --dataset images --num-workers 0,2
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Self, TypedDict

import pytest
import torch
from torch.utils.data import default_collate

from loaderbench.benches.harness.clock import Metrics, read
from loaderbench.benches.harness.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.rounds import Measure
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system.devices import place, synchronise
from loaderbench.benches.harness.tracing.breakdown import Ledger
from loaderbench.benches.harness.tracing.timestamps import stamped


class Copying(TypedDict, total=False):
    """What `Ledger.read` does with batches that go to a device."""

    step: Callable[[Any], object]
    drain: Callable[[], object]


class Accounted:
    """The ladder, rung after rung, and the ledger of its last."""

    steady = False  # a round is one pass of each rung

    def __init__(self, subject: Subject, config: LoaderConfig, device: torch.device) -> None:
        self.subject = subject
        self.config = config
        self.device = device
        self.collate_fn = config.collate_fn or default_collate
        on_device = device.type != "cpu"
        self.copying: Copying = {"step": self._copy, "drain": partial(synchronise, device)} if on_device else {}

    def __enter__(self) -> Self:
        dataset, alone = self.subject.dataset, without_workers(self.config)
        self.rungs = {
            "alone_s": stamped(dataset, alone, _count, handed=False),
            "collated_s": stamped(dataset, alone, self.collate_fn),
            "kept_s": stamped(dataset, self.config, self.collate_fn, handed=False),
        }
        self.whole = stamped(dataset, self.config, self.collate_fn)
        self.plain = self.config.build(dataset)
        return self

    def __exit__(self, *_: object) -> None:
        del self.rungs, self.whole, self.plain  # their workers are joined here

    def before(self, _passes: int) -> None:
        """The lower rungs, and a pass without stamps."""
        self.parts = {name: Ledger().read(loader).seconds for name, loader in self.rungs.items()}
        if self.copying:
            self.parts["handed_s"] = Ledger().read(self.whole).seconds
        self.plain_s = read(self.plain).seconds

    def run(self, _passes: int) -> None:
        """The highest rung."""
        self.ledger = Ledger().read(self.whole, **self.copying)

    def _copy(self, batch: Any) -> None:
        place(batch, self.device, non_blocking=self.config.pin_memory)

    def after(self) -> Metrics:
        """The ladder and both accounts, in seconds."""
        ledger = self.ledger
        waited = ledger.waited()
        if self.copying:
            self.parts["copy_s"] = waited["step_s"]
        return {
            "seconds": ledger.seconds,
            "batches": float(len(ledger.entries)),
            **self.parts,
            **ledger.done(),
            **waited,
            "blocked_s": ledger.blocked_s(),
            "closure": ledger.closure(),
            "stamping": self.parts.get("handed_s", ledger.seconds) / self.plain_s,
        }


def _count(samples: list[Any]) -> int:
    return len(samples)


@pytest.mark.sweep(
    dataset=("images",), num_workers="last", batch_size="first", collate_fn="first", pin_memory=(False,), rounds=3
)
def bench_ledger(measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device) -> None:
    """Seconds of a pass, each under one heading."""
    measure(Accounted(dataset, loader, device))
