"""The error of looks at data that are still being collected.

Whoever looks after every block, and stops at the look that suits, errs more often than a single look does. So the error
is spent over the looks: that after n blocks may take a share of it, and all shares add up to one, however many looks
there will be (alpha spending: K. K. G. Lan and D. L. DeMets, Biometrika 70, 1983; no plan of the looks is needed).
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Blocks = TypeVar("Blocks", float, NDArray[np.float64])


def error_share(blocks: Blocks, first: int) -> Blocks:
    """Return the share of the error that the look after `blocks` blocks may spend; the first look comes after `first`.

    >>> [round(error_share(float(blocks), 4), 3) for blocks in (4, 5, 6)]
    [0.2, 0.133, 0.095]
    >>> round(sum(error_share(float(blocks), 4) for blocks in range(4, 100_000)), 3)
    1.0
    """
    return first / (blocks * (blocks + 1))


def spent_share(blocks: int, first: int) -> float:
    """Return the share of the error that looks up to that after `blocks` blocks may spend together, most of it early.

    A look spends what has been added since the one before; the first comes after `first` blocks.

    >>> [round(spent_share(blocks, 3), 3) for blocks in (3, 4, 6, 12, 24)]
    [0.438, 0.64, 0.816, 0.947, 0.986]
    """
    return 1 - (first / (blocks + 1)) ** 2
