"""Datasets with one pitfall each that users have met: the causes that ``loaderbench explain`` must find.

Apart from its pitfall a sample costs next to nothing, so that no other cause may be reported. `samples` is the length
of the dataset; arguments that end in ``_s`` are seconds, in ``_bytes`` bytes.
"""

import time
from dataclasses import dataclass, field
from mmap import PAGESIZE
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

Sample = TypeVar("Sample")
Box = dict[str, Any]


class _Sized(Dataset[Sample]):
    samples: int

    def __len__(self) -> int:
        return self.samples


@dataclass(frozen=True)
class ManyTensors(_Sized[dict[str, Tensor]]):
    """A tensor of `large_bytes` and `small` tensors of 8 bytes; rf-detr#1399 had 112, with 0.005 % of the bytes."""

    samples: int = 512
    small: int = 112
    large_bytes: int = 150_000

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        number = range(self.samples)[index]
        sample = {f"field{field_number}": torch.tensor(number) for field_number in range(self.small)}
        return sample | {"image": torch.full((self.large_bytes,), number % 256, dtype=torch.uint8)}


@dataclass(frozen=True)
class ManyObjects(_Sized[list[Box]]):
    """Each sample is `boxes` dicts of a name and four numbers, made beforehand; sending them pickles every object."""

    samples: int = 256
    boxes: int = 200
    annotations: list[list[Box]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        annotations = [[_box(number) for number in range(self.boxes)] for _ in range(self.samples)]
        object.__setattr__(self, "annotations", annotations)

    def __getitem__(self, index: int) -> list[Box]:
        return self.annotations[index]


def _box(number: int) -> Box:
    return {"name": f"box {number}", "x": number, "y": 2 * number, "width": 0.5 * number, "height": 1.5 * number}


def concatenate(samples: list[list[Box]]) -> list[Box]:
    """Collate `ManyObjects`: return the boxes of all samples in one list."""
    return [box for sample in samples for box in sample]


@dataclass(frozen=True)
class Indexable(_Sized[tuple[Tensor, Tensor]]):
    """Rows of a table that are read one by one, although ``dataset[[3, 5]]`` would return a batch.

    A sample is float32 (`width`,) and its sum.
    """

    samples: int = 16_384
    width: int = 16
    rows: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = torch.arange(self.samples, dtype=torch.float32)[:, None].repeat(1, self.width)
        object.__setattr__(self, "rows", rows)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.rows[index], self.rows[index].sum(-1)


@dataclass
class SlowStart(_Sized[int]):
    """The first sample of each worker takes `start_s` longer, as if it loaded a model; every one sleeps `sleep_s`."""

    samples: int = 256
    start_s: float = 0.3
    sleep_s: float = 0.0
    started: bool = field(default=False, init=False)

    def __getitem__(self, index: int) -> int:
        if get_worker_info() is not None and not self.started:
            self.started = True
            time.sleep(self.start_s)
        if self.sleep_s:
            time.sleep(self.sleep_s)
        return range(self.samples)[index]


@dataclass(frozen=True)
class SlowSamples(_Sized[int]):
    """Every sample takes `usual_s`, and one in `every` takes `slow_s`, like a file that is not in the page cache."""

    samples: int = 256
    usual_s: float = 0.0005
    every: int = 64
    slow_s: float = 0.06

    def __getitem__(self, index: int) -> int:
        number = range(self.samples)[index]
        time.sleep(self.slow_s if number % self.every == 0 else self.usual_s)
        return number


@dataclass(frozen=True)
class StorageStalls(_Sized[int]):
    """In the first `stall_s` of every `period_s`, no process can read a sample, as if their storage stalled."""

    samples: int = 256
    period_s: float = 0.03
    stall_s: float = 0.018

    def __getitem__(self, index: int) -> int:
        since_s = time.perf_counter() % self.period_s  # all processes of a machine share this clock
        time.sleep(max(0.0, self.stall_s - since_s))
        return range(self.samples)[index]


@dataclass(frozen=True)
class ManyThreads(_Sized[Tensor]):
    """Each sample multiplies two matrices (`side`, `side`) on as many threads as NumPy's library uses by default."""

    samples: int = 128
    side: int = 500

    def __getitem__(self, index: int) -> Tensor:
        matrix = np.full((self.side, self.side), float(range(self.samples)[index]), dtype=np.float32)
        return torch.from_numpy((matrix @ matrix)[0].copy())


@dataclass(frozen=True)
class LargeAllocation(_Sized[int]):
    """Each sample allocates `size_bytes`, writes to every page and frees it; malloc returns it to the system."""

    samples: int = 64
    size_bytes: int = 40 << 20

    def __getitem__(self, index: int) -> int:
        memory = np.empty(self.size_bytes, dtype=np.uint8)
        memory[::PAGESIZE] = range(self.samples)[index] % 256
        return int(memory[0])


@dataclass(frozen=True)
class LargeSamples(_Sized[Tensor]):
    """Each sample is the same uint8 tensor (`sample_bytes`,), made beforehand: only sending it costs anything."""

    samples: int = 128
    sample_bytes: int = 1 << 20
    sample: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sample", torch.arange(self.sample_bytes, dtype=torch.int32).to(torch.uint8))

    def __getitem__(self, index: int) -> Tensor:
        range(self.samples)[index]  # raises IndexError
        return self.sample


class PythonList(Dataset[int]):
    """File names in a Python list, which forked workers end up with copies of (pytorch#13246); a sample is a length."""

    def __init__(self, samples: int = 200_000) -> None:
        self.names = [f"/data/pictures/{number:08}.jpg" for number in range(samples)]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> int:
        return len(self.names[index])


class PythonDict(Dataset[int]):
    """The same by name, in a dict of dicts; a sample is a number."""

    def __init__(self, samples: int = 100_000) -> None:
        self.scans: dict[str, dict[str, Any]] = {
            f"scan {number}": {"path": f"/data/{number:08}.pcd", "points": number} for number in range(samples)
        }

    def __len__(self) -> int:
        return len(self.scans)

    def __getitem__(self, index: int) -> int:
        return int(self.scans[f"scan {range(len(self))[index]}"]["points"])


class SharedGenerator(_Sized[float]):
    """Draws from a generator of its own, of which every forked worker has a copy in the same state."""

    def __init__(self, samples: int = 64) -> None:
        self.samples = samples
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index: int) -> float:
        return range(self.samples)[index] + self.rng.random()


class TensorsOfLists(_Sized[Tensor]):
    """Each sample converts a list of `width` numbers, one by one."""

    def __init__(self, samples: int = 512, width: int = 2000) -> None:
        self.samples = samples
        self.rows = [[float(number)] * width for number in range(8)]

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor(self.rows[range(self.samples)[index] % len(self.rows)])


class Leaking(_Sized[int]):
    """Each process keeps `sample_bytes` more of memory with each sample it reads."""

    def __init__(self, samples: int = 256, sample_bytes: int = 20_000) -> None:
        self.samples, self.sample_bytes = samples, sample_bytes
        self.kept: list[bytes] = []

    def __getitem__(self, index: int) -> int:
        self.kept.append(b"x" * self.sample_bytes)
        return range(self.samples)[index]
