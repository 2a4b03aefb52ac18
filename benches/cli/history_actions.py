"""What ``loaderbench history`` does: `history` declares these actions, and imports them when one is called."""

import argparse
import shlex
import sys
from difflib import get_close_matches

from loaderbench.benches.cli.shared import output
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.session.record import RUNS
from loaderbench.reports.documents.history_document import case_trend, change_list, run_list
from loaderbench.reports.history import queries
from loaderbench.reports.history.case_search import SearchResult, search
from loaderbench.reports.history.database import History, HistoryError
from loaderbench.reports.history.trends import changes, main_metric, with_levels
from loaderbench.reports.records.files import in_one_line, read_run, run_folders
from loaderbench.reports.records.json_files import MalformedError
from loaderbench.reports.render.terminal import print_document
from loaderbench.reports.units import count
from loaderbench.reports.vocabulary import ExitCode

MOST_NAMED = 3  # cases, where words fit several
LONGEST_NAMES = 240  # characters of their names in a message


def add(history: History, options: argparse.Namespace) -> int:
    """Add runs, each whole; a file that cannot be used is named in a line, and the others are added."""
    paths = options.runs or run_folders(RUNS)
    if not paths:
        raise RefusedError(f"no run in {RUNS}/; make one with: loaderbench run --quick")
    counts = {"added": 0, "replaced": 0, "there": 0}
    code = ExitCode.FINE
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
        replaced = f", {counts['replaced']} replaced, as more of it is known now" if counts["replaced"] else ""
        there = f", {counts['there']} already there" if counts["there"] else ""
        print(f"{history.name}: {count(counts['added'], 'run')} added{replaced}{there}")
    return code


def list_runs(history: History, _: argparse.Namespace) -> int:
    """List the runs."""
    print_document(run_list(queries.runs(history)))
    return ExitCode.FINE


def show(history: History, options: argparse.Namespace) -> int:
    """Show one case on each kind of machine, and write its figure."""
    if options.out and options.out.suffix not in {".svg", ".png"}:
        raise RefusedError(f"--out {options.out} must end in .svg or .png")
    result = _search(history, options.case)
    names = list(dict.fromkeys(case.name for case in result.matching))
    if (case := result.meant) is None:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise RefusedError(
            f"{options.case!r} fits {len(names)} cases: {', '.join(names[:MOST_NAMED])[:LONGEST_NAMES]}{more}; "
            f"name one, such as: {shlex.join(['loaderbench', 'history', 'show', names[0]])}"
        )
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
    print_document(case_trend(trend, [name for name in names if name != case.name]))
    if options.out:
        from loaderbench.reports.documents.drawing import drawn  # matplotlib takes a second to import
        from loaderbench.reports.figures.trend import TREND

        figure = drawn(TREND, trend)
        if figure is None:
            raise RefusedError(f"{options.out} is not written: a figure needs two runs on one kind of machine")
        output.write_file(options.out, figure.svg.encode() if options.out.suffix == ".svg" else figure.png)
    return ExitCode.FINE


def _search(history: History, words: str) -> SearchResult:
    """Return the cases that fit `words`; raises RefusedError where none does."""
    result = search(words, queries.cases(history, words))
    if not result.matching:
        names = sorted({case.name for case in queries.cases(history)})
        if not names:
            raise RefusedError(f"{history.name} holds no measured case; add runs with: loaderbench history add RUN")
        near = ", ".join(get_close_matches(words, names, cutoff=0))[:LONGEST_NAMES]
        raise RefusedError(f"no case is called {words!r}; the nearest are: {near}")
    return result


def list_changes(history: History, options: argparse.Namespace) -> int:
    """List the changes of all cases."""
    points = queries.points(history, machine=options.machine, branch=options.branch)
    changed = changes(with_levels(main_metric(points)))
    print_document(change_list(changed[changed["started"] >= (options.since or "")]))
    return ExitCode.FINE


def export(history: History, options: argparse.Namespace) -> int:
    """Write every round to a file or to standard output."""
    from loaderbench.reports.records.export import FORMATS

    identities = [case.identity for case in _search(history, options.case).matching] if options.case else None
    content = FORMATS[options.format](queries.rounds(history, identities=identities, machine=options.machine))
    if options.out:
        output.write_file(options.out, content)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    return ExitCode.FINE
