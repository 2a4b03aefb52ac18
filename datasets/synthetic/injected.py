"""Text, images and a slow store as a user has them, with places for faults of known size.

What ``loaderbench calibrate`` compares with itself: each side of its comparisons imports its own copy of this file, in
which the numbers below may be others. A fault is real code that takes real time; ``GETITEM`` and ``COLLATE`` are in
proportion to what a sample or a batch costs anyway.
"""

import os
import time
from multiprocessing.util import Finalize
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, get_worker_info

from loaderbench.datasets.images import ImageDataset, crop_folder
from loaderbench.datasets.text import article_passages

GETITEM = 0.0  # share of the samples that are made twice
COLLATE = 0  # how many times more each batch is collated
START_S = 0.0  # what a worker's first sample takes longer
EXIT_S = 0.0  # what a worker's end takes longer
LEAKED_BYTES = 0  # kept for ever of each batch
BATCHED = 1  # whether the store answers for a batch at once

REQUEST_S = 0.0005  # a question to the store
ROWS = 256
PASSAGES = 16  # of a document: it takes about as long as a picture, and its workers are what is waited for

Sample = tuple[Tensor, int]

_kept: list[bytes] = []


def is_due(count: int, share: float) -> bool:
    """Whether the `count`-th of many (from 1) is one of `share` of them, spread evenly.

    >>> [is_due(count, 0.25) for count in range(1, 9)]
    [False, False, False, True, False, False, False, True]
    """
    return int(count * share) > int((count - 1) * share)


class InjectedDataset(Dataset[Sample]):
    """The samples of `make`, and the faults."""

    def __init__(self) -> None:
        self.made = 0
        self.process = 0  # that has made the last one

    def __getitem__(self, index: int) -> Sample:
        if self.process != os.getpid():
            self.begin()
        self.made += 1
        if is_due(self.made, GETITEM):
            self.make(index)
        return self.make(index)

    def begin(self) -> None:
        """Do what is done once in a process."""
        self.process = os.getpid()
        if get_worker_info() is None:
            return
        time.sleep(START_S)
        if EXIT_S:
            Finalize(None, time.sleep, args=(EXIT_S,), exitpriority=1)

    def make(self, index: int) -> Sample:
        """One sample."""
        raise NotImplementedError


class Documents(InjectedDataset):
    """Tokens (L,) of a document, `PASSAGES` passages in a row, and the class of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.passages = article_passages()

    def __len__(self) -> int:
        return len(self.passages)

    def make(self, index: int) -> Sample:
        """Tokenise it."""
        samples: list[Any] = [self.passages[(index + place) % len(self)] for place in range(PASSAGES)]
        return torch.cat([sample["Text"] for sample in samples]), samples[0]["Class"]


class Images(InjectedDataset):
    """A decoded picture, bytes (160, 160, 3), and its class."""

    def __init__(self) -> None:
        super().__init__()
        self.crops = ImageDataset(crop_folder(), pixels)

    def __len__(self) -> int:
        return len(self.crops)

    def make(self, index: int) -> Sample:
        """Decode it."""
        return self.crops[index]


def pixels(image: Image.Image) -> Tensor:
    """Bytes (160, 160, 3): as floats they would be four times as much to hand over, which is the model's to undo."""
    return torch.from_numpy(np.array(ImageOps.fit(image, (160, 160), Image.Resampling.BILINEAR)))


class Rows(InjectedDataset):
    """Rows (8,) of a store that takes `REQUEST_S` to answer, whatever it is asked for."""

    def __len__(self) -> int:
        return ROWS

    def make(self, index: int) -> Sample:
        """Ask for it."""
        (sample,) = request_rows([index])
        return sample

    if BATCHED:

        def __getitems__(self, indices: list[int]) -> list[Sample]:
            """Ask for a batch at once."""
            return request_rows(indices)


def request_rows(indices: list[int]) -> list[Sample]:
    """Rows of the store; IndexError where it has none of that number."""
    time.sleep(REQUEST_S)
    return [(torch.full((8,), float(range(ROWS)[index])), 0) for index in indices]


class Collate:
    """A batch of samples by `pack` or `pad`, and the faults."""

    def __init__(self, *, padded: bool) -> None:
        self.padded = padded

    def __call__(self, samples: list[Sample]) -> tuple[Tensor, ...]:
        """Pad (B, L) where `padded`, else all in a row (L1 + L2 + …,) with their lengths (B,); and labels (B,)."""
        if LEAKED_BYTES:
            _kept.append(b"x" * LEAKED_BYTES)
        for _ in range(COLLATE):
            self.make(samples)
        return self.make(samples)

    def make(self, samples: list[Sample]) -> tuple[Tensor, ...]:
        """One batch."""
        values, labels = [value for value, _ in samples], torch.tensor([label for _, label in samples])
        if not self.padded:
            return torch.cat([value.flatten() for value in values]), torch.tensor([*map(len, values)]), labels
        return (torch.stack(values) if values[0].dim() > 1 else pad_sequence(values, batch_first=True)), labels


pad = Collate(padded=True)
pack = Collate(padded=False)


class Net(nn.Module):
    """A model of any of these batches, small beside what it takes to load them."""

    def __init__(self, width: int = 256, classes: int = 256) -> None:
        super().__init__()
        self.head = nn.Linear(width, classes)

    def forward(self, values: Tensor, *_: Tensor) -> Tensor:
        """(B, …) of whatever size to logits (B, classes)."""
        means = functional.adaptive_avg_pool1d(values.flatten(1).float()[:, None], self.head.in_features)
        return torch.as_tensor(self.head(means.squeeze(1)))
