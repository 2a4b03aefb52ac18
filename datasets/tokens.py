"""Blocks of tokens from a memory-mapped file, as for training a language model."""

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
    """Blocks of `block` tokens, and the same shifted by one token: (int64 (block,), int64 (block,)).

    `path` is a ``.npy`` file with a one-dimensional array of integers. Blocks do not overlap; an incomplete last block
    is dropped. ``__getitems__`` reads a batch with one index (`Stacked`). Raises ValueError if the file has another
    shape, or too few tokens for one block.
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
        """Return the memory-mapped file; each process opens it when it first needs it, and it is not pickled."""
        if self._mapped is None:
            self._mapped = np.load(self.path, mmap_mode="r")
        return self._mapped

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.block

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        start = self._start(index)
        tokens = torch.from_numpy(self.tokens[start : start + self.block + 1].astype(np.int64))
        return tokens[:-1], tokens[1:]

    def __getitems__(self, indices: Sequence[int]) -> Stacked:
        starts = np.array([self._start(index) for index in indices])
        blocks = torch.from_numpy(self.tokens[starts[:, None] + np.arange(self.block + 1)].astype(np.int64))
        return Stacked(blocks[:, :-1], blocks[:, 1:])

    def _start(self, index: int) -> int:
        """Return the first token of block `index`; raise IndexError as a list would."""
        return range(0, len(self) * self.block, self.block)[index]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": None}


def token_file() -> Path:
    """Return a file, made once, of CPython's help articles: each byte of their UTF-8 is a token, uint8."""
    content = "\n\n".join(article for _, article in sorted(articles().items())).encode()

    def make(folder: Path) -> None:
        np.save(folder / "tokens.npy", np.frombuffer(content, dtype=np.uint8))

    return make_once(f"tokens-1-{digest(content)}", make) / "tokens.npy"


def article_tokens(*, block: int = 256) -> TokenDataset:
    """Return CPython's help articles as blocks of tokens, which are bytes: a vocabulary of 256."""
    return TokenDataset(token_file(), block)
