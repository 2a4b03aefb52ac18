"""``loaderbench history``: every run in a database, trends, change points."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from loaderbench.benches.cli.output import complain
from loaderbench.benches.harness.errors import RefusedError

# pandas and SQLAlchemy take a second to import, which other verbs need not wait for: functions import what they need.
if TYPE_CHECKING:
    import pandas as pd

    from loaderbench.reports.history.database import History

HELP = "keep every run in a database: trends and change points"
EXAMPLE = "history add runs/*/run.json"

DATABASE = "runs/history.sqlite"
WIDE = 180  # columns where there is no terminal: a log wraps by itself
MOST_NAMED = 10  # cases, where a name fits several
UNREADABLE = 2  # exit code

Verb = Callable[["History", argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands of a history and their options; each sets `action`."""
    own = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = _verb(own, "add", add, "add runs; one that is there stays as it is", writing=True)
    adding.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, run.json or run.jsonl")
    _verb(own, "list", list_runs, "list the runs, newest first")
    showing = _verb(own, "show", show, "show a case run by run, with its change points")
    showing.add_argument("case", metavar="CASE", help="a case's name, or words that are only in its name")
    showing.add_argument("--metric", help="what to show (default: throughput, or what the case has)")
    showing.add_argument("--out", type=Path, metavar="FILE", help="write the figure, as .svg or .png")
    changing = _verb(own, "changes", show_changes, "list the change points of all cases, newest first")
    changing.add_argument("--since", type=_date, metavar="DATE", help="changes from 2026-11-24 on")
    exporting = _verb(own, "export", export, "write every round, or the trends for Apache Otava")
    exporting.add_argument(
        "case", nargs="?", default="", metavar="CASE", help="words in the names of the cases to export"
    )
    exporting.add_argument("--format", choices=("csv", "parquet", "json", "otava"), default="csv")
    exporting.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    for narrowed in (showing, changing, exporting):
        narrowed.add_argument("--machine", default="", metavar="PART", help="only machines with this in their name")
    for narrowed in (showing, changing):
        narrowed.add_argument("--branch", default="", help="only runs of this branch")


def _verb(
    own: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    verb: Verb,
    said: str,
    *,
    writing: bool = False,
) -> argparse.ArgumentParser:
    parser = own.add_parser(name, help=said, description=said)
    parser.add_argument(
        "--db", default=DATABASE, metavar="DB", help=f"a path, or postgresql+psycopg://user@host/name ({DATABASE})"
    )
    parser.set_defaults(action=verb, writing=writing)
    return parser


