"""``loaderbench history``: every run in a database, trends, change points."""

import argparse
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from loaderbench.benches.cli import output
from loaderbench.benches.cli.options import checked
from loaderbench.benches.harness.errors import RefusedError

if TYPE_CHECKING:
    import pandas as pd

    from loaderbench.reports.history.case_search import NamedCase
    from loaderbench.reports.history.database import History

HELP = "keep every run in a database: trends and change points"
EXAMPLE = "history add"

DATABASE = "runs/history.sqlite"
MOST_NAMED = 3  # cases, where words fit several
LONGEST_NAMES = 240  # characters of their names in a message

Action = Callable[["History", argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options; each sets `action`, and whether it is `writing`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    adding = _action(actions, "add", add, "add runs; one that is there stays as it is", writing=True)
    runs = "a run's folder, run.json or run.jsonl (default: every run in runs/)"
    adding.add_argument("runs", nargs="*", type=Path, metavar="RUN", help=runs)
    _action(actions, "list", list_runs, "list the runs, newest first")
    showing = _action(actions, "show", show, "show a case run by run, with its change points")
    showing.add_argument(
        "case", metavar="CASE", help='a case\'s name, or words of it, such as "epoch images workers=2"'
    )
    showing.add_argument(
        "--metric", default="", metavar="NAME", help="what to show (default: throughput, if it has it)"
    )
    showing.add_argument("--out", type=Path, metavar="FILE", help="write the figure, as .svg or .png")
    changing = _action(actions, "changes", list_changes, "list the change points of all cases, newest first")
    changing.add_argument("--since", type=checked(_date), metavar="DATE", help="changes from 2026-11-24 on")
    exporting = _action(actions, "export", export, "write every round as CSV, Parquet or JSON")
    exporting.add_argument("case", nargs="?", default="", metavar="CASE", help="words in the names of the cases")
    exporting.add_argument("--format", choices=("csv", "parquet", "json"), default="csv", help="default: csv")
    exporting.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    for narrowed in (showing, changing, exporting):
        narrowed.add_argument("--machine", default="", metavar="PART", help="only machines with this in their name")
    for narrowed in (showing, changing):
        narrowed.add_argument("--branch", default="", metavar="NAME", help="only runs of this branch")


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    action: Action,
    summary: str,
    *,
    writing: bool = False,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    database = f"a path, or postgresql+psycopg://user@host/name (default: {DATABASE})"
    parser.add_argument("--db", default=DATABASE, metavar="DB", help=database)
    parser.set_defaults(action=action, writing=writing)
    return parser


def _date(text: str) -> str:
    """Return a day or time as the history writes it; raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a date such as 2026-11-24, got {text!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def run(options: argparse.Namespace) -> int:
    """Open the history, do what was asked, and return the exit code."""
    from loaderbench.reports.history.database import HistoryError, opened

    try:
        with opened(options.db, writing=options.writing) as history:
            return int(options.action(history, options))
    except HistoryError as error:
        raise RefusedError(str(error)) from None


def add(history: "History", options: argparse.Namespace) -> int:
    """Add runs, each whole; a file that cannot be used is named in a line, and the others are added."""
    from loaderbench.reports.history.database import HistoryError
    from loaderbench.reports.records.files import in_one_line, read_run, run_folders
    from loaderbench.reports.records.reading import MalformedError

    paths = options.runs or run_folders(output.RUNS)
    if not paths:
        raise RefusedError(f"no run in {output.RUNS}/; make one with: loaderbench run --quick")
    counts = {"added": 0, "replaced": 0, "there": 0}
    code = 0
    try:
        for path in dict.fromkeys(path.resolve() for path in paths):
            try:
                recorded = read_run(path)
                if recorded.faults:
                    code = output.refuse(f"{path}: {in_one_line(recorded.faults)}")
                counts[history.add(recorded)] += 1
            except (MalformedError, HistoryError) as fault:
                code = output.refuse(f"{path}: {fault}")
    finally:  # where it was interrupted too: what was added stays
        print(f"{history.name}: {_summary(counts)}")
    return code


def _summary(counts: dict[str, int]) -> str:
    from loaderbench.reports.units import count

    parts = [f"{count(counts['added'], 'run')} added"]
    parts += [f"{counts['replaced']} replaced, as more of it is known now"] if counts["replaced"] else []
    parts += [f"{counts['there']} already there"] if counts["there"] else []
    return ", ".join(parts)


def list_runs(history: "History", _: argparse.Namespace) -> int:
    """List the runs."""
    from loaderbench.reports.documents.history import run_list
    from loaderbench.reports.history import queries
    from loaderbench.reports.render.terminal import print_document

    print_document(run_list(queries.runs(history)))
    return 0


def show(history: "History", options: argparse.Namespace) -> int:
    """Show one case on each kind of machine, and write its figure."""
    from loaderbench.reports.documents.history import case_trend
    from loaderbench.reports.history import queries
    from loaderbench.reports.history.trends import main_metric, with_levels
    from loaderbench.reports.render.terminal import print_document

    if options.out and options.out.suffix not in {".svg", ".png"}:
        raise RefusedError(f"--out {options.out} must end in .svg or .png")
    case, others = _case(history, options.case)
    points = queries.points(
        history,
        identities=[case.identity],
        metrics=(options.metric,) if options.metric else None,
        machine=options.machine,
        branch=options.branch,
    )
    if points.empty:
        raise RefusedError(f"{case.name} has no such metric or run; see --metric, --machine and --branch")
    trend = with_levels(main_metric(points))
    print_document(case_trend(trend, others))
    if options.out:
        _write_figure(trend, options.out)
    return 0


def _case(history: "History", words: str) -> "tuple[NamedCase, list[str]]":
    """Return the case that is meant by words, and the names of the others that fit; raises RefusedError."""
    from loaderbench.reports.history import queries
    from loaderbench.reports.history.case_search import search

    result = search(words, queries.cases(history, words))
    names = list(dict.fromkeys(case.name for case in result.matching))
    if not names:
        raise RefusedError(_unknown(history, words))
    if result.meant is None:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        example = shlex.join(["loaderbench", "history", "show", names[0]])
        raise RefusedError(
            f"{words!r} fits {len(names)} cases: {', '.join(names[:MOST_NAMED])[:LONGEST_NAMES]}{more}; "
            f"name one, such as: {example}"
        )
    return result.meant, [name for name in names if name != result.meant.name]


def _unknown(history: "History", case: str) -> str:
    from loaderbench.reports.history.queries import cases

    names = sorted({case.name for case in cases(history)})
    if not names:
        return f"{history.name} holds no measured case; add runs with: loaderbench history add RUN"
    near = get_close_matches(case, names, cutoff=0)
    return f"no case is called {case!r}; the nearest are: {', '.join(near)[:LONGEST_NAMES]}"


def _write_figure(trend: "pd.DataFrame", file: Path) -> None:
    from loaderbench.reports.figures.catalogue import picture
    from loaderbench.reports.figures.history import PLOT

    drawn = picture(PLOT, trend)
    if drawn is None:
        raise RefusedError(f"{file} is not written: a figure needs two runs on one kind of machine")
    output.write_file(file, drawn.svg.encode() if file.suffix == ".svg" else drawn.png)


def list_changes(history: "History", options: argparse.Namespace) -> int:
    """List the changes of all cases."""
    from loaderbench.reports.documents.history import change_list
    from loaderbench.reports.history import queries
    from loaderbench.reports.history.trends import changes, main_metric, with_levels
    from loaderbench.reports.render.terminal import print_document

    points = queries.points(history, machine=options.machine, branch=options.branch)
    changed = changes(with_levels(main_metric(points)))
    print_document(change_list(changed[changed["started"] >= (options.since or "")]))
    return 0


def export(history: "History", options: argparse.Namespace) -> int:
    """Write every round to a file or to standard output."""
    from loaderbench.reports.history import queries
    from loaderbench.reports.history.case_search import search
    from loaderbench.reports.history.exports import FORMATS

    identities = None
    if options.case:
        matching = search(options.case, queries.cases(history, options.case)).matching
        if not matching:
            raise RefusedError(_unknown(history, options.case))
        identities = [case.identity for case in matching]
    content = FORMATS[options.format](queries.rounds(history, identities=identities, machine=options.machine))
    if options.out:
        output.write_file(options.out, content)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    return 0
