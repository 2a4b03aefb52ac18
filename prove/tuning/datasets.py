"""Twelve datasets of known cost, each with the grid of settings that is measured: what limits it differs.

An epoch takes some 0.15 s in one process, so that a trial is little more than the start of its workers. Workers are
forked: what is defined here is never pickled.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Lock
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, default_collate, get_worker_info

from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.tune.passes import Passes
from loaderbench.datasets.synthetic.known_cost import Busy, Bytes, spin
from loaderbench.datasets.synthetic.pitfalls import ManyTensors, SlowStart
from loaderbench.datasets.synthetic.questions import CostlySamples
from prove.tuning.replay import Grid

BATCHES = 16
CPUS = 2
EPOCH_S = 0.15  # in one process, about


@dataclass(frozen=True)
class Uneven(Dataset[Tensor]):
    """Sample i keeps a core busy for a time around `busy_s` that is drawn, always the same one."""

    samples: int
    busy_s: float

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Tensor:
        until_s = perf_counter() + self.busy_s * random.Random(index).expovariate(1.0)  # noqa: S311 - a cost
        sample = torch.zeros(256, dtype=torch.uint8)
        spin(until_s)
        return sample


@dataclass(frozen=True)
class Ragged(Dataset[Tensor]):
    """Rows of drawn length, always the same one; making one takes as long in proportion, `busy_s` in the mean."""

    samples: int
    busy_s: float
    most: int = 4000

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Tensor:
        length = random.Random(index).randrange(1, self.most)  # noqa: S311 - a cost
        until_s = perf_counter() + self.busy_s * 2 * length / self.most
        row = torch.zeros(length)
        spin(until_s)
        return row


def padded(rows: list[Tensor]) -> Tensor:
    """Return the rows as one batch (B, longest)."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


@dataclass(frozen=True)
class Stragglers(Dataset[int]):
    """One sample in `every` takes `slow_s` of a core, the others `busy_s`."""

    samples: int
    busy_s: float
    slow_s: float
    every: int

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        spin(perf_counter() + (self.slow_s if index % self.every == 0 else self.busy_s))
        return index


@dataclass(frozen=True)
class Stream(IterableDataset[Tensor]):
    """A stream that its workers share; each sample takes `busy_s` of a core."""

    samples: int
    busy_s: float

    def __iter__(self) -> Iterator[Tensor]:
        info = get_worker_info()
        for _ in range(self.samples if info is None else len(range(info.id, self.samples, info.num_workers))):
            spin(perf_counter() + self.busy_s)
            yield torch.zeros(256, dtype=torch.uint8)


@dataclass
class OneLock(Dataset[int]):
    """Each sample waits for `sleep_s` while it holds a lock that all workers share, as of a database or a file."""

    samples: int
    sleep_s: float
    lock: Lock = field(default_factory=lambda: multiprocessing.get_context("fork").Lock(), repr=False)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        with self.lock:
            time.sleep(self.sleep_s)
        return index


@dataclass(frozen=True, kw_only=True)
class TunedDataset:
    """A dataset, made anew by `make` of so many samples, and what its grid varies besides the workers."""

    name: str
    make: Callable[[int], Any]
    sample_s: float  # in one process, about
    choices: Mapping[str, Sequence[Any]]
    collate_fn: Callable[[list[Any]], Any] = default_collate

    @property
    def batch_size(self) -> int:
        """Return the samples of a batch, by which an epoch takes `EPOCH_S` in one process."""
        return max(2, min(64, round(EPOCH_S / BATCHES / self.sample_s)))

    @property
    def samples(self) -> int:
        """Return the samples of an epoch."""
        return BATCHES * self.batch_size

    def grid(self, *, short: bool = False) -> Grid:
        """Return the settings to measure; in short, four."""
        few: Mapping[str, Sequence[Any]] = {
            "num_workers": (0, 1), "prefetch_factor": (2, 4, 8), "persistent_workers": (True,),
        }  # fmt: skip
        usual = {"num_workers": (0, 1, 2, 4), "persistent_workers": (False, True), **self.choices}
        return Grid(
            name=self.name,
            config=loader_config(num_workers=1, batch_size=self.batch_size, collate_fn=self.collate_fn),
            choices=few if short else usual,
            passes=Passes(
                batches=BATCHES,
                batch_samples=self.batch_size,
                batch_s=self.batch_size * self.sample_s,
                samples=self.samples,
                usual_size=self.batch_size,
                cpus=CPUS,
            ),
            is_stream=self.name == "stream",
        )


PREFETCH: Mapping[str, Sequence[Any]] = {"prefetch_factor": (2, 8)}
ORDER: Mapping[str, Sequence[Any]] = {"in_order": (True, False)}
MALLOC: Mapping[str, Sequence[Any]] = {"keep_memory": (False, True)}
PACKED: Mapping[str, Sequence[Any]] = {"collate_fn": ("own", "packed")}
STACKED: Mapping[str, Sequence[Any]] = {"collate_fn": ("own", "stack_into")}
REUSED: Mapping[str, Sequence[Any]] = {"collate_fn": ("own", "reused")}

DATASETS = (
    TunedDataset(name="cheap", make=lambda n: Bytes(n, 64), sample_s=1e-5, choices={**PREFETCH, **STACKED}),
    TunedDataset(name="decode-bound", make=lambda n: Busy(n, 1e-3), sample_s=1e-3, choices={**PREFETCH, **MALLOC}),
    TunedDataset(
        name="waits for storage",
        make=lambda n: CostlySamples(samples=n, sleep_s=2e-3),
        sample_s=2e-3,
        choices={**PREFETCH, **ORDER},
    ),
    TunedDataset(
        name="many tensors", make=lambda n: ManyTensors(n, 64, 5000), sample_s=4e-4, choices={**PREFETCH, **PACKED}
    ),
    TunedDataset(
        name="straggler",
        make=lambda n: Stragglers(n, 5e-4, 2e-2, 48),
        sample_s=9e-4,
        choices={**PREFETCH, **ORDER},
    ),
    TunedDataset(
        name="ragged", make=lambda n: Ragged(n, 1e-3), sample_s=1e-3, choices={**ORDER, **MALLOC}, collate_fn=padded
    ),
    TunedDataset(name="stream", make=lambda n: Stream(n, 5e-4), sample_s=5e-4, choices={**PREFETCH, **MALLOC}),
    TunedDataset(name="huge items", make=lambda n: Bytes(n, 500_000), sample_s=3e-4, choices={**REUSED, **MALLOC}),
    TunedDataset(name="tiny items", make=lambda n: Busy(n, 2e-5), sample_s=2.5e-5, choices={**PREFETCH, **MALLOC}),
    TunedDataset(name="random cost", make=lambda n: Uneven(n, 2e-3), sample_s=2e-3, choices={**PREFETCH, **ORDER}),
    TunedDataset(name="one lock", make=lambda n: OneLock(n, 5e-4), sample_s=6e-4, choices={**PREFETCH, **ORDER}),
    TunedDataset(
        name="slow start",
        make=lambda n: SlowStart(n, start_s=0.1, sleep_s=1e-3),
        sample_s=1e-3,
        choices={**PREFETCH, **MALLOC},
    ),
)
