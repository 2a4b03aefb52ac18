"""Costs of settings in blocks, and how two settings compare by them.

A block is one turn around the settings: what they cost in it shares the machine's moment, so that settings are compared
by the differences of their logarithms within blocks. A difference has the t interval of a mean whose variance is
moderated: the setting's own and that of all settings together, weighed by their degrees of freedom (G. K. Smyth,
Statistical Applications in Genetics and Molecular Biology 3, 2004). Few blocks of one pair say little of their spread;
the blocks of all others say more.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.stats.conventions import LEVEL

Floats = NDArray[np.float64]

PRIOR_FREEDOM = 10.0  # degrees of freedom that the spread of all settings counts for, at most


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """The differences of logarithms of all pairs of k settings, within the blocks that have both: (k, k) arrays."""

    places: Mapping[str, int]
    """Of the settings in the arrays."""
    blocks: Floats
    mean: Floats
    """Of the row's logarithm minus the column's; NaN without a block."""
    squares: Floats
    """The sum of the squared deviations from the mean."""

    def bounds(
        self, rows: Sequence[str], columns: Sequence[str], spread: Spread, error: Floats
    ) -> tuple[Floats, Floats]:
        """Return (rows, columns) bounds of the differences, each of which fails in `error` of all cases.

        `error` is that of the pairs, (k, k) or a number. Without degrees of freedom they are infinite.
        """
        at = np.ix_([self.places[name] for name in rows], [self.places[name] for name in columns])
        blocks, mean, squares = self.blocks[at], self.mean[at], self.squares[at]
        prior = min(PRIOR_FREEDOM, spread.freedom)
        freedom = np.maximum(blocks - 1, 0) + prior
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (squares + prior * 2 * spread.variance) / freedom / blocks
            width = stdtrit(freedom, 1 - np.broadcast_to(error, self.blocks.shape)[at]) * np.sqrt(variance)
        width = np.where(np.isnan(width), np.inf, width)
        return np.where(blocks, mean - width, -np.inf), np.where(blocks, mean + width, np.inf)


@dataclass(kw_only=True)
class BlockCosts:
    """What each setting cost in each block that it was measured in."""

    logs: dict[str, dict[int, float]] = field(default_factory=dict)
    """By setting and block, the logarithm of its cost."""
    _pairs: Pairs | None = field(default=None, init=False, repr=False)

    def add(self, block: int, name: str, cost: float) -> None:
        """Add what a setting cost in a block; raises ValueError where that is no positive number."""
        if not 0 < cost < math.inf:
            raise ValueError(f"the cost of {name} must be a positive number, got {cost}")
        self.logs.setdefault(name, {})[block] = math.log(cost)
        self._pairs = None

    def blocks(self, name: str) -> int:
        """Return in how many blocks a setting was measured."""
        return len(self.logs.get(name, ()))

    def common(self, one: str, other: str) -> int:
        """Return in how many blocks both were measured."""
        return len(self.logs.get(one, {}).keys() & self.logs.get(other, {}).keys())

    def linked(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that blocks link with the one of most blocks: nothing compares others with it.

        A block that the budget cut short may have none of the settings that were measured before.
        """
        left = [name for name in names if self.blocks(name)]
        linked = [max(left, key=self.blocks)] if left else []
        for one in linked:  # which grows
            left = [name for name in left if name not in linked]
            linked += [name for name in left if self.common(one, name)]
        return linked

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
        pairs = self.pairs()
        at = pairs.places.get(one), pairs.places.get(other)
        if None in at or not pairs.blocks[at]:
            return CostRatio(ratio=math.nan, low=math.nan, high=math.nan, blocks=0)
        low, high = (float(bound[0, 0]) for bound in pairs.bounds([one], [other], spread, np.array((1 - level) / 2)))
        is_known = math.isfinite(low)
        return CostRatio(
            ratio=math.exp(pairs.mean[at]),
            low=math.exp(low) if is_known else math.nan,
            high=math.exp(high) if is_known else math.nan,
            blocks=int(pairs.blocks[at]),
        )

    def pairs(self) -> Pairs:
        """Return the differences of all pairs of settings that were measured."""
        if self._pairs is None:
            is_there, logs = self._table(self.logs)
            logs -= is_there * (logs.sum() / max(1.0, is_there.sum()))  # small numbers, so that squares keep digits
            blocks = is_there @ is_there.T
            sums = logs @ is_there.T
            sums -= sums.T
            squares = (logs**2) @ is_there.T
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = sums / blocks
            squares = squares + squares.T - 2 * logs @ logs.T - np.where(blocks, blocks * mean**2, 0.0)
            places = {name: place for place, name in enumerate(self.logs)}
            self._pairs = Pairs(places=places, blocks=blocks, mean=mean, squares=np.maximum(squares, 0.0))
        return self._pairs

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
