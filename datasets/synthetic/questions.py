"""A dataset, collate functions and a model of given costs, so that the right answer of `loaderbench run` is known.

Arguments that end in ``_s`` are seconds, in ``_bytes`` bytes. A sample is a tensor and a label, as for a classifier.
"""

import time
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from loaderbench.datasets.synthetic.known_cost import spin

CLASSES = 2


@dataclass(frozen=True, kw_only=True)
class CostlySamples(Dataset[tuple[Tensor, int]]):
    """Each sample takes `busy_s` of a core, then `sleep_s` in which the core is free, and has `sample_bytes`."""

    samples: int = 1 << 20
    busy_s: float = 0.0
    sleep_s: float = 0.0
    sample_bytes: int = 8

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        until_s = perf_counter() + self.busy_s
        sample = torch.full((self.sample_bytes,), range(self.samples)[index] % 256, dtype=torch.uint8)
        spin(until_s)
        if self.sleep_s:
            time.sleep(self.sleep_s)
        return sample, index % CLASSES


def collate_in_5ms(samples: list[Any]) -> Any:
    """Collate as torch does, in 5 ms of a core."""
    return _collated(samples, 0.005)


def collate_in_20ms(samples: list[Any]) -> Any:
    """Collate as torch does, in 20 ms of a core."""
    return _collated(samples, 0.02)


def _collated(samples: list[Any], collate_s: float) -> Any:
    until_s = perf_counter() + collate_s
    batch = default_collate(samples)
    spin(until_s)
    return batch


class TimedStep(nn.Module):
    """A classifier whose forward pass takes `step_s` of a core, and learns next to nothing."""

    def __init__(self, step_s: float) -> None:
        super().__init__()
        self.step_s = step_s
        self.logits = nn.Parameter(torch.zeros(CLASSES))

    def forward(self, samples: Tensor) -> Tensor:
        """Return logits (B, classes)."""
        spin(perf_counter() + self.step_s)
        return self.logits.expand(len(samples), CLASSES)
