"""Change points: where a series of runs steps to another level, detected at a calibrated rate of false alarms.

The method is a t-test in a moving window, made for a series that grows run by run. In every prefix of the series, the
newest 2 to 20 points are compared with all the others since the last change: by least squares on the logarithms,
whitened for the correlation of neighbours that is usual in trunks (AR(1), `CORRELATION`). A change is detected where
the p-value of a window falls below that window's share of `ALPHAS`; the series then begins anew at the change. A change
that has been detected is never taken back: the changes of a prefix are the first changes of the whole.

Each window is a Gaussian t-test that is exact where the noise is AR(1) with rho 0.3: its rate of false alarms depends
neither on the size of the noise nor on the number of points. The shares are set by simulation, to 0.9 false alarms in
1000 points with rho 0.3: `python -m prove changes`, whose table is in docs/history.md.

The form of the test is that of T. L. Lai, "Sequential changepoint detection in quality control and dynamical systems",
J. R. Stat. Soc. B 57 (1995): generalised likelihood ratios in limited windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr  # type: ignore[import-untyped]  # Student's t, without the import of scipy.stats

Floats = NDArray[np.float64]

CORRELATION = 0.3  # of neighbouring runs' noise; where there is less, there are fewer false alarms
LEAST_BEFORE = 5  # points of a level before a change from it can be detected
LONGEST = 20  # points: a step too small to be detected by then is detected by no window
NOISE_FLOOR = 1e-3  # of a log ratio: figures that repeat to the digit do not make a change of 0.1 % certain

# The p-value below which the newest 2, 3, 4 … points are a change. Three and four points have most of the rate, as they
# decide how soon a step of 10 % is detected; longer windows are for smaller steps; one odd run is never a change.
ALPHAS = np.array([1e-4, 6e-4, 6e-4, *[5e-5] * (LONGEST - 4)])
WINDOWS = np.arange(2, LONGEST + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePoint:
    """A step of a series to another level."""

    at: int
    """Index of the first point of the new level."""
    detected: int
    """Index of the point with which the change was first detected."""


def change_points(values: Sequence[float] | Floats) -> tuple[ChangePoint, ...]:
    """Return the changes of a series of positive values (any unit), oldest first; NaN and values <= 0 are passed over.

    >>> change_points([1.0, 1.01, 0.99, 1.02, 1.0, 0.98, 1.01, 1.0, 1.3, 1.31, 1.29])
    (ChangePoint(at=8, detected=9),)
    """
    series = np.asarray(values, dtype=np.float64)
    usable = np.flatnonzero(np.isfinite(series) & (series > 0))
    logs = np.log(series[usable])
    changes: list[ChangePoint] = []
    start = 0
    while (change := _first(logs[start:])) is not None:
        changes.append(ChangePoint(at=int(usable[start + change.at]), detected=int(usable[start + change.detected])))
        start += change.at
    return tuple(changes)


def _first(logs: Floats) -> ChangePoint | None:
    """Return the first change that is detected as the series grows."""
    if len(logs) < LEAST_BEFORE + int(WINDOWS[0]):
        return None
    step, p = _tests(logs)
    for last in np.flatnonzero((p < ALPHAS).any(axis=1)):
        for window in np.argsort(p[last]):
            at = int(last - WINDOWS[window] + 1)
            is_significant = p[last, window] < ALPHAS[window]
            if is_significant and _most_agree(logs[at : last + 1], np.median(logs[:at]), step[last, window]):
                return ChangePoint(at=at, detected=int(last))
    return None


def _most_agree(tail: Floats, before: np.float64, step: np.float64) -> bool:
    """Return whether most of the points since a change show at least half of it: one odd run does not make a level."""
    agreeing = (tail - before) * np.sign(step) >= abs(step) / 2
    return bool(agreeing.sum() > len(tail) / 2)


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
