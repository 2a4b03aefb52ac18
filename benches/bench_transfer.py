"""What do pin_memory and non_blocking gain on the way to the device?

**Timed**: copies of one real batch to the device, back to back, the device synchronised before the first and after
the last. With ``pin_memory`` the batch lies in page-locked memory, as DataLoader's pinning thread leaves it; the cost
of pinning itself is not in here but in ``bench_epoch``.

**Read as** bytes per second, beside the bytes in a batch and beside the most that the link can do: the fastest of a
few copies of `LINK_BYTES` of page-locked memory. The time of small batches is that of the call, the time of large ones
that of the link. ``non_blocking`` can only help from page-locked memory.

Needs an accelerator; skipped elsewhere.

    pytest benches/bench_transfer.py --device cuda --batch-size 32,256,1024
"""

import math
from functools import cache
from time import perf_counter
from typing import Self

import pytest
import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics, Work
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.devices import place, synchronise
from loaderbench.datasets.pytree import count_leaves

COPIES = 16  # in a pass
LINK_BYTES = 256 << 20
LINK_COPIES = 5


class Transfer(Work):
    """Copies of one batch to the device."""

    steady = True

    def __init__(self, subject: Subject, config: LoaderConfig, device: torch.device, *, non_blocking: bool) -> None:
        self.subject, self.config = subject, config
        self.device, self.non_blocking = device, non_blocking

    def __enter__(self) -> Self:
        self.batch = next(iter(without_workers(self.config).build(self.subject.dataset)))
        return self

    def __exit__(self, *_: object) -> None:
        del self.batch

    def run(self, passes: int) -> None:
        """Copies, one after the other; what is copied is dropped."""
        self.copies = COPIES * passes
        synchronise(self.device)
        began = perf_counter()
        for _ in range(self.copies):
            place(self.batch, self.device, non_blocking=self.non_blocking)
        synchronise(self.device)
        self.seconds = perf_counter() - began

    def after(self) -> Metrics:
        """Return seconds and bytes of all copies."""
        return {"seconds": self.seconds, "bytes": float(self.copies * count_leaves(self.batch).bytes)}


@cache
def link_bytes_per_s(device: torch.device) -> float:
    """Return what the link to `device` can carry, measured in a process of its own."""
    return in_child(lambda: _link_bytes_per_s(device))


def _link_bytes_per_s(device: torch.device) -> float:
    source = torch.empty(LINK_BYTES, dtype=torch.uint8, pin_memory=True)
    target = torch.empty(LINK_BYTES, dtype=torch.uint8, device=device)
    fastest_s = math.inf
    for _ in range(LINK_COPIES):
        synchronise(device)
        began = perf_counter()
        target.copy_(source, non_blocking=True)
        synchronise(device)
        fastest_s = min(fastest_s, perf_counter() - began)
    return LINK_BYTES / fastest_s


@pytest.mark.sweep(
    dataset=("images",),
    num_workers=(0,),
    batch_size=(32, 1, 256),
    collate_fn="first",
    pin_memory=(True, False),
    non_blocking=(True, False),
    together=("batch_size", "pin_memory", "non_blocking"),
)
def bench_transfer(
    measure: Measure, dataset: Subject, loader: LoaderConfig, accelerator: torch.device, non_blocking: bool
) -> None:
    """Seconds to copy a batch to the device."""
    measure(
        Transfer(dataset, loader, accelerator, non_blocking=non_blocking),
        link_bytes_per_s=link_bytes_per_s(accelerator),
    )
