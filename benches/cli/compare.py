"""``loaderbench compare``: recorded runs against recorded runs, or a verdict judged again."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from loaderbench.benches.cli.gate import MARGIN, VERDICT, add_judging, publish, refuse
from loaderbench.benches.harness.record import now


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the verb; it sets `run`, which takes the options and returns the exit code."""
    parser = verbs.add_parser(
        "compare",
        help="compare recorded runs, or judge a verdict.json again",
        description="compare BASE HEAD, BASE… --head HEAD…, or a verdict.json. A verdict takes four runs a side.",
    )
    parser.add_argument("base", nargs="+", type=Path, metavar="RUN", help="a run's folder, run.json or run.jsonl")
    parser.add_argument("--head", nargs="+", type=Path, default=[], metavar="RUN", help="the runs of the other side")
    parser.add_argument("--anyway", action="store_true", help="compare unlike machines, and say so in the result")
    add_judging(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the verdict goes (default: beside the newest head)"
    )
    parser.set_defaults(run=compare)


def compare(options: argparse.Namespace) -> int:
    """Judge what was recorded, write what came of it, and return the exit code."""
    if len(options.base) == 1 and not options.head:
        return _judge_again(options.base[0], options)
    base, head = (options.base, options.head) if options.head else (options.base[:1], options.base[1:])
    if len(head) != 1 and not options.head:
        return refuse("more than two runs: say which are the other side with --head RUN…")
    return _compare(base, head, options)


def _judge_again(path: Path, options: argparse.Namespace) -> int:
    from loaderbench.reports.gate.verdict_file import read_verdict
    from loaderbench.reports.records.reading import MalformedError

    file = path / VERDICT if path.is_dir() else path
    if path.is_dir() and not file.exists():
        return refuse(f"{path}: one side alone; name the other one too (compare BASE HEAD), or a {VERDICT}")
    try:
        held = read_verdict(file)
    except MalformedError as fault:
        return refuse(f"{file}: {fault}")
    about = replace(held.about, strict=options.strict, accept_gone=options.accept_gone)
    plan = replace(held.plan, margin=options.margin or held.plan.margin)
    return publish(replace(held, about=about).judged(plan), options.out or file.parent / "again")


def _compare(base: Sequence[Path], head: Sequence[Path], options: argparse.Namespace) -> int:
    from loaderbench.reports.gate import recorded_runs as comparing
    from loaderbench.reports.gate.comparison import About
    from loaderbench.reports.gate.sequential import Plan
    from loaderbench.reports.records import frame as records

    sides = [records.read(paths) for paths in (base, head)]
    faults = [str(fault) for side in sides for fault in side.faults]
    if faults or not all(side.runs for side in sides):  # what cannot be read cannot be judged
        return refuse("; ".join(faults) or "a side holds no run")
    runs = (*sides[0].runs, *sides[1].runs)
    unlike = comparing.unlike(runs)
    if unlike and not options.anyway:
        return refuse(
            f"unlike machines ({'; '.join(unlike)}): what differs is not the code alone. --anyway compares them"
        )
    about = About(
        kind="compare",
        base=comparing.label(sides[0]),
        head=comparing.label(sides[1]) + (f" on an unlike machine ({'; '.join(unlike)})" if unlike else ""),
        command=("loaderbench", *sys.argv[1:]),
        started=now().isoformat(),
        version=version("loaderbench"),
        machine=dict(sides[1].runs[-1].machine),
        strict=options.strict,
        accept_gone=options.accept_gone,
    )
    found = comparing.compare(sides[0], sides[1], Plan(margin=options.margin or MARGIN), about)
    return publish(found, options.out or sides[1].runs[-1].path.parent / "compare")
