"""Costs of settings in blocks, and how two settings compare by them.

A block is one turn around the settings: what they cost in it shares the machine's moment, so that settings are compared
by the differences of their logarithms within blocks. A difference has the t interval of a mean whose variance is
moderated: the setting's own and that of all settings together, weighed by their degrees of freedom (G. K. Smyth,
Statistical Applications in Genetics and Molecular Biology 3, 2004). Few blocks of one pair say little of their spread;
the blocks of all others say more.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.stats.conventions import LEVEL

Floats = NDArray[np.float64]

PRIOR_FREEDOM = 4.0  # degrees of freedom that the spread of all settings counts for, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class CostRatio:
    """The cost of a setting over that of another one: a ratio, with the ends of its interval (NaN: no interval yet)."""

    ratio: float
    low: float
    high: float
    blocks: int
    """In which both were measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The variance of a logarithm around its setting and its block, and the degrees of freedom of that."""

    variance: float
    freedom: float


@dataclass(kw_only=True)
class BlockCosts:
    """What each setting cost in each block that it was measured in."""

    logs: dict[str, dict[int, float]] = field(default_factory=dict)
    """By setting and block, the logarithm of its cost."""

    def add(self, block: int, name: str, cost: float) -> None:
        """Add what a setting cost in a block; raises ValueError where that is no positive number."""
        if not 0 < cost < math.inf:
            raise ValueError(f"the cost of {name} must be a positive number, got {cost}")
        self.logs.setdefault(name, {})[block] = math.log(cost)

    def blocks(self, name: str) -> int:
        """Return in how many blocks a setting was measured."""
        return len(self.logs.get(name, ()))

    def common(self, one: str, other: str) -> int:
        """Return in how many blocks both were measured."""
        return len(self.logs.get(one, {}).keys() & self.logs.get(other, {}).keys())

    def cost(self, name: str) -> float:
        """Return the geometric mean of what a setting cost; NaN where it was not measured."""
        logs = self.logs.get(name)
        return math.exp(sum(logs.values()) / len(logs)) if logs else math.nan

    def effects(self, names: Collection[str]) -> Mapping[str, float]:
        """Return for each of `names` that was measured its mean logarithm, as if all had been in the same blocks."""
        measured = [name for name in names if self.blocks(name)]
        if not measured:
            return {}
        return dict(zip(measured, map(float, _fit(*self._table(measured))[0]), strict=True))

    def compare(self, one: str, other: str, spread: "Spread", *, level: float = LEVEL) -> CostRatio:
        """Return the cost of `one` over that of `other`, by the blocks that have both; `spread` is that of all."""
        mine, others = self.logs.get(one, {}), self.logs.get(other, {})
        differences = np.array([mine[block] - others[block] for block in sorted(mine.keys() & others.keys())])
        blocks = len(differences)
        if not blocks:
            return CostRatio(ratio=math.nan, low=math.nan, high=math.nan, blocks=0)
        mean = float(differences.mean())
        squares, freedom = float(((differences - mean) ** 2).sum()), blocks - 1.0
        prior = min(PRIOR_FREEDOM, spread.freedom)
        total = freedom + prior
        if not total:
            return CostRatio(ratio=math.exp(mean), low=math.nan, high=math.nan, blocks=blocks)
        variance = (squares + prior * 2 * spread.variance) / total
        width = float(stdtrit(total, 0.5 + level / 2)) * math.sqrt(variance / blocks)
        return CostRatio(ratio=math.exp(mean), low=math.exp(mean - width), high=math.exp(mean + width), blocks=blocks)

    def spread(self, names: Collection[str]) -> "Spread":
        """Return how much the logarithms of `names` vary around their settings and their blocks."""
        measured = [name for name in names if self.blocks(name)]
        if not measured:
            return Spread(variance=0.0, freedom=0.0)
        is_there, logs = self._table(measured)
        settings, blocks = _fit(is_there, logs)
        freedom = float(is_there.sum()) - len(settings) - len(blocks) + 1.0
        squares = float((is_there * (logs - settings[:, None] - blocks) ** 2).sum())
        return Spread(variance=squares / freedom if freedom > 0 else 0.0, freedom=max(0.0, freedom))

    def _table(self, names: Collection[str]) -> tuple[Floats, Floats]:
        """Return (settings, blocks) whether a setting was measured in a block, and the logarithm of its cost there."""
        blocks = sorted({block for name in names for block in self.logs[name]})
        logs = np.array([[self.logs[name].get(block, np.nan) for block in blocks] for name in names])
        is_there = ~np.isnan(logs)
        return is_there.astype(float), np.where(is_there, logs, 0.0)


def _fit(is_there: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Return (settings,) and (blocks,) effects by least squares, those of the blocks with the mean 0."""
    of_block = is_there.sum(axis=0)
    matrix = np.diag(is_there.sum(axis=1)) - (is_there / of_block) @ is_there.T
    settings = np.linalg.lstsq(matrix, logs.sum(axis=1) - is_there @ (logs.sum(axis=0) / of_block), rcond=None)[0]
    blocks = (logs.sum(axis=0) - is_there.T @ settings) / of_block
    return settings + blocks.mean(), blocks - blocks.mean()
