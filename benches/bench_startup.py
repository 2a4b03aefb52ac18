"""How long until the first batch, what does that time go to, and how long until the workers are gone?

**Timed**, in one round, from a DataLoader that does not exist yet, over two epochs of a few batches, so that the start
of the workers is not hidden by their work:

- ``start_s``: until ``iter(loader)`` returns. A worker that is not forked has then received its dataset: workers are
  started one after the other;
- ``first_batch_s``: from ``iter(loader)`` to the first batch, which is what a person waits for;
- ``next_first_batch_s``: the same for the second epoch, where ``persistent_workers`` pays; ``gap_s``: from the last
  batch of the first epoch to the first of the second;
- ``shutdown_s``: from the last batch until all workers have been joined: at the end of every epoch, or with
  ``persistent_workers`` once, when the loader is dropped. Throughput never shows it: pytorch#23642 was 5 s here.

The parts of ``first_batch_s``, of the first worker, add up to it (``harness/tracing/startup.py``): ``queues_s`` (the
queues of torch), ``pickle_s`` (the dataset, in this process), ``process_s`` (a process and its interpreter start; of a
fork, until it runs), ``main_s`` (the main module is imported again), ``imports_s`` (what the worker's loop and the
dataset's class need, torch above all), ``unpickle_s`` (the dataset, as its bytes come through a pipe), ``init_s``
(until its first sample is requested), ``first_fetch_s`` and ``deliver_s``.

**When it matters**: under ``spawn`` and ``forkserver`` (the default on Linux from Python 3.14 on) each worker imports
torch again and receives the pickled dataset; under ``fork`` it inherits both. `bench_startup_payload` shows what that
makes of a large dataset (published in SPDL's case study): under ``spawn`` and ``forkserver`` the start grows with
payload × workers, under ``fork`` with neither. Its dataset holds ``bytes``, which pickle copies, and its samples cost
nothing.

    pytest benches/bench_startup.py --dataset text --start-method fork,forkserver,spawn
"""

from dataclasses import replace
from typing import Any

import pytest
from torch import multiprocessing
from torch.utils.data import IterableDataset

from loaderbench.benches.harness.cases.case_sets import distinct
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.measuring.work import Metrics, Work
from loaderbench.benches.harness.tracing.startup import trace_startup
from loaderbench.datasets.synthetic.known_cost import Payload

BATCHES = 2  # of each worker, in each epoch


class Startup(Work):
    """Two short epochs of a new loader, and its end."""

    steady = False

    def __init__(self, dataset: Any, config: LoaderConfig) -> None:
        self.dataset = dataset
        self.config = shortened(config, dataset)
        self.metrics: Metrics = {}

    def run(self, _passes: int) -> None:
        """Start a loader, read it twice, and end it."""
        self.metrics = trace_startup(self.config, self.dataset)

    def after(self) -> Metrics:
        """Return the times of `run`, in seconds."""
        return self.metrics


def shortened(config: LoaderConfig, dataset: Any) -> LoaderConfig:
    """Return `config` for an epoch of `BATCHES` batches a worker; the dataset stays whole, as it is pickled whole."""
    if isinstance(dataset, IterableDataset) or config.batch_sampler is not None or config.sampler is not None:
        return config
    samples = BATCHES * max(1, config.num_workers) * (config.batch_size or 1)
    return replace(config, shuffle=False, sampler=range(min(samples, len(dataset))))


# The platform's own, and the two extremes: forkserver takes as long as spawn, once its server runs.
START_METHODS = distinct(
    multiprocessing.get_start_method(),
    *(name for name in ("fork", "spawn") if name in multiprocessing.get_all_start_methods()),
)


@pytest.mark.sweep(
    dataset="first",
    num_workers=(1,),
    batch_size="first",
    collate_fn="first",
    pin_memory=(False,),
    start_method=START_METHODS,
    persistent_workers=(True, False),
    rounds=2,
    expected_s=3.5,
)
def bench_startup(measure: Measure, dataset: Subject, loader: LoaderConfig) -> None:
    """Seconds to the first batch, to the next epoch's first batch, and to the end of the workers."""
    measure(Startup(dataset.dataset, loader))


@pytest.mark.parametrize("payload_mb", [0, 64])
@pytest.mark.sweep(num_workers=(1, 2), rounds=2, expected_s=1.0)
def bench_startup_payload(measure: Measure, payload_mb: int, num_workers: int, start_method: str) -> None:
    """The same of a dataset of `payload_mb` megabytes whose samples cost nothing."""
    if not num_workers:
        pytest.skip("no workers to start")
    dataset = Payload(samples=BATCHES * num_workers, payload_bytes=payload_mb * 1_000_000)
    config = LoaderConfig(num_workers=num_workers, multiprocessing_context=start_method, timeout=60)
    measure(Startup(dataset, config), payload_bytes=dataset.payload_bytes)
