"""The dataset of these scripts: 256 small samples, of which each takes some 2 ms to make."""

import time
from typing import Any

import torch
from torch.utils.data import Dataset


class Slow(Dataset[Any]):
    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names

    def __len__(self) -> int:
        return 256

    def __getitem__(self, index: int) -> Any:
        time.sleep(0.002)
        inputs, target = torch.full((8,), index / 256), torch.tensor([index / 128])
        return dict(zip(self.names, (inputs, target), strict=True)) if self.names else (inputs, target)
