"""The documents of ``loaderbench history``: the runs, the trend of a case, the changes of all cases."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from loaderbench.reports.documents.document import Cell, Column, Document, Part, Section, Table, Text, Tone
from loaderbench.reports.history.trends import changes, direction, label_of, unit_of
from loaderbench.reports.units import MISSING, count, interval, quantity

MOST_RUNS = 20  # of a trend, on a terminal: the newest
BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 80  # of a trend: the newest runs
COMMIT = 10  # characters of a commit's name
TONES: dict[str, Tone] = {"improved": "good", "regressed": "bad", "changed": "warn"}


def run_list(runs: pd.DataFrame) -> Document:
    """Return the document of the runs (`queries.runs`), newest first."""
    rows = []
    for run in runs.to_dict("records"):
        dirty = ", with changes" if run["dirty"] is True else ""
        rows.append(
            (
                Cell(text=run["id"]),
                Cell(text=_when(run["started"])),
                Cell(text=run["commit"][:COMMIT] + dirty),
                Cell(text=run["branch"]),
                Cell(text=run["machine"]),
                Cell(text=str(run["cases"]), number=run["cases"]),
                Cell(text=str(run["failed"] or ""), number=run["failed"]),
                Cell(text="" if run["complete"] else "interrupted", tone="warn"),
            )
        )
    columns = (*_columns("run", "started", "commit", "branch", "machine"), *_numbers("cases", "failed"), *_columns(""))
    return Document(title="Runs of the history", parts=(Table(columns=columns, rows=tuple(rows), name="runs"),))


def case_trend(trend: pd.DataFrame, others: Sequence[str] = ()) -> Document:
    """Return the document of one case's trend (`trends.with_levels`), a section for each kind of machine.

    `others` are the names of cases that fit the same words, and are not shown.
    """
    series = [points for _, points in trend.groupby("series", sort=False)]
    notices: tuple[str, ...] = ()
    if others:
        notices = (f"these words also fit {count(len(others), 'other case')}, such as {others[0]}",)
    return Document(
        title=str(series[0]["case"].iloc[-1]), notices=notices, parts=tuple(_series(points) for points in series)
    )


def _series(points: pd.DataFrame) -> Section:
    last = points.iloc[-1]
    unit = unit_of(last["metric"], last["dataset"])
    rows = []
    for point in points.iloc[::-1].to_dict("records"):
        is_change = not math.isnan(point["ratio"])
        ratio = f"{quantity(point['ratio'], 'ratio')} " if is_change else ""
        tone = TONES[direction(point["metric"], point["ratio"])] if is_change else "plain"
        rows.append(
            (
                Cell(text=_when(point["started"])),
                Cell(text=point["run"]),
                Cell(text=point["commit"][:COMMIT]),
                Cell(text=quantity(point["median"], unit), number=point["median"]),
                Cell(text=interval(point["low"], point["high"], unit)),
                Cell(text=str(point["n"]), number=point["n"]),
                Cell(text=ratio + quantity(point["level"], unit), number=point["level"], tone=tone),
            )
        )
    numbers = (label_of(last["metric"]), "middle half of rounds", "n", "level")
    columns = (*_columns("started", "run", "commit"), *_numbers(*numbers))
    parts: tuple[Part, ...] = (
        Text(text=f"{label_of(last['metric'])} on {last['machine']}, {count(len(points), 'run')}", tone="muted"),
        Text(text=bars(points["median"])),
        Table(columns=columns, rows=tuple(rows), most_rows={"terminal": MOST_RUNS}, name="trend"),
        *_changes(changes(points)),
    )
    return Section(title=str(last["case"]), parts=parts)


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
    rows = tuple(
        (
            Cell(text=_when(change["started"])),
            Cell(text=change["case"]),
            Cell(text=change["machine"]),
            Cell(text=label_of(change["metric"])),
            Cell(text=quantity(change["ratio"], "ratio"), number=change["ratio"]),
            Cell(text=change["verdict"], tone=TONES[change["verdict"]]),
            Cell(text=_point(change["before_commit"], change["before_run"])),
            Cell(text=_point(change["commit"], change["run"])),
        )
        for change in changed.to_dict("records")
    )
    columns = (
        *_columns("started", "case", "machine", "metric"), *_numbers("ratio"),
        *_columns("", "last before", "first after"),
    )  # fmt: skip
    table = Table(columns=columns, rows=rows, name="changes")
    return Document(title="Change points", parts=(table if rows else Text(text="no change point", tone="muted"),))


def _point(commit: str, run: str) -> str:
    """Return the name of a point of a trend: its commit, or its run where that is unknown."""
    return commit[:COMMIT] or run


def _when(started: str) -> str:
    return started[:16].replace("T", " ") or MISSING


def _columns(*labels: str) -> tuple[Column, ...]:
    return tuple(Column(label=label) for label in labels)


def _numbers(*labels: str) -> tuple[Column, ...]:
    return tuple(Column(label=label, number=True) for label in labels)
