"""``loaderbench history``: every run in a database, trends, change points."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from loaderbench.benches.cli.shared.option_types import checked
from loaderbench.benches.harness.errors import RefusedError

HELP = "keep every run in a database: trends and change points"
EXAMPLE = "history add"

DATABASE = "runs/history.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options; each sets `action`, a name of `history_actions`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def declared(name: str, action: str, summary: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}")
        database = f"a path, or postgresql+psycopg://user@host/name (default: {DATABASE})"
        added.add_argument("--db", default=DATABASE, metavar="DB", help=database)
        added.set_defaults(action=action)
        return added

    adding = declared("add", "add", "add runs; a run that is there already is not changed")
    runs = "a run's folder, run.json or run.jsonl (default: every run in runs/)"
    adding.add_argument("runs", nargs="*", type=Path, metavar="RUN", help=runs)
    declared("list", "list_runs", "list the runs, newest first")
    showing = declared("show", "show", "show a case run by run, with its change points")
    case = 'a case\'s name, or words of it, such as "epoch images workers=2"'
    showing.add_argument("case", metavar="CASE", help=case)
    metric = "what to show (default: throughput, if it has it)"
    showing.add_argument("--metric", default="", metavar="NAME", help=metric)
    showing.add_argument("--out", type=Path, metavar="FILE", help="write the figure, as .svg or .png")
    changing = declared("changes", "list_changes", "list the change points of all cases, newest first")
    changing.add_argument("--since", type=checked(_date), metavar="DATE", help="changes from 2026-11-24 on")
    exporting = declared("export", "export", "write every round as CSV, Parquet or JSON")
    exporting.add_argument("case", nargs="?", default="", metavar="CASE", help="words in the names of the cases")
    exporting.add_argument("--format", choices=("csv", "parquet", "json"), default="csv", help="default: csv")
    exporting.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    for narrowed in (showing, changing, exporting):
        narrowed.add_argument("--machine", default="", metavar="PART", help="only machines with this in their name")
    for narrowed in (showing, changing):
        narrowed.add_argument("--branch", default="", metavar="NAME", help="only runs of this branch")


def _date(text: str) -> str:
    """Return a day or time as the history writes it; raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a date such as 2026-11-24, got {text!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def run(options: argparse.Namespace) -> int:
    """Open the history, do what was asked, and return the exit code."""
    from loaderbench.benches.cli import history_actions
    from loaderbench.reports.history.database import HistoryError, opened

    try:
        with opened(options.db, writing=options.action == "add") as history:
            return int(getattr(history_actions, options.action)(history, options))
    except HistoryError as error:
        raise RefusedError(str(error)) from None
