"""Blocks of tokens from one memory-mapped file: what a language model is trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from loaderbench.datasets.cache import digest, make_once
from loaderbench.datasets.collate import Stacked
from loaderbench.datasets.text import articles


class TokenDataset(Dataset[tuple[Tensor, Tensor]]):
    """Blocks of `block` tokens and the same shifted by one: (int64 (block,), int64 (block,)).

    `path` is a one-dimensional ``.npy`` file of integers. Blocks do not overlap; a last one that is not full
    is left out. `__getitems__` cuts a whole batch with one index: `Stacked`.
    """

    def __init__(self, path: str | Path, block: int = 256) -> None:
        if block < 1:
            raise ValueError(f"block must be >= 1, got {block}")
        self.path = Path(path)
        self.block = block
        self._mapped: NDArray[Any] | None = None
        if self.tokens.ndim != 1 or len(self.tokens) <= block:
            raise ValueError(
                f"path must hold one row of more than block={block} tokens, got shape {self.tokens.shape} "
                f"in {self.path}"
            )

    @property
    def tokens(self) -> NDArray[Any]:
        """The mapped file: opened when a process first needs it, and never pickled."""
        if self._mapped is None:
            self._mapped = np.load(self.path, mmap_mode="r")
        return self._mapped

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.block

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        start = self._start(index)
        block = torch.from_numpy(self.tokens[start : start + self.block + 1].astype(np.int64))
        return block[:-1], block[1:]

    def __getitems__(self, indices: Sequence[int]) -> Stacked:
        starts = np.array([self._start(index) for index in indices])
        blocks = torch.from_numpy(self.tokens[starts[:, None] + np.arange(self.block + 1)].astype(np.int64))
        return Stacked(blocks[:, :-1], blocks[:, 1:])

    def _start(self, index: int) -> int:
        """Where block `index` begins; raises IndexError as a list would."""
        return range(0, len(self) * self.block, self.block)[index]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": None}


def token_file() -> Path:
    """The letters of CPython's help articles as one file of uint8 tokens, UTF-8 bytes, made once."""
    letters = "\n\n".join(article for _, article in sorted(articles().items())).encode()

    def make(folder: Path) -> None:
        np.save(folder / "tokens.npy", np.frombuffer(letters, dtype=np.uint8))

    return make_once(f"tokens-1-{digest(letters)}", make) / "tokens.npy"


def article_tokens(*, block: int = 256) -> TokenDataset:
    """The letters of CPython's help articles, in blocks: 256 kinds of token at most."""
    return TokenDataset(token_file(), block)
