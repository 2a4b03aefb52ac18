"""The command line: run the benches, report on runs."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from rich.console import Console

from loaderbench.benches.cli import compare
from loaderbench.benches.cli import explain as verbs_of_explain
from loaderbench.benches.cli import gate as verbs_of_gate
from loaderbench.benches.cli import history as histories
from loaderbench.benches.gate import calibrate

RUNS = Path("runs")
WIDE = 140  # columns where there is no terminal: a log wraps by itself

UNREADABLE = 2  # exit code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the verbs and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:  # before argparse, which would read options that are pytest's
        return run(words[1:])
    parser = _parser()
    options, others = parser.parse_known_args(words)
    if getattr(options, "passes_on", False):  # what it does not know is for the benches
        return int(options.run(options, others))
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loaderbench", description="What feeds a PyTorch model, how fast, and why.")
    parser.add_argument("--version", action="version", version=f"loaderbench {version('loaderbench')}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser(
        "run", help="run the benches; every option is pytest's or the benches' own (loaderbench run --help)"
    )
    reporting = verbs.add_parser("report", help="report on runs: HTML, Markdown, tables and figures")
    reporting.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RUN",
        help="a run's folder, run.json or run.jsonl (default: latest in runs/)",
    )
    reporting.add_argument(
        "--out", type=Path, metavar="DIR", help="where the report goes (default: the newest run's folder)"
    )
    reporting.add_argument(
        "--history", metavar="DB", help=f"show trends from this history, a path or a URL (such as {histories.DATABASE})"
    )
    reporting.add_argument(
        "--explain", action="append", default=[], type=Path, metavar="DIR", help="show what `loaderbench explain` found"
    )
    reporting.set_defaults(run=lambda options: report(options.runs, options.out, options.history, options.explain))
    verbs_of_gate.add_parser(verbs)
    verbs_of_explain.add_parser(verbs)
    compare.add_parser(verbs)
    calibrate.add_parser(verbs)
    histories.add_parser(verbs)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the installed benches: ``pytest --pyargs loaderbench.benches`` with our plugin; options go on as they are."""
    if "" not in sys.path:  # as `python -m pytest` would: the user's own dataset is imported from here
        sys.path.insert(0, "")
    plugin = ("-p", "loaderbench.benches.harness.plugin")
    return int(pytest.main([*plugin, "--import-mode=importlib", "--pyargs", "loaderbench.benches", *arguments]))


def report(runs: Sequence[Path], out: Path | None, history: str | None, explained: Sequence[Path]) -> int:
    """Write the report of `runs`, print its gist, and return 0, or 2 where nothing, or not all of it, can be read."""
    # pandas, matplotlib and scipy take a second to import, which `loaderbench run` need not wait for.
    from loaderbench.reports.documents.report import assemble
    from loaderbench.reports.explain import ranking
    from loaderbench.reports.records import frame as records
    from loaderbench.reports.records.schema import MalformedError
    from loaderbench.reports.render import (
        outputs,
        terminal,
    )
    from loaderbench.reports.text import plain

    found = records.read(runs or records.newest(RUNS))
    for fault in found.faults:
        print(f"loaderbench: {plain(fault)}", file=sys.stderr)
    if not found.runs:
        where = "no run could be read" if found.faults else f"no run in {RUNS}/; make one with: loaderbench run --quick"
        print(f"loaderbench: nothing to report: {where}", file=sys.stderr)
        return UNREADABLE
    made, code = assemble(found), 0
    if history is not None:
        made, code = histories.with_trend(made, history)
    for path in explained:
        try:
            made = replace(made, explained=(*made.explained, ranking.read(path)))
        except (MalformedError, OSError) as fault:
            print(f"loaderbench: --explain {path} is passed over: {plain(fault)}", file=sys.stderr)
            code = UNREADABLE
    folder = out or found.runs[-1].path.parent
    try:
        write(outputs.outputs(made), folder)
    except OSError as error:
        print(f"loaderbench: {folder} cannot be written: {error.strerror}", file=sys.stderr)
        return UNREADABLE
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(terminal.results(made))
    console.print(terminal.verdicts(made))
    print(f"\n{(folder / outputs.PAGE).resolve()}")
    return code


def write(contents: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Write files, each by its path within `folder`."""
    for name, content in contents:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
