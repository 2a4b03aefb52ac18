"""Datasets with one fault each that users have met: what ``loaderbench explain`` must find, and must not imagine.

A sample costs little but for that fault.
"""

import time
from dataclasses import dataclass, field
from mmap import PAGESIZE
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

Boxes = dict[str, Tensor]


@dataclass(frozen=True)
class ManyTensors(Dataset[Boxes]):
    """One tensor of `large_bytes` and `small` tensors of 8 bytes: rf-detr#1399 had 112, of 0.005 % of the bytes."""

    samples: int = 512
    small: int = 112
    large_bytes: int = 150_000

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Boxes:
        place = range(self.samples)[index]
        made = {f"field{number}": torch.tensor(place) for number in range(self.small)}
        return made | {"image": torch.full((self.large_bytes,), place % 256, dtype=torch.uint8)}


Box = dict[str, Any]


@dataclass(frozen=True)
class ManyObjects(Dataset[list[Box]]):
    """`boxes` mappings of a name and four numbers, which are there already: each crosses by itself."""

    samples: int = 256
    boxes: int = 200
    held: list[list[Box]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        made = [[_box(number) for number in range(self.boxes)] for _ in range(self.samples)]
        object.__setattr__(self, "held", made)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> list[Box]:
        return self.held[index]


def _box(number: int) -> Box:
    return {"name": f"box {number}", "x": number, "y": 2 * number, "width": 0.5 * number, "height": 1.5 * number}


def concatenate(samples: list[list[Box]]) -> list[Box]:
    """The boxes of all samples, end to end."""
    return [box for sample in samples for box in sample]


@dataclass(frozen=True)
class Indexable(Dataset[tuple[Tensor, Tensor]]):
    """Rows of a table that could be asked for many at a time, and are not: `dataset[[3, 5]]` is a batch."""

    samples: int = 16_384
    width: int = 16
    rows: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = torch.arange(self.samples, dtype=torch.float32)[:, None].repeat(1, self.width)
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.rows[index], self.rows[index].sum(-1)


@dataclass
class SlowStart(Dataset[int]):
    """A worker's first sample takes `start_s` longer: a model is loaded, a connection made."""

    samples: int = 256
    start_s: float = 0.3
    begun: bool = field(default=False, init=False)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        if get_worker_info() is not None and not self.begun:
            self.begun = True
            time.sleep(self.start_s)
        return range(self.samples)[index]


@dataclass(frozen=True)
class SlowSamples(Dataset[int]):
    """Every sample takes `usual_s`, and one in `every` takes `slow_s`: as a file that is not in the cache."""

    samples: int = 256
    usual_s: float = 0.0005
    every: int = 64
    slow_s: float = 0.06

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        place = range(self.samples)[index]
        time.sleep(self.slow_s if place % self.every == 0 else self.usual_s)
        return place


@dataclass(frozen=True)
class StorageStalls(Dataset[int]):
    """In the first `still_s` of every `period_s` no process reads a sample: their storage stands still."""

    samples: int = 256
    period_s: float = 0.03
    still_s: float = 0.018

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        since = time.perf_counter() % self.period_s  # all processes of a machine share the clock
        time.sleep(max(0.0, self.still_s - since))
        return range(self.samples)[index]


@dataclass(frozen=True)
class ManyThreads(Dataset[Tensor]):
    """Each sample multiplies two matrices, on as many threads as its library likes."""

    samples: int = 128
    side: int = 500

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Tensor:
        made = np.full((self.side, self.side), float(range(self.samples)[index]), dtype=np.float32)
        return torch.from_numpy((made @ made)[0].copy())


@dataclass(frozen=True)
class LargeAllocation(Dataset[int]):
    """Each sample writes to every page of `size_bytes`, which malloc asks of the system anew, and returns."""

    samples: int = 64
    size_bytes: int = 40 << 20

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        made = np.empty(self.size_bytes, dtype=np.uint8)
        made[::PAGESIZE] = range(self.samples)[index] % 256
        return int(made[0])


@dataclass(frozen=True)
class LargeSamples(Dataset[Tensor]):
    """Samples of `sample_bytes` that are there already: what is left is to hand them over."""

    samples: int = 128
    sample_bytes: int = 1 << 20
    held: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", torch.arange(self.sample_bytes, dtype=torch.int32).to(torch.uint8))

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Tensor:
        range(self.samples)[index]
        return self.held


class PythonList(Dataset[int]):
    """Samples whose metadata are Python objects in a list: forked workers come to copy it (pytorch#13246)."""

    def __init__(self, samples: int = 200_000) -> None:
        self.names = [f"/data/pictures/{number:08}.jpg" for number in range(samples)]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> int:
        return len(self.names[index])


class Leaking(Dataset[int]):
    """A worker keeps `sample_bytes` of each sample for ever."""

    def __init__(self, samples: int = 256, sample_bytes: int = 20_000) -> None:
        self.samples, self.sample_bytes = samples, sample_bytes
        self.kept: list[bytes] = []

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> int:
        self.kept.append(b"x" * self.sample_bytes)
        return range(self.samples)[index]
