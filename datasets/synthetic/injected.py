"""Text, images and a slow store, with regressions of known size that can be injected.

What ``loaderbench calibrate`` compares with itself: each revision of its comparisons imports its own copy of this file,
with an ``injected.json`` beside it, which holds the `Faults` of that revision. A fault is real code that takes real
time; extra samples and collation cost in proportion to what a sample or a batch costs anyway.
"""

import json
import os
import time
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
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

REQUEST_S = 0.0005  # seconds of a request to the store
ROWS = 256  # of the store
PASSAGES = 16  # of a document, which so takes about as long as an image


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with these datasets; by default nothing is."""

    getitem_share: float = 0.0  # of the samples, that are made twice
    collate_times: int = 0  # that each batch is collated in addition
    worker_start_s: float = 0.0  # that a worker's first sample takes in addition
    worker_exit_s: float = 0.0  # that a worker takes to end in addition
    leaked_bytes: int = 0  # of memory kept after each batch
    is_batched: bool = True  # whether the store is asked for a batch at once, by __getitems__

    @classmethod
    def beside(cls, module: str) -> "Faults":
        """Return the faults in the JSON file beside a module, none where there is none; TypeError for an unknown one.

        Not in the environment: its size alone can change how fast a process is (T. Mytkowicz et al., ASPLOS 2009).
        """
        file = Path(module).with_suffix(".json")
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else cls()


FAULTS = Faults.beside(__file__)

Sample = tuple[Tensor, int]

_leaked: list[bytes] = []


def is_due(number: int, share: float) -> bool:
    """Return whether sample `number` (from 1) is one of the `share` of all samples that are made twice, spread evenly.

    >>> [is_due(number, 0.25) for number in range(1, 9)]
    [False, False, False, True, False, False, False, True]
    """
    return int(number * share) > int((number - 1) * share)


class InjectedDataset(Dataset[Sample]):
    """The samples that `make` returns, with the faults of `__getitem__` and of a worker's start and end."""

    def __init__(self) -> None:
        self.process = 0  # that read the last sample
        self.samples_read = 0

    def __getitem__(self, index: int) -> Sample:
        if self.process != os.getpid():
            self.process = os.getpid()
            self._start()
        self.samples_read += 1
        if is_due(self.samples_read, FAULTS.getitem_share):
            self.make(index)
        return self.make(index)

    def _start(self) -> None:
        if get_worker_info() is None:
            return
        time.sleep(FAULTS.worker_start_s)
        if FAULTS.worker_exit_s:
            Finalize(None, time.sleep, args=(FAULTS.worker_exit_s,), exitpriority=1)

    def make(self, index: int) -> Sample:
        """Return one sample."""
        raise NotImplementedError


class Documents(InjectedDataset):
    """Token ids (L,) of `PASSAGES` consecutive passages, and the class of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.passages = article_passages()

    def __len__(self) -> int:
        return len(self.passages)

    def make(self, index: int) -> Sample:
        """Tokenize the document that begins at passage `index`."""
        samples: list[Any] = [self.passages[(index + offset) % len(self)] for offset in range(PASSAGES)]
        return torch.cat([sample["Text"] for sample in samples]), samples[0]["Class"]


class Images(InjectedDataset):
    """A decoded image, uint8 (160, 160, 3), and its class."""

    def __init__(self) -> None:
        super().__init__()
        self.crops = ImageDataset(crop_folder(), pixels)

    def __len__(self) -> int:
        return len(self.crops)

    def make(self, index: int) -> Sample:
        """Decode image `index`."""
        return self.crops[index]


def pixels(image: Image.Image) -> Tensor:
    """Return uint8 (160, 160, 3): as float32, four times as many bytes would be sent to the main process."""
    return torch.from_numpy(np.array(ImageOps.fit(image, (160, 160), Image.Resampling.BILINEAR)))


class Rows(InjectedDataset):
    """Rows float32 (8,) of a store that takes `REQUEST_S` seconds for each request, of one row or of many."""

    def __len__(self) -> int:
        return ROWS

    def make(self, index: int) -> Sample:
        """Request row `index`."""
        (sample,) = request_rows([index])
        return sample

    if FAULTS.is_batched:

        def __getitems__(self, indices: list[int]) -> list[Sample]:
            """Request a batch at once."""
            return request_rows(indices)


def request_rows(indices: list[int]) -> list[Sample]:
    """Return rows of the store; raise IndexError if it has no such row."""
    time.sleep(REQUEST_S)
    return [(torch.full((8,), float(range(ROWS)[index])), 0) for index in indices]


class Collate:
    """Pad or pack samples, with the regressions `FAULTS.collate_times` and `FAULTS.leaked_bytes`."""

    def __init__(self, *, padded: bool) -> None:
        self.padded = padded

    def __call__(self, samples: list[Sample]) -> tuple[Tensor, ...]:
        """Return padded (B, L) or packed (L1 + L2 + …,) and lengths (B,); and labels (B,)."""
        if FAULTS.leaked_bytes:
            _leaked.append(b"x" * FAULTS.leaked_bytes)
        for _ in range(FAULTS.collate_times):
            self.make(samples)
        return self.make(samples)

    def make(self, samples: list[Sample]) -> tuple[Tensor, ...]:
        """Collate one batch."""
        values, labels = [value for value, _ in samples], torch.tensor([label for _, label in samples])
        if not self.padded:
            return torch.cat([value.flatten() for value in values]), torch.tensor([*map(len, values)]), labels
        return (torch.stack(values) if values[0].dim() > 1 else pad_sequence(values, batch_first=True)), labels


pad = Collate(padded=True)
pack = Collate(padded=False)


class Net(nn.Module):
    """A model for any of these batches, cheap in comparison with loading them."""

    def __init__(self, width: int = 256, classes: int = 256) -> None:
        super().__init__()
        self.head = nn.Linear(width, classes)

    def forward(self, values: Tensor, *_: Tensor) -> Tensor:
        """Return logits (B, classes) of values (B, …)."""
        means = functional.adaptive_avg_pool1d(values.flatten(1).float()[:, None], self.head.in_features)
        return torch.as_tensor(self.head(means.squeeze(1)))
