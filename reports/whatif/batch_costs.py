"""What batches cost at the sizes that were measured, and at others: linear between two sizes, and beyond them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from statistics import fmean

from loaderbench.reports.whatif.simulation import Costs

PARTS = tuple(item.name for item in fields(Costs) if item.name.endswith("_s"))


@dataclass(frozen=True, kw_only=True, slots=True)
class PassCosts:
    """What the batches of one pass cost, and how long its workers took to begin."""

    begin_s: float
    batches: tuple[Costs, ...]

    def mean(self, part: str) -> float:
        """Return the mean of one of `PARTS` over the batches, in seconds."""
        return fmean(getattr(batch, part) for batch in self.batches)


CostRound = Mapping[int, PassCosts]  # by batch size, two of them at least


def costs_at(costs: CostRound, size: int, *, factor: float = 1.0, sample_bytes: float = 0.0) -> list[Costs]:
    """Return the costs of batches of `size` samples: those of the nearest measured size, each part scaled linearly."""
    low, high = _neighbours(costs, size)
    nearest = nearest_size((low, high), size)
    scales = {part: _scale(costs, part, size, (low, high), nearest) for part in PARTS}
    share = min(1.0, max(0.0, math.log(size / low) / math.log(high / low)))
    slowest, fastest = (costs[measured].batches[0].contended_speed for measured in (low, high))
    return [
        replace(
            batch,
            **{part: factor * scale * getattr(batch, part) for part, scale in scales.items()},
            contended_speed=slowest + (fastest - slowest) * share,
            storage_bytes=factor * size * sample_bytes,
        )
        for batch in costs[nearest].batches
    ]


def nearest_size(costs: Iterable[int], size: int) -> int:
    """Return the measured size that is nearest to `size`, by their ratio."""
    return min(costs, key=lambda measured: abs(math.log(measured / size)))


def _neighbours(costs: CostRound, size: int) -> tuple[int, int]:
    """Return the two measured sizes that `size` lies between, or the two that are nearest to it."""
    sizes = sorted(costs)
    above = next((number for number, measured in enumerate(sizes) if measured >= size), len(sizes) - 1)
    first = max(0, min(above - 1, len(sizes) - 2))
    return sizes[first], sizes[first + 1]


def _scale(costs: CostRound, part: str, size: int, between: tuple[int, int], nearest: int) -> float:
    """Return what one of `PARTS` is at `size`, as a multiple of what it is at the nearest measured size."""
    (low, high), at_nearest = between, costs[nearest].mean(part)
    at_low, at_high = costs[low].mean(part), costs[high].mean(part)
    at_size = at_low + (at_high - at_low) * (size - low) / (high - low)
    return max(0.0, at_size) / at_nearest if at_nearest else 0.0
