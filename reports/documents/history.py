"""The history on a terminal: the runs, the trend of a case, the changes of all."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.history.trends import changes, label_of, unit_of
from loaderbench.reports.text import plain, terminal
from loaderbench.reports.units import MISSING, count, interval, quantity

MOST_RUNS = 20  # of a trend, the newest
BARS = "▁▂▃▄▅▆▇█"
LONGEST_LINE = 80  # bars of a trend: the newest runs
COMMIT = 10  # characters of a commit's name
COLOURS = {"improved": "green", "regressed": "red"}


def runs(found: pd.DataFrame) -> RenderableType:
    """Return the runs (`history_queries.runs`) as a table."""
    table = _table(("run", "started", "commit", "branch", "machine"), ("cases", "failed"))
    table.add_column("")
    for run in found.to_dict("records"):
        dirty = ", with changes" if run["dirty"] is True else ""
        table.add_row(
            terminal(run["id"]), _when(run["started"]), terminal(run["commit"][:COMMIT] + dirty),
            terminal(run["branch"]), terminal(run["machine"]), str(run["cases"]), str(run["failed"] or ""),
            "" if run["complete"] else "interrupted",
        )  # fmt: skip
    return table


def trend(held: pd.DataFrame) -> RenderableType:
    """Return one series of marked points (`trends.marked`): a line of bars, the newest runs, the changes."""
    last = held.iloc[-1]
    unit = unit_of(last["metric"], last["dataset"])
    table = _table(("started", "run", "commit"), (label_of(last["metric"]), "middle half of rounds", "n", "level"))
    for point in held.tail(MOST_RUNS).to_dict("records"):
        changed = not math.isnan(point["ratio"])
        said = f"{quantity(point['ratio'], 'ratio')} " if changed else ""
        table.add_row(
            _when(point["started"]), terminal(point["run"]), terminal(point["commit"][:COMMIT]),
            quantity(point["median"], unit), interval(point["low"], point["high"], unit),
            str(point["n"]), said + quantity(point["level"], unit), style="bold" if changed else None,
        )  # fmt: skip
    line = f"{label_of(last['metric'])} on {plain(last['machine'])}, {count(len(held), 'run')}"
    return Group(
        Text(plain(last["case"]), style="bold"), Text(line, style="dim"), Text(bars(held["median"]), style="blue"), "",
        table, "", *_told(changes(held)),
    )  # fmt: skip


def bars(medians: pd.Series) -> str:
    """Draw values in a line of bars, lowest to highest.

    >>> bars(pd.Series([1.0, 2.0, 3.0])), bars(pd.Series([5.0, 5.0]))
    ('▁▅█', '▁▁')
    """
    shown = medians.tail(LONGEST_LINE).to_numpy(float)
    span = float(np.ptp(shown)) or 1.0
    heights = np.round((shown - shown.min()) / span * (len(BARS) - 1)).astype(int)
    return "".join(BARS[height] for height in heights)


def _told(found: pd.DataFrame) -> Iterator[Text]:
    for change in found.to_dict("records"):
        style = COLOURS.get(change["verdict"], "yellow")
        yield Text.assemble(
            (f"{_when(change['started'])} {change['verdict']} {quantity(change['ratio'], 'ratio')}", style),
            f" between {_point(change['before_commit'], change['before_run'])}"
            f" and {_point(change['commit'], change['run'])}, told with {plain(change['told'])}",
        )
    if found.empty:
        yield Text("no change point", style="dim")


def all_changes(found: pd.DataFrame) -> RenderableType:
    """Return the changes of all cases (`trends.changes`) as a table."""
    table = _table(("started", "case", "machine", "metric"), ("ratio",))
    for name in ("", "last commit before", "first commit after"):
        table.add_column(name, overflow="fold")
    for change in found.to_dict("records"):
        table.add_row(
            _when(change["started"]), terminal(change["case"]), terminal(change["machine"]),
            terminal(label_of(change["metric"])), quantity(change["ratio"], "ratio"),
            Text(change["verdict"], style=COLOURS.get(change["verdict"], "yellow")),
            terminal(_point(change["before_commit"], change["before_run"])),
            terminal(_point(change["commit"], change["run"])),
        )  # fmt: skip
    return table


def _point(commit: str, run: str) -> str:
    """Name a point of a trend by its commit, or by its run where that is unknown."""
    return plain(commit[:COMMIT] or run)


def _when(started: str) -> str:
    return plain(started[:16].replace("T", " ")) or MISSING


def _table(texts: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table
