"""Growth: whether a loader's processes hold more with every epoch, come to rest, or never move.

The slope is Theil and Sen's (P. K. Sen, J. Am. Stat. Assoc. 63, 1968), the median over all pairs of epochs, with its
95 % interval: one odd reading moves it little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

Word = Literal["grows", "settles", "flat", "unclear"]

FLOOR_BYTES = 1 << 20  # an epoch: less is the allocator's coming and going
FEWEST = 5  # readings


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """What memory did over the epochs of a loader; bytes an epoch, of the later half."""

    word: Word
    added_bytes: float  # from the first batch to the last epoch's end
    slope_bytes: float
    low_bytes: float
    high_bytes: float


def growth(readings: Sequence[float]) -> Growth:
    """Judge readings in bytes: one at the first batch, then one at the end of each epoch.

    *grows*: the later half of the epochs has a slope that surely is more than `FLOOR_BYTES` an epoch. *settles*: it
    surely has less, and more than that was added before. *flat*: neither. *unclear*: too few or too wild to tell.
    """
    values = np.asarray(readings, dtype=np.float64)
    added = float(values[-1] - values[0]) if len(values) else 0.0
    later = values[len(values) // 2 :]
    if len(later) < FEWEST - 1:
        return Growth(word="unclear", added_bytes=added, slope_bytes=np.nan, low_bytes=-np.inf, high_bytes=np.inf)
    slope, _, low, high = map(float, stats.theilslopes(later, np.arange(len(later)), alpha=0.95))
    return Growth(word=_word(added, low, high), added_bytes=added, slope_bytes=slope, low_bytes=low, high_bytes=high)


def _word(added: float, low: float, high: float) -> Word:
    if low > FLOOR_BYTES:
        return "grows"
    if high > FLOOR_BYTES:
        return "unclear"
    return "settles" if added > 4 * FLOOR_BYTES else "flat"
