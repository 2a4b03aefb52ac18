"""How often are change points detected wrongly, and how soon rightly?

**Simulated**: series of logarithms, AR(1), appended to run by run; each change is counted once, with the point at which
it is detected. *False alarms* are per 1000 points appended, in series of 100 points without a step. *Power* is the
share of series whose step, after 20, 30 or 50 points of the old level, is detected with the third and with the fourth
point of the new one (2 and 3 points after the first that has it), and with the tenth.

It takes a minute, and is run by name alone::

    pytest -s tests/reports/history/calibration_changes.py

To reach, with rho 0.3: at most 1 false alarm in 1000 points, and a step of 10 % at a CV of 3 % detected
within 3 points in 90 %.
"""

from itertools import product

import numpy as np
import pytest

from loaderbench.reports.history.changes import Floats, change_points

POINTS = 100
SERIES = 10_000
STEPPED = 1_000  # series for each power, half of them up and half down
SOON = (3, 4, 10)  # points of the new level


def noise(random: np.random.Generator, series: int, points: int, rho: float, freedom: float = np.inf) -> Floats:
    """AR(1) noise (series × points) of unit variance; shocks are normal, or Student's t of `freedom`."""
    heavy = np.isfinite(freedom)
    shocks = random.standard_t(freedom, (series, points)) if heavy else random.standard_normal((series, points))
    shocks /= np.sqrt(freedom / (freedom - 2)) if heavy else 1
    for point in range(1, points):
        shocks[:, point] = rho * shocks[:, point - 1] + np.sqrt(1 - rho**2) * shocks[:, point]
    return shocks


@pytest.mark.parametrize(("rho", "freedom"), [(0, np.inf), (0.3, np.inf), (0.6, np.inf), (0.3, 4)])
def test_false_alarms(rho: float, freedom: float) -> None:
    logs = 0.03 * noise(np.random.default_rng(10), SERIES, POINTS, rho, freedom)
    false_alarms = sum(len(change_points(values)) for values in np.exp(logs))
    thousands = SERIES * POINTS / 1000
    kind = "normal" if np.isinf(freedom) else f"Student's t, {freedom} degrees of freedom"
    rate, error = false_alarms / thousands, np.sqrt(false_alarms) / thousands
    print(f"\nrho {rho}, {kind}: {rate:.2f} ± {error:.2f} in 1000 points")  # noqa: T201
    assert rho > 0.3 or np.isfinite(freedom) or false_alarms <= thousands


@pytest.mark.parametrize("before", [20, 30, 50])
def test_power(before: int) -> None:
    random = np.random.default_rng(11)
    for cv, step in product((0.01, 0.03, 0.05), (0.05, 0.1, 0.2)):
        logs = cv * noise(random, STEPPED, before + max(SOON), 0.3)
        logs[::2, before:] += np.log(1 + step)
        logs[1::2, before:] += np.log(1 - step)
        delays = np.array([_points_of_new_level(values, before) for values in np.exp(logs)])
        shares = " ".join(f"{100 * (delays <= soon).mean():6.1f}" for soon in SOON)
        down, up = (100 * (delays[side::2] <= 4).mean() for side in (1, 0))
        print(f"\n{before} before, CV {cv:.0%}, step {step:.0%}: {shares} % (4 points: up {up:.0f}, down {down:.0f})")  # noqa: T201
        if (cv, step, before) == (0.03, 0.1, 50):
            assert (delays <= 4).mean() >= 0.9


def _points_of_new_level(values: Floats, before: int) -> float:
    """Return how many points of the new level were seen when a change was detected; infinite if it was not."""
    detected = [change.detected for change in change_points(values) if change.detected >= before]
    return detected[0] - before + 1 if detected else np.inf
