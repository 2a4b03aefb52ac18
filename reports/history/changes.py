"""Change points: where a series of runs steps to another level, told at a calibrated rate of false alarms.

The method is a t-test in a moving window, made for a series that grows run by run. Of every prefix of the series, the
newest 2 to 20 points are compared with all the others since the last change: by least squares on the logarithms,
whitened for the correlation of neighbours that is usual in trunks (AR(1), `CORRELATION`). A change is told where the
p-value of a window falls below its share of `ALPHAS`; the series then begins anew at the change. What has been told
is never taken back: the changes of a prefix are the first changes of the whole.

Each window is a Gaussian t-test that is exact where the noise is AR(1) with rho 0.3: its rate depends neither on the
noise's size nor on how many points there are. The shares are set by simulation, with rho 0.3 to 0.9 false alarms in
1000 points: `tests/reports/history/calibration_changes.py`, whose table is in docs/method.md.

The test's form is that of T. L. Lai, "Sequential changepoint detection in quality control and dynamical systems",
J. R. Stat. Soc. B 57 (1995): generalised likelihood ratios in limited windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr  # type: ignore[import-untyped]  # Student's t, without the import of scipy.stats

Floats = NDArray[np.float64]

CORRELATION = 0.3  # of neighbouring runs' noise; where there is less, there are fewer false alarms
LEAST_BEFORE = 5  # points of a level before a change from it can be told
LONGEST = 20  # points: a step too small to be told by then is told by no window
NOISE_FLOOR = 1e-3  # of a log ratio: figures that repeat to the digit do not make a change of 0.1 % certain

# The p-value below which the newest 2, 3, 4 … points are a change. Three and four have most of the rate, as they decide
# how soon a step of 10 % is told; longer windows are for smaller steps; one odd run must never speak.
ALPHAS = np.array([1e-4, 6e-4, 6e-4, *[5e-5] * (LONGEST - 4)])
WINDOWS = np.arange(2, LONGEST + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A step of a series to another level."""

    at: int
    """Index of the first point of the new level."""
    told: int
    """Index of the point with which the change was first told."""


def change_points(values: Sequence[float] | Floats) -> tuple[Change, ...]:
    """Return the changes of a series of positive values (any unit), oldest first; NaN and values <= 0 are passed over.

    >>> change_points([1.0, 1.01, 0.99, 1.02, 1.0, 0.98, 1.01, 1.0, 1.3, 1.31, 1.29])
    (Change(at=8, told=9),)
    """
    held = np.asarray(values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(held) & (held > 0))
    logs = np.log(held[known])
    found: list[Change] = []
    start = 0
    while (change := _first(logs[start:])) is not None:
        found.append(Change(at=int(known[start + change.at]), told=int(known[start + change.told])))
        start += change.at
    return tuple(found)


def _first(logs: Floats) -> Change | None:
    """Return the first change that the series tells as it grows."""
    if len(logs) < LEAST_BEFORE + int(WINDOWS[0]):
        return None
    step, p = _tests(logs)
    for last in np.flatnonzero((p < ALPHAS).any(axis=1)):
        windows = [row for row in np.argsort(p[last]) if p[last, row] < ALPHAS[row]]
        for row in windows:
            at = int(last - WINDOWS[row] + 1)
            if _agreed(logs[at : last + 1], float(np.median(logs[:at])), float(step[last, row])):
                return Change(at=at, told=int(last))
    return None


def _agreed(tail: Floats, before: float, step: float) -> bool:
    """Tell whether most of the points since a change show half of it at least: one odd run does not make a level."""
    shown = (tail - before) * np.sign(step) >= abs(step) / 2
    return bool(shown.sum() > len(tail) / 2)


def _tests(logs: Floats) -> tuple[Floats, Floats]:
    """Return for each point as the last and each window (points × windows) the step and its two-sided p-value.

    Generalised least squares of a level and a step, by sums over the whitened series y = x[i] - rho x[i - 1], in which
    a level is 1 - rho, and a step is 1 at its first point and 1 - rho at the others.
    """
    level = 1 - CORRELATION
    logs = logs - np.median(logs)  # sums of squares of small numbers lose no digits
    y = np.concatenate([[0.0], logs[1:] - CORRELATION * logs[:-1]])
    sums, squares = np.cumsum(y), np.cumsum(y * y)
    n = np.arange(len(logs))[:, None]  # whitened points: one fewer than points
    first = n - WINDOWS + 1
    possible = first >= LEAST_BEFORE
    first = np.clip(first, 1, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        levels, steps = level * sums[:, None], y[first % len(y)] + level * (sums[:, None] - sums[first % len(y)])
        shared = level * (1 + level * (WINDOWS - 1)) / (level**2 * n)
        information = 1 + level**2 * (WINDOWS - 1) - shared**2 * level**2 * n
        step = (steps - shared * levels) / information
        residual = squares[:, None] - levels**2 / (level**2 * n) - step**2 * information
        noise = np.sqrt(np.maximum(residual, 0) / (n - 2) + NOISE_FLOOR**2)
        p = 2 * stdtr(np.maximum(n - 2, 1).astype(np.float64), -np.abs(step) * np.sqrt(information) / noise)
    return step, np.where(possible, p, 1.0)
