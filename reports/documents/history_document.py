"""The documents of ``loaderbench history``: the runs, the trend of a case, the changes of all cases."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from loaderbench.reports.documents.document import Cell, Document, Part, Section, Table, Text, Tone
from loaderbench.reports.documents.tables import amount, columns, numbers, row
from loaderbench.reports.history.trends import changes, direction
from loaderbench.reports.units import MISSING, count, interval, quantity
from loaderbench.reports.vocabulary import label_of, unit_of

MOST_RUNS = 20  # of a trend, on a terminal: the newest
BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 80  # of a trend: the newest runs
COMMIT = 10  # characters of a commit's name
TONES: dict[str, Tone] = {"same": "plain", "improved": "good", "regressed": "bad", "changed": "warn"}


def run_list(runs: pd.DataFrame) -> Document:
    """Return the document of the runs (`queries.runs`), newest first."""
    labels = columns("run", "started", "commit", "branch", "machine") + numbers("cases", "failed") + columns("")
    rows = tuple(
        row(
            run["id"],
            _when(run["started"]),
            run["commit"][:COMMIT] + (", with changes" if run["dirty"] is True else ""),
            run["branch"],
            run["machine"],
            run["cases"],
            Cell(text=str(run["failed"] or ""), number=run["failed"]),
            Cell(text="" if run["complete"] else "interrupted", tone="warn"),
        )
        for run in runs.to_dict("records")
    )
    return Document(title="Runs of the history", parts=(Table(columns=labels, rows=rows, name="runs"),))


def case_trend(trend: pd.DataFrame, others: Sequence[str] = ()) -> Document:
    """Return the document of one case's trend (`trends.with_levels`), a section for each kind of machine.

    `others` are the names of cases that fit the same words, and are not shown.
    """
    series = [points for _, points in trend.groupby("series", sort=False)]
    fit = (f"these words also fit {count(len(others), 'other case')}, such as {name}" for name in others[:1])
    return Document(
        title=str(series[0]["case"].iloc[-1]), notices=tuple(fit), parts=tuple(_series(points) for points in series)
    )


def _series(points: pd.DataFrame) -> Section:
    last = points.iloc[-1]
    label, unit = label_of(last["metric"]), unit_of(last["metric"], last["dataset"])
    parts: tuple[Part, ...] = (
        Text(text=f"{label} on {last['machine']}, {count(len(points), 'run')}", tone="muted"),
        Text(text=bars(points["median"])),
        Table(
            columns=columns("started", "run", "commit") + numbers(label, "middle half of rounds", "n", "level"),
            rows=tuple(_point_row(point, unit) for point in points.iloc[::-1].to_dict("records")),
            most_rows={"terminal": MOST_RUNS},
            name="trend",
        ),
        *_changes(changes(points)),
    )
    return Section(title=str(last["case"]), parts=parts)


def _point_row(point: Mapping[Hashable, Any], unit: str) -> tuple[Cell, ...]:
    level, tone = quantity(point["level"], unit), TONES["same"]
    if not math.isnan(point["ratio"]):
        level = f"{quantity(point['ratio'], 'ratio')} {level}"
        tone = TONES[direction(point["metric"], point["ratio"])]
    return row(
        _when(point["started"]),
        point["run"],
        point["commit"][:COMMIT],
        amount(point["median"], unit),
        interval(point["low"], point["high"], unit),
        point["n"],
        Cell(text=level, number=point["level"], tone=tone),
    )


def bars(medians: pd.Series) -> str:
    """Return values as a line of bars, lowest to highest.

    >>> bars(pd.Series([1.0, 2.0, 3.0])), bars(pd.Series([5.0, 5.0]))
    ('▁▅█', '▁▁')
    """
    values = medians.tail(MOST_BARS).to_numpy(float)
    span = float(np.ptp(values)) or 1.0
    heights = np.round((values - values.min()) / span * (len(BARS) - 1)).astype(int)
    return "".join(BARS[height] for height in heights)


def _changes(changed: pd.DataFrame) -> Iterator[Part]:
    for change in changed.to_dict("records"):
        before = _point(change["before_commit"], change["before_run"])
        after = _point(change["commit"], change["run"])
        text = (
            f"{_when(change['started'])} {change['verdict']} {quantity(change['ratio'], 'ratio')} "
            f"between {before} and {after}, detected with {change['detected']}"
        )
        yield Text(text=text, tone=TONES[change["verdict"]])
    if changed.empty:
        yield Text(text="no change point", tone="muted")


def change_list(changed: pd.DataFrame) -> Document:
    """Return the document of the changes of all cases (`trends.changes`), newest first."""
    labels = columns("started", "case", "machine", "metric") + numbers("ratio")
    rows = tuple(
        row(
            _when(change["started"]),
            change["case"],
            change["machine"],
            label_of(change["metric"]),
            amount(change["ratio"], "ratio"),
            Cell(text=change["verdict"], tone=TONES[change["verdict"]]),
            _point(change["before_commit"], change["before_run"]),
            _point(change["commit"], change["run"]),
        )
        for change in changed.to_dict("records")
    )
    table = Table(columns=labels + columns("", "last before", "first after"), rows=rows, name="changes")
    return Document(title="Change points", parts=(table if rows else Text(text="no change point", tone="muted"),))


def _point(commit: str, run: str) -> str:
    """Return the name of a point of a trend: its commit, or its run where that is unknown."""
    return commit[:COMMIT] or run


def _when(started: str) -> str:
    return started[:16].replace("T", " ") or MISSING