def _date(text: str) -> str:
    """Return a day or time as the history writes it; raises ArgumentTypeError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it like 2026-11-24") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def run(options: argparse.Namespace) -> int:
    """Open the history, do what was asked, and return the exit code."""
    from loaderbench.reports.history.database import HistoryError, opened

    try:
        with opened(options.db, writing=options.writing) as history:
            return int(options.action(history, options))
    except HistoryError as error:
        raise RefusedError(str(error)) from None


def _print(part: RenderableType) -> None:
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(part)


def add(history: "History", options: argparse.Namespace) -> int:
    """Add runs; a file that cannot be used is told in a line, and the others are added."""
    from loaderbench.reports.history.database import HistoryError
    from loaderbench.reports.records.files import in_one_line, read_run
    from loaderbench.reports.records.reading import MalformedError
    from loaderbench.reports.units import count

    counts = {"added": 0, "replaced": 0, "there": 0}
    code = 0
    for path in dict.fromkeys(path.resolve() for path in options.runs):
        try:
            document = read_run(path)
            if document.faults:
                complain(f"{path}: {in_one_line(document.faults)}")
                code = UNREADABLE
            counts[history.add(document)] += 1
        except (MalformedError, HistoryError) as fault:
            complain(f"{path}: {fault}")
            code = UNREADABLE
    said = [f"{count(counts['added'], 'run')} added"]
    said += [f"{counts['replaced']} replaced, as more of it is known now"] if counts["replaced"] else []
    said += [f"{counts['there']} already there"] if counts["there"] else []
    print(f"{history.name}: {', '.join(said)}")
    return code


def list_runs(history: "History", _: argparse.Namespace) -> int:
    """List the runs."""
    from loaderbench.reports.documents import history as terminal
    from loaderbench.reports.history import queries

    _print(terminal.runs(queries.runs(history)))
    return 0


def show(history: "History", options: argparse.Namespace) -> int:
    """Show one case on each machine, and write its figure."""
    from loaderbench.reports.documents import history as terminal
    from loaderbench.reports.history.trends import marked

    if options.out and options.out.suffix not in {".svg", ".png"}:
        raise RefusedError(f"--out {options.out} must end in .svg or .png")
    trend = marked(_points_of_case(history, options))
    for _, held in trend.groupby("series", sort=False):
        _print(terminal.trend(held))
    if options.out:
        from loaderbench.reports.figures.catalogue import picture
        from loaderbench.reports.figures.history import PLOT

        drawn = picture(PLOT, trend)
        if drawn is None:
            raise RefusedError(f"{options.out} is not written: a figure needs two runs on one machine")
        _write(drawn.svg.encode() if options.out.suffix == ".svg" else drawn.png, options.out)
    return 0


def _points_of_case(history: "History", options: argparse.Namespace) -> "pd.DataFrame":
    from loaderbench.reports.history import queries
    from loaderbench.reports.history.trends import leading
    from loaderbench.reports.vocabulary import ranked

    found = queries.named(history, options.case)
    if not found:
        raise RefusedError(_unknown(history, options.case))
    if len(found) > 1:
        names = sorted(found.values())
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise RefusedError(
            f"{options.case!r} is in the names of {len(names)} cases; give more of one: "
            f"{', '.join(names[:MOST_NAMED])[:240]}{more}"
        )
    asked = (options.metric,) if options.metric else ranked("trend_rank")
    points = leading(
        queries.points(history, identities=found, metrics=asked, machine=options.machine, branch=options.branch)
    )
    if points.empty:
        raise RefusedError(f"{next(iter(found.values()))} has no such figures; see --metric, --machine and --branch")
    return points


def _unknown(history: "History", case: str) -> str:
    from loaderbench.reports.history.queries import named

    near = get_close_matches(case, sorted(set(named(history, "").values())), cutoff=0)
    return f"no case is called {case!r}; the nearest are: {', '.join(near)[:240] or 'none'}"


def show_changes(history: "History", options: argparse.Namespace) -> int:
    """List the changes of all cases."""
    from loaderbench.reports.documents import history as terminal
    from loaderbench.reports.history import queries, trends

    points = queries.points(history, machine=options.machine, branch=options.branch)
    found = trends.changes(trends.marked(trends.leading(points)))
    since = found[found["started"] >= (options.since or "")]
    _print(terminal.all_changes(since) if len(since) else "no change point")
    return 0


def export(history: "History", options: argparse.Namespace) -> int:
    """Write rounds or trends to a file or to standard output."""
    from loaderbench.reports.history import exports, queries, trends
    from loaderbench.reports.vocabulary import ranked

    found = queries.named(history, options.case) if options.case else None
    if found == {}:
        raise RefusedError(_unknown(history, options.case))
    if options.format == "otava":
        points = queries.points(
            history, identities=found, metrics=() if options.case else ranked("trend_rank"), machine=options.machine
        )
        points = points if options.case else trends.leading(points)
        if len(kinds := sorted(points["machine"].unique())) > 1:
            raise RefusedError(f"Otava would join unlike machines; choose one with --machine: {'; '.join(kinds)}")
        content = exports.otava(points)
    else:
        rounds = queries.rounds(history, identities=found, machine=options.machine)
        content = exports.FORMATS[options.format](rounds)
    if options.out:
        _write(content, options.out)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    return 0


def _write(content: bytes, path: Path) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}") from None
