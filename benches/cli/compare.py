"""``loaderbench compare``: recorded runs against recorded runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from loaderbench.benches.cli.shared.verdict_options import add_verdict_arguments, publish_comparison, setup_of
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.session.record import now

if TYPE_CHECKING:
    from loaderbench.reports.records.frame import Records

HELP = "compare recorded runs, as gate compares two revisions: a verdict takes four runs of each side"
EXAMPLE = "compare runs/old-* --head runs/new-*"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    base = "a run to compare with: its folder, run.json or run.jsonl; without --head, the second of two is judged"
    parser.add_argument("base", nargs="+", type=Path, metavar="RUN", help=base)
    parser.add_argument("--head", nargs="+", type=Path, default=[], metavar="RUN", help="the runs to judge")
    parser.add_argument("--anyway", action="store_true", help="compare unlike machines, and say so in the result")
    add_verdict_arguments(parser)
    out = "folder for the files (default: compare/ in the folder of head's newest run)"
    parser.add_argument("--out", type=Path, metavar="DIR", help=out)


def run(options: argparse.Namespace) -> int:
    """Judge what was recorded, write the verdict, and return the exit code."""
    from loaderbench.reports.gate import recorded_runs
    from loaderbench.reports.gate.plan import Plan

    base, head = (_read(paths) for paths in _paths(options))
    unlike = recorded_runs.unlike((*base.runs, *head.runs))
    if unlike and not options.anyway:
        raise RefusedError(
            f"unlike machines ({'; '.join(unlike)}): what differs is not the code alone. --anyway compares them"
        )
    newest = head.runs[-1]
    setup = setup_of(
        options,
        kind="compare",
        base=recorded_runs.label_of_runs(base),
        head=recorded_runs.label_of_runs(head) + (f" on an unlike machine ({'; '.join(unlike)})" if unlike else ""),
        started=now().isoformat(),
        machine=dict(newest.machine),
    )
    comparison = recorded_runs.compare(base, head, Plan(margin=options.margin), setup)
    return publish_comparison(comparison, options.out or newest.path.parent / "compare")


def _paths(options: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    if options.head:
        return options.base, options.head
    if len(options.base) == 1:
        raise RefusedError(f"{options.base[0]} is compared with nothing: name the other run too (compare BASE HEAD)")
    if len(options.base) > 2:  # noqa: PLR2004 - base and head
        raise RefusedError("more than two runs: say which are head's with --head RUN…")
    return options.base[:1], options.base[1:]


def _read(paths: list[Path]) -> "Records":
    """Read one revision's runs; what cannot be read cannot be judged."""
    from loaderbench.reports.records.frame import read_records

    records = read_records(paths)
    if records.faults or not records.runs:
        raise RefusedError("; ".join(map(str, records.faults)) or f"no run in {', '.join(map(str, paths))}")
    return records
