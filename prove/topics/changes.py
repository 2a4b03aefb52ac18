"""How often are change points reported wrongly, and how soon rightly?

**Simulated**: series of logarithms, AR(1), appended run by run; each change that a new point reports is counted once.
*False alarms* are per 1000 points appended, in series of 100 points without a step. *Power* is the share of series
whose step, after 20, 30 or 50 points of the old level, is reported with the third and with the fourth point of the new
one (2 and 3 points after the first that has it), and with the tenth. It is arithmetic: the machine does not matter.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product

import numpy as np

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.history.changes import Floats, change_points
from loaderbench.reports.units import percent
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope

POINTS = 100
SERIES = 10_000
STEPPED = 1_000  # series for each power, half of them up and half down
SOON = (3, 4, 10)  # points of the new level
NOISES = ((0.0, np.inf), (0.3, np.inf), (0.6, np.inf), (0.3, 4.0))  # rho, degrees of freedom of the shocks
BEFORE, CVS, STEPS = (20, 30, 50), (0.01, 0.03, 0.05), (0.05, 0.1, 0.2)
ALARMS = "history: false alarms in 1000 points, AR(1) noise, rho 0.3"
POWER = "history: steps of 10 % at a CV of 3 %, reported within 3 points of the first, after 50"


def noise(random: np.random.Generator, series: int, points: int, rho: float, freedom: float = np.inf) -> Floats:
    """Return AR(1) noise (series × points) of unit variance; shocks are normal, or Student's t of `freedom`."""
    heavy = np.isfinite(freedom)
    shocks = random.standard_t(freedom, (series, points)) if heavy else random.standard_normal((series, points))
    shocks /= np.sqrt(freedom / (freedom - 2)) if heavy else 1
    for point in range(1, points):
        shocks[:, point] = rho * shocks[:, point - 1] + np.sqrt(1 - rho**2) * shocks[:, point]
    return shocks


@cache
def alarms(series: int, rho: float, freedom: float = np.inf) -> tuple[float, float]:
    """Return the false alarms in 1000 points, and their standard error."""
    logs = 0.03 * noise(np.random.default_rng(10), series, POINTS, rho, freedom)
    reported = sum(len(change_points(values)) for values in np.exp(logs))
    thousands = series * POINTS / 1000
    return reported / thousands, float(np.sqrt(reported)) / thousands


@cache
def power(series: int, before: int, cv: float, step: float) -> Sequence[float]:
    """Return the shares of series whose step is reported with so many points of the new level as `SOON` says."""
    random = np.random.default_rng(11)
    logs = cv * noise(random, series, before + max(SOON), 0.3)
    logs[::2, before:] += np.log(1 + step)
    logs[1::2, before:] += np.log(1 - step)
    delays = np.array([_points_of_new_level(values, before) for values in np.exp(logs)])
    return [float((delays <= soon).mean()) for soon in SOON]


def _points_of_new_level(values: Floats, before: int) -> float:
    """Return how many points of the new level were seen when a change was reported; infinite if it was not."""
    reported = [change.detected for change in change_points(values) if change.detected >= before]
    return reported[0] - before + 1 if reported else np.inf


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Return the false alarms and the power that have goals."""
    count, error = alarms(scope.of(SERIES, 50), 0.3, np.inf)  # as the details do
    _, fourth, _ = power(scope.of(STEPPED, 20), 50, 0.03, 0.1)
    return {ALARMS: Measured(value=count, note=f"± {error:.2f}"), POWER: Measured(value=fourth)}


def details(scope: Scope) -> Sequence[Table]:
    """Return false alarms by the noise, and power by the noise and the step."""
    if scope.short:
        return []
    kinds = {np.inf: "normal shocks"}
    of_noise = [
        (
            f"rho {rho:g}, {kinds.get(freedom, f'Student t, {freedom:g} degrees of freedom')}",
            alarms(SERIES, rho, freedom),
        )
        for rho, freedom in NOISES
    ]
    of_steps = [
        (f"CV {cv:.0%}, step {step:.0%}", [power(STEPPED, before, cv, step) for before in BEFORE])
        for cv, step in product(CVS, STEPS)
    ]
    return [
        _table(
            ("noise", "false alarms in 1000 points"),
            [(name, f"{n:.2f} ± {error:.2f}") for name, (n, error) in of_noise],
        ),
        _table(
            ("noise, step", *(f"after {before}: 3rd / 4th / 10th point" for before in BEFORE)),
            [(name, *(" / ".join(map(percent, soon)) for soon in columns)) for name, columns in of_steps],
        ),
    ]


def _table(labels: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    columns = tuple(Column(label=label) for label in labels)
    return Table(columns=columns, rows=tuple(tuple(Cell(text=text) for text in row) for row in rows))


TOPIC = Topic(
    name="changes",
    goals=(Goal(what=ALARMS, unit="", at_most=1), Goal(what=POWER, unit="share", at_least=0.9)),
    measure=measure,
    details=details,
    minutes=2,
    is_arithmetic=True,
)
