"""How long until the first batch, and how long until the workers are gone?

**Timed**, in one round, from a DataLoader that does not exist yet:

- ``start_s``: ``iter(loader)`` returns; every worker process has been asked for;
- ``first_batch_s``: from ``iter(loader)`` to the first batch, which is what a person waits for;
- ``next_first_batch_s``: the same for the second epoch, where ``persistent_workers`` pays;
- ``shutdown_s``: from the last batch until all workers have been joined. It falls at the end of every epoch, or with
  ``persistent_workers`` once, when the loader is dropped. Throughput never shows it: pytorch#23642 was 5 s here.

Both epochs are a few batches long, so that the workers' start is not drowned by their work.

**When it matters**: under ``spawn`` and ``forkserver`` (the default on Linux from Python 3.14 on) each worker imports
torch again and receives the pickled dataset; under ``fork`` it inherits both.

    pytest benches/bench_startup.py --dataset text --start-method fork,forkserver,spawn
"""

from dataclasses import replace
from time import perf_counter
from typing import Self

import pytest
from torch import multiprocessing

from loaderbench.benches.harness.clock import Metrics
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import Measure
from loaderbench.benches.harness.subject import Subject

BATCHES = 2  # of each worker, in each epoch


class Startup:
    """Two short epochs of a new loader, and its end."""

    steady = False

    def __init__(self, subject: Subject, config: LoaderConfig) -> None:
        self.dataset = subject.dataset
        self.config = config if subject.is_stream else short(config, subject)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing outlives a round."""

    def before(self, _passes: int) -> None:
        """A round needs nothing but the dataset."""

    def run(self, _passes: int) -> None:
        """From ``iter(loader)`` to the last worker's end, twice with the same loader."""
        began = perf_counter()
        loader = self.config.build(self.dataset)
        first = Marks(loader)
        second = Marks(loader)
        dropped = perf_counter()
        del loader
        ended = perf_counter()
        self.metrics = {
            "seconds": ended - began,
            "start_s": first.start_s,
            "first_batch_s": first.first_batch_s,
            "next_first_batch_s": second.first_batch_s,
            "shutdown_s": first.end_s + ended - dropped,
        }

    def after(self) -> Metrics:
        """What `run` saw."""
        return self.metrics


class Marks:
    """One epoch of `loader`, by the clock: until ``iter`` returned, until the first batch, after the last."""

    def __init__(self, loader: object) -> None:
        began = perf_counter()
        iterator = iter(loader)  # type: ignore[call-overload]
        self.start_s = perf_counter() - began
        next(iterator)
        self.first_batch_s = (last := perf_counter()) - began
        for _ in iterator:
            last = perf_counter()
        self.end_s = perf_counter() - last


def short(config: LoaderConfig, subject: Subject) -> LoaderConfig:
    """`config` for an epoch of `BATCHES` batches a worker, over the same dataset: it is pickled whole."""
    if config.batch_sampler is not None or config.sampler is not None:
        return config
    wanted = BATCHES * max(1, config.num_workers) * (config.batch_size or 1)
    length = len(subject.dataset)  # type: ignore[arg-type]
    return replace(config, shuffle=False, sampler=range(min(wanted, length)))


@pytest.mark.sweep(
    dataset="first",
    num_workers=(1,),
    batch_size="first",
    collate_fn="first",
    pin_memory=(False,),
    start_method=multiprocessing.get_all_start_methods(),
    persistent_workers=(False, True),
    rounds=3,
)
def bench_startup(measure: Measure, dataset: Subject, loader: LoaderConfig) -> None:
    """Seconds to the first batch, to the next epoch's first batch, and to the end of the workers."""
    measure(Startup(dataset, loader))
