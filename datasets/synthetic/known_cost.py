"""Datasets whose cost is known by construction, and datasets with one fault at a known index.

The instrument is checked against the first: what it measures must be what the constructor was given. The second show
what it does when a worker fails. A sample is its own index unless the class says otherwise, so that sending it costs
next to nothing. Arguments that end in ``_s`` are seconds, in ``_bytes`` bytes; `samples` is the length of the dataset.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, mmap
from time import perf_counter

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

_LATEST_WAKE_S = 0.002  # time.sleep may return this late; the rest of a sleep is spun


def sleep_until(until_s: float) -> None:
    """Return when ``perf_counter()`` is `until_s`; the core is free until 2 ms before."""
    time.sleep(max(0.0, until_s - perf_counter() - _LATEST_WAKE_S))
    spin(until_s)


def spin(until_s: float) -> None:
    """Keep a core busy until ``perf_counter()`` returns `until_s` or more."""
    while perf_counter() < until_s:
        pass


class _Indices(Dataset[int]):
    """A dataset whose samples are their own indices."""

    samples: int

    def __len__(self) -> int:
        return self.samples

    def _checked(self, index: int) -> int:
        """Return `index` counted from the front; raise IndexError as a list would."""
        return range(self.samples)[index]


# --- known cost


@dataclass(frozen=True)
class Busy(_Indices):
    """Each sample takes `busy_s` seconds of one core, as decoding does."""

    samples: int
    busy_s: float

    def __getitem__(self, index: int) -> int:
        until_s = perf_counter() + self.busy_s
        sample = self._checked(index)
        spin(until_s)
        return sample


@dataclass(frozen=True)
class Sleeping(_Indices):
    """Each sample takes `sleep_s` seconds in which the core is free, except for the last 2 ms: as from a slow disk."""

    samples: int
    sleep_s: float

    def __getitem__(self, index: int) -> int:
        until_s = perf_counter() + self.sleep_s
        sample = self._checked(index)
        sleep_until(until_s)
        return sample


@dataclass(frozen=True)
class Straggler(_Indices):
    """Each sample takes `busy_s` seconds of one core, but sample `straggler_index` takes `straggler_s` seconds."""

    samples: int
    busy_s: float
    straggler_index: int
    straggler_s: float

    def __getitem__(self, index: int) -> int:
        start_s = perf_counter()
        sample = self._checked(index)
        spin(start_s + (self.straggler_s if sample == self.straggler_index else self.busy_s))
        return sample


@dataclass(frozen=True)
class Bytes(Dataset[Tensor]):
    """Each sample is uint8 (`sample_bytes`,), filled with its index modulo 256."""

    samples: int
    sample_bytes: int

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Tensor:
        return torch.full((self.sample_bytes,), range(self.samples)[index] % 256, dtype=torch.uint8)


@dataclass(frozen=True)
class SlowCollate:
    """A collate function that takes `collate_s` seconds of one core for each batch of numbers: a tensor (B,)."""

    collate_s: float

    def __call__(self, samples: list[int]) -> Tensor:
        """Return the batch (B,)."""
        until_s = perf_counter() + self.collate_s
        batch = torch.tensor(samples)
        spin(until_s)
        return batch


@dataclass(frozen=True)
class Payload(_Indices):
    """The dataset itself holds `payload_bytes`, which pickle copies to each worker that is not forked."""

    samples: int
    payload_bytes: int
    payload: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload", b"x" * self.payload_bytes)

    def __getitem__(self, index: int) -> int:
        return self._checked(index)


@dataclass
class Resident(_Indices):
    """Each process that reads a sample holds `resident_bytes` of its own memory from then on, every page written."""

    samples: int
    resident_bytes: int
    _memory: mmap | None = field(default=None, init=False, repr=False, compare=False)
    _process: int = field(default=0, init=False, repr=False, compare=False)  # that mapped the memory

    def __getitem__(self, index: int) -> int:
        if self._process != os.getpid():  # memory that a fork inherits is shared
            # A mapping, not a bytes object: malloc might take that from memory the process has already.
            length = max(1, self.resident_bytes)  # mmap refuses 0
            self._memory, self._process = mmap(-1, length, MAP_PRIVATE | MAP_ANONYMOUS), os.getpid()
            for start in range(0, self.resident_bytes, PAGESIZE):
                self._memory[start] = 1
        return self._checked(index)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_memory": None, "_process": 0}


# --- faults


@dataclass(frozen=True)
class Duplicated(IterableDataset[int]):
    """A stream that is not split among workers: each of them delivers all `samples` (as in nanoVLM#203)."""

    samples: int

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.samples))


@dataclass(frozen=True)
class Raising(_Indices):
    """Sample `fault_index` raises ValueError."""

    samples: int
    fault_index: int

    def __getitem__(self, index: int) -> int:
        if self._checked(index) == self.fault_index:
            raise ValueError(f"sample {self.fault_index} is broken on purpose")
        return self._checked(index)


@dataclass(frozen=True)
class Killed(_Indices):
    """A worker that reads sample `fault_index` gets SIGKILL, as if memory had run out; the main process does not."""

    samples: int
    fault_index: int

    def __getitem__(self, index: int) -> int:
        if self._checked(index) == self.fault_index and get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._checked(index)


@dataclass(frozen=True)
class Hanging(_Indices):
    """A worker that reads sample `fault_index` never returns it; the main process does."""

    samples: int
    fault_index: int

    def __getitem__(self, index: int) -> int:
        while self._checked(index) == self.fault_index and get_worker_info() is not None:
            time.sleep(1)
        return self._checked(index)


@dataclass
class LeakingSharedMemory(_Indices):
    """A worker keeps `sample_bytes` more of shared memory with each sample; the main process keeps nothing."""

    samples: int
    sample_bytes: int
    _kept: list[Tensor] = field(default_factory=list, init=False, repr=False)

    def __getitem__(self, index: int) -> int:
        if get_worker_info() is not None:
            self._kept.append(torch.ones(self.sample_bytes, dtype=torch.uint8).share_memory_())
        return self._checked(index)
