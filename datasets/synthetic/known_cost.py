"""Datasets whose cost or fault is known because it is made on purpose: truth by construction.

A reading of the instrument is checked against them, and so is what it does when a worker fails. A sample is
its own index unless said otherwise, so that sending it costs next to nothing. `at` is the index at which the
fault lies.
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

_WAKE_S = 0.002  # a sleeper may wake this late; what is left of the time is spun away


def spin(until_s: float) -> None:
    """Keeps a core busy until ``perf_counter()`` says `until_s`."""
    while perf_counter() < until_s:
        pass


class _Numbered(Dataset[int]):
    """Samples that are their own indices."""

    samples: int

    def __len__(self) -> int:
        return self.samples

    def _index(self, index: int) -> int:
        """`index` from the front; raises IndexError as a list would."""
        return range(self.samples)[index]


@dataclass(frozen=True)
class Busy(_Numbered):
    """Each sample takes `busy_s` seconds of one core."""

    samples: int
    busy_s: float

    def __getitem__(self, index: int) -> int:
        until_s = perf_counter() + self.busy_s
        found = self._index(index)
        spin(until_s)
        return found


@dataclass(frozen=True)
class Sleeping(_Numbered):
    """Each sample takes `sleep_s` seconds, as of a slow disk: the core is free but for the last 2 ms."""

    samples: int
    sleep_s: float

    def __getitem__(self, index: int) -> int:
        until_s = perf_counter() + self.sleep_s
        found = self._index(index)
        time.sleep(max(0.0, self.sleep_s - _WAKE_S))
        spin(until_s)
        return found


@dataclass(frozen=True)
class Straggler(_Numbered):
    """As `Busy`, but the sample `straggler_index` takes `straggler_s` seconds."""

    samples: int
    busy_s: float
    straggler_index: int
    straggler_s: float

    def __getitem__(self, index: int) -> int:
        began_s = perf_counter()
        found = self._index(index)
        spin(began_s + (self.straggler_s if found == self.straggler_index else self.busy_s))
        return found


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
    """A collate function that takes `collate_s` seconds of one core for each batch: a list becomes a tensor (B,)."""

    collate_s: float

    def __call__(self, samples: list[int]) -> Tensor:
        """The batch."""
        until_s = perf_counter() + self.collate_s
        batch = torch.tensor(samples)
        spin(until_s)
        return batch


@dataclass(frozen=True)
class Payload(_Numbered):
    """A dataset of `payload_bytes`, which pickle copies to each worker that is not forked."""

    samples: int
    payload_bytes: int
    payload: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload", b"x" * self.payload_bytes)

    def __getitem__(self, index: int) -> int:
        return self._index(index)


@dataclass
class Resident(_Numbered):
    """Each process that reads a sample holds `resident_bytes` of its own memory, written to, from then on."""

    samples: int
    resident_bytes: int
    _held: mmap | None = field(default=None, init=False, repr=False, compare=False)
    _holder: int = field(default=0, init=False, repr=False, compare=False)

    def __getitem__(self, index: int) -> int:
        if self._holder != os.getpid():  # what a fork inherits is shared, and so not its own
            # A mapping of its own, not bytes: those may come from memory that the process held already.
            size_bytes = max(1, self.resident_bytes)  # a mapping of nothing is refused
            self._held, self._holder = mmap(-1, size_bytes, MAP_PRIVATE | MAP_ANONYMOUS), os.getpid()
            for start in range(0, self.resident_bytes, PAGESIZE):
                self._held[start] = 1
        return self._index(index)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_held": None, "_holder": 0}


@dataclass(frozen=True)
class Duplicated(IterableDataset[int]):
    """A stream that no worker splits: each delivers all `samples`, as in nanoVLM#203."""

    samples: int

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.samples))


@dataclass(frozen=True)
class Raising(_Numbered):
    """Sample `at` raises ValueError."""

    samples: int
    fault_index: int

    def __getitem__(self, index: int) -> int:
        if self._index(index) == self.fault_index:
            raise ValueError(f"sample {self.fault_index} is broken on purpose")
        return self._index(index)


@dataclass(frozen=True)
class Killed(_Numbered):
    """A worker that reads sample `at` is killed (SIGKILL), as when memory runs out; the main process is not."""

    samples: int
    fault_index: int

    def __getitem__(self, index: int) -> int:
        if self._index(index) == self.fault_index and get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._index(index)


@dataclass(frozen=True)
class Hanging(_Numbered):
    """A worker that reads sample `at` never returns it; the main process does."""

    samples: int
    fault_index: int

    def __getitem__(self, index: int) -> int:
        while self._index(index) == self.fault_index and get_worker_info() is not None:
            time.sleep(1)
        return self._index(index)


@dataclass
class LeakingSharedMemory(_Numbered):
    """A worker keeps `sample_bytes` more of shared memory with each sample; the main process keeps none."""

    samples: int
    sample_bytes: int
    _hoard: list[Tensor] = field(default_factory=list, init=False, repr=False)

    def __getitem__(self, index: int) -> int:
        if get_worker_info() is not None:
            filled = torch.ones(self.sample_bytes, dtype=torch.uint8)
            self._hoard.append(filled.share_memory_())
        return self._index(index)
