r"""Numeric rows with a target, from a pandas frame; one by one, and a batch at a time.

Over rows that lie in memory a DataLoader is far slower than a loop (pytorch#106704). ``__getitems__`` alone does
little: what it returns is a list of samples, which `default_collate` stacks one by one again. It helps where the
collate function takes the fields as they were cut. One shuffled pass over 34 000 rows of 8 features in batches of
256, as a multiple of the loop's 1.4 ms:

    ==========================================================  ====
    for b in torch.randperm(34000).split(256): ...              1
    `RowDataset`                                                60
    `TableDataset`, torch's `default_collate`                   47
    `TableDataset`, `collate.default`: the fields as they are   7
    ==========================================================  ====

Medians of 3 runs (n = 3, each timeit's best of 11), Python 3.11, torch 2.13, one core of a shared machine. The
second line, and by exchanging the dataset and the collate function the others:

    python -m timeit -r 11 -s "from torch.utils.data import DataLoader" \
        -s "from loaderbench.datasets import collate, table" \
        -s "rows = DataLoader(table.photo_pixel_rows(), 256, True, collate_fn=collate.default)" "list(rows)"
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from loaderbench.datasets.collate import Stacked
from loaderbench.datasets.images import photograph

if TYPE_CHECKING:
    import pandas as pd  # a third of a second, which no one who loads other data need wait for

# Where a pixel's neighbours lie: rows down, columns to the right.
_NEIGHBOURS = {
    "north_west": (-1, -1),
    "north": (-1, 0),
    "north_east": (-1, 1),
    "west": (0, -1),
    "east": (0, 1),
    "south_west": (1, -1),
    "south": (1, 0),
    "south_east": (1, 1),
}


class RowDataset(Dataset[tuple[Tensor, Tensor]]):
    """A frame's rows one by one: (float32 (F,) of all columns but `target`, float32 () of `target`).

    >>> import pandas as pd
    >>> features, target = RowDataset(pd.DataFrame({"width": [1, 2], "price": [10, 20]}), target="price")[1]
    >>> features, target
    (tensor([2.]), tensor(20.))
    """

    def __init__(self, frame: "pd.DataFrame", target: str) -> None:
        if target not in frame:
            raise ValueError(f"target must be one of {', '.join(map(str, frame.columns))}, got {target!r}")
        self.features = torch.tensor(frame.drop(columns=target).to_numpy(np.float32))
        self.target = torch.tensor(frame[target].to_numpy(np.float32))

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.features[index], self.target[index]


class TableDataset(RowDataset):
    """The same rows, a whole batch of them by one index (`Stacked`)."""

    def __getitems__(self, indices: Sequence[int]) -> Stacked:
        chosen = torch.tensor(indices)
        return Stacked(self.features[chosen], self.target[chosen])


def pixel_frame(*, step: int = 3) -> "pd.DataFrame":
    """Every `step`-th pixel of the photograph: its brightness, and that of its eight neighbours (0 to 1)."""
    import pandas as pd  # noqa: PLC0415 - as above

    with Image.open(BytesIO(photograph())) as image:
        light = np.asarray(image.convert("L"), dtype=np.float32) / 255
    rows, columns = (np.arange(1, length - 1, step) for length in light.shape)
    shifts = _NEIGHBOURS | {"brightness": (0, 0)}
    return pd.DataFrame(
        {name: light[np.ix_(rows + down, columns + right)].ravel() for name, (down, right) in shifts.items()}
    )


def photo_pixels(*, step: int = 3) -> TableDataset:
    """`pixel_frame` with the brightness to be found from the neighbours."""
    return TableDataset(pixel_frame(step=step), target="brightness")


def photo_pixel_rows(*, step: int = 3) -> RowDataset:
    """The same rows without ``__getitems__``."""
    return RowDataset(pixel_frame(step=step), target="brightness")
