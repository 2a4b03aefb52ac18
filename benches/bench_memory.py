"""What does each worker cost in memory?

**Read**, not timed: the memory of the case's process and all its workers, at the 1st, 2nd, 4th, 8th … batch of a pass,
while the loop pauses so that the queues are as full as they get. PSS (a page shared by n processes counts 1/n in each)
is what the machine holds; RSS would count what ``fork`` shares once for every worker.

- ``base_pss_bytes``: before the loader exists;
- ``pss_bytes``, ``uss_bytes``, ``worker_pss_bytes``, ``shm_bytes``: the highest reading of the pass, for the tree,
  for what each process has for itself, for the mean worker (where there is one), and for shared memory (where batches
  wait).

The report shows ``added_pss_bytes``, a round's ``pss_bytes`` less its ``base_pss_bytes``: what the loader costs.
Absolute values say little, because this process holds all that pytest's, from which it was forked, has loaded: pages
that both still share are counted as its own. A difference below 0 is shown as it is.

**What to expect**: up to ``num_workers × prefetch_factor`` batches wait in shared memory, and every worker has its own
interpreter; under ``fork`` it shares its parent's pages until it writes to them, and reading a Python object writes to
its reference count (pytorch#13246).

    pytest benches/bench_memory.py --dataset images --num-workers 0,1,2 --prefetch-factor 2,8
"""

from time import sleep
from typing import Any, Self

import pytest
import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import Epoch
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics
from loaderbench.benches.harness.system import processes

SETTLE_S = 0.02  # for the workers to fill the queues while the loop pauses


class PausingEpoch(Epoch):
    """Passes that pause now and then to read the memory of the process tree."""

    def __init__(self, subject: Subject, config: LoaderConfig, *, device: torch.device) -> None:
        super().__init__(subject, config, device=device, step=self.pause)

    def __enter__(self) -> Self:
        self.base = processes.memory()
        super().__enter__()
        return self

    def before(self, _passes: int) -> None:
        """Forget the pass before."""
        self.readings: list[processes.Memory] = []
        self.count = 0

    def pause(self, batch: Any) -> Any:
        """Read the memory at every batch whose number is a power of two, holding `batch` as a model would."""
        self.count += 1
        if self.count & (self.count - 1) == 0:
            sleep(SETTLE_S)
            self.readings.append(processes.memory())
        return batch

    def after(self) -> Metrics:
        """Return the highest readings, in bytes."""
        workers = self.config.num_workers
        worker_pss_bytes = max(reading.worker_pss_bytes for reading in self.readings)
        return {
            "seconds": super().after()["seconds"],
            "base_pss_bytes": float(self.base.pss_bytes),
            "pss_bytes": float(max(reading.pss_bytes for reading in self.readings)),
            "uss_bytes": float(max(reading.uss_bytes for reading in self.readings)),
            **({"worker_pss_bytes": worker_pss_bytes / workers} if workers else {}),
            "shm_bytes": float(max(reading.shm_bytes for reading in self.readings) - self.base.shm_bytes),
        }


@pytest.mark.sweep(
    dataset=("images",),
    batch_size="first",
    collate_fn="first",
    pin_memory=(False,),
    persistent_workers=(True,),
    rounds=2,
    expected_s=1.8,
)
def bench_memory(measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device) -> None:
    """Bytes held by the loader's process and its workers, the queues full."""
    measure(PausingEpoch(dataset, loader, device=device))
