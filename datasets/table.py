r"""Rows of a pandas DataFrame, features and target: read one by one, or a batch at a time.

For rows in memory, a DataLoader is far slower than a loop over indices (pytorch#106704). ``__getitems__`` alone helps
little, because `default_collate` takes its list of samples apart and stacks them again. It helps together with a
collate function that takes stacked fields as they are. One shuffled epoch of 34 000 rows of 8 features in batches of
256, as a multiple of the loop's 1.4 ms:

    ==========================================================  ====
    for b in torch.randperm(34000).split(256): ...              1
    `RowDataset`                                                60
    `TableDataset`, torch's `default_collate`                   47
    `TableDataset`, `collate.default`: fields as they are       7
    ==========================================================  ====

Medians of 3 runs (each timeit's best of 11), Python 3.11, torch 2.13, one core of a shared machine. The command for
the second line; for the others, exchange the dataset and the collate function:

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
    import pandas as pd  # takes a third of a second to import, and only these datasets need it

# The neighbours of a pixel: rows down, columns to the right.
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
    """The rows of `frame` one by one: (float32 (F,) of all columns but `target`, float32 () of `target`).

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
    """The same rows, with a ``__getitems__`` that reads a batch with one index (`Stacked`)."""

    def __getitems__(self, indices: Sequence[int]) -> Stacked:
        index = torch.tensor(indices)
        return Stacked(self.features[index], self.target[index])


def pixel_frame(*, step: int = 3) -> "pd.DataFrame":
    """Return a row for every `step`-th pixel of the photograph: brightness (0 to 1) of it and its 8 neighbours."""
    import pandas as pd  # noqa: PLC0415 - as above

    with Image.open(BytesIO(photograph())) as image:
        light = np.asarray(image.convert("L"), dtype=np.float32) / 255
    rows, columns = (np.arange(1, length - 1, step) for length in light.shape)
    shifts = _NEIGHBOURS | {"brightness": (0, 0)}
    return pd.DataFrame(
        {name: light[np.ix_(rows + down, columns + right)].ravel() for name, (down, right) in shifts.items()}
    )


def photo_pixels(*, step: int = 3) -> TableDataset:
    """Return `pixel_frame` as a dataset: predict the brightness of a pixel from its neighbours."""
    return TableDataset(pixel_frame(step=step), target="brightness")


def photo_pixel_rows(*, step: int = 3) -> RowDataset:
    """Return the same dataset without ``__getitems__``."""
    return RowDataset(pixel_frame(step=step), target="brightness")
