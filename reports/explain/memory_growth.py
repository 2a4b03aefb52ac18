"""Memory growth: whether a loader's processes hold more with every epoch, settle, or stay as they are.

The slope is Theil and Sen's (P. K. Sen, J. Am. Stat. Assoc. 63, 1968), the median over all pairs of epochs, with its
95 % interval: one outlier moves it little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # type: ignore[import-untyped]  # scipy.stats takes seconds to import: at its first use

from loaderbench.reports.explain.explain_record import LoaderMemory
from loaderbench.reports.explain.mean_interval import MeanInterval, mean_interval

Course = Literal["grows", "settles", "flat", "unclear"]

FLOOR_BYTES = 1 << 20  # an epoch: the allocator's own coming and going is less
NOTABLE_BYTES = 4 * FLOOR_BYTES
FEWEST_READINGS = 4  # of the later half


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryGrowth:
    """The course of memory over the epochs of a loader; slopes in bytes an epoch, of the later half."""

    course: Course
    added_bytes: float  # from the first batch to the end of the last epoch
    slope_bytes: float
    low_bytes: float
    high_bytes: float


def memory_growth(readings: Sequence[float]) -> MemoryGrowth:
    """Judge readings in bytes: one at the first batch, then one at the end of each epoch.

    *grows*: the whole interval of the later half's slope is above `FLOOR_BYTES`. *settles*: it is all below that, and
    more than `NOTABLE_BYTES` was added before. *flat*: all below, and less was added. *unclear*: neither, or too few.
    """
    values = np.asarray(readings, dtype=np.float64)
    added = float(values[-1] - values[0]) if len(values) else 0.0
    later = values[len(values) // 2 :]
    if len(later) < FEWEST_READINGS:
        return MemoryGrowth(
            course="unclear", added_bytes=added, slope_bytes=np.nan, low_bytes=-np.inf, high_bytes=np.inf
        )
    slope, _, low, high = map(float, scipy.stats.theilslopes(later, np.arange(len(later)), alpha=0.95))
    course = _course(added, low, high)
    return MemoryGrowth(course=course, added_bytes=added, slope_bytes=slope, low_bytes=low, high_bytes=high)


def _course(added: float, low: float, high: float) -> Course:
    if low > FLOOR_BYTES:
        return "grows"
    if high > FLOOR_BYTES:
        return "unclear"
    return "settles" if added > NOTABLE_BYTES else "flat"


def copied_bytes(memory: LoaderMemory) -> MeanInterval:
    """Return what a loader's processes add less where the dataset's many Python objects are in arrays.

    That is what forked workers copy of Python objects (pytorch#13246); one difference for each pair of loaders.
    """
    pairs = zip(memory.in_objects, memory.in_arrays, strict=True)
    return mean_interval([in_objects.added_bytes - in_arrays.added_bytes for in_objects, in_arrays in pairs])
