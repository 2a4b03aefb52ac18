"""``loaderbench report``: the HTML page, the Markdown, the tables and the figures of runs."""

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loaderbench.benches.cli.history import DATABASE
from loaderbench.benches.cli.shared import output
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.session.record import RUNS
from loaderbench.reports.vocabulary import ExitCode

if TYPE_CHECKING:
    from loaderbench.reports.documents.report.report_document import Report

HELP = "report on runs: an HTML page, Markdown, tables and figures"
EXAMPLE = "report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    run = "a run's folder, run.json or run.jsonl (default: the newest in runs/); or the folder of one `watch`"
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help=run)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the files (default: that of the newest run)"
    )
    history = f"add the trends of this history, a path or a URL (such as {DATABASE})"
    parser.add_argument("--history", metavar="DB", help=history)
    explain = "add the result of `loaderbench explain` in this folder; may be given more than once"
    parser.add_argument("--explain", action="append", default=[], type=Path, metavar="DIR", help=explain)
    whatif = "draw what `loaderbench whatif --ranks` predicted, in this folder, beside the scaling of many ranks; "
    whatif += "may be given more than once"
    parser.add_argument("--whatif", action="append", default=[], type=Path, metavar="DIR", help=whatif)


def run(options: argparse.Namespace) -> int:
    """Write the report and print what it says; return 0, or 2 where not all that was named can be read."""
    from loaderbench.reports.documents.report.report_document import assemble, report_document
    from loaderbench.reports.records import frame as records
    from loaderbench.reports.records.export import csv_of, parquet_of
    from loaderbench.reports.watch.watch_record import is_watched

    if len(options.runs) == 1 and is_watched(options.runs[0]):
        return _of_watch(options.runs[0], options.out)
    read = records.read_records(options.runs or records.newest(RUNS))
    if not read.runs:
        for fault in read.faults:  # else they stand in the report
            output.complain(fault)
        missing = f"no run in {RUNS}/; make one with: loaderbench run --quick"
        raise RefusedError(f"nothing to report: {'no run could be read' if read.faults else missing}")
    report, code = assemble(read), ExitCode.FINE
    if options.history is not None:
        report, code = _with_trend(report, options.history)
    for path in options.explain:
        report, explain_code = _with_explanation(report, path)
        code = explain_code or code
    if options.whatif:
        report, whatif_code = _with_predictions(report, options.whatif)
        code = whatif_code or code
    folder = options.out or read.runs[-1].path.parent
    tables = [("records.csv", csv_of(read.frame)), ("records.parquet", parquet_of(read.frame))]
    output.publish(report_document(report), folder, data=tables)
    return code


def _of_watch(folder: Path, out: Path | None) -> ExitCode:
    """Report on a watched script, or on all its ranks; return 0, or 2 where a record cannot be read."""
    from loaderbench.reports.documents.watch.watch_document import watch_document
    from loaderbench.reports.records.json_files import MalformedError
    from loaderbench.reports.watch.watch_record import read_ranks

    try:
        ranks = read_ranks(folder)
    except MalformedError as fault:
        return output.refuse(f"{folder}: {fault}")
    output.publish(watch_document(ranks[0], ranks), out or folder, stem="watch")
    return ExitCode.FINE


def _with_explanation(report: "Report", path: Path) -> tuple["Report", ExitCode]:
    from loaderbench.reports.explain import ranking
    from loaderbench.reports.records.json_files import MalformedError

    try:
        return replace(report, explained=(*report.explained, ranking.read_ranking(path))), ExitCode.FINE
    except (MalformedError, OSError) as fault:
        return report, output.refuse(f"--explain {path} is passed over: {fault}")


def _with_predictions(report: "Report", folders: list[Path]) -> tuple["Report", ExitCode]:
    from loaderbench.reports.records.json_files import MalformedError
    from loaderbench.reports.whatif.rank_predictions import is_predicted, with_predictions
    from loaderbench.reports.whatif.whatif_record import WhatIf

    records, code = [], ExitCode.FINE
    for folder in folders:
        try:
            records.append(WhatIf.read(folder))
        except (MalformedError, OSError) as fault:
            code = output.refuse(f"--whatif {folder} is passed over: {fault}")
    if not records:
        return report, code
    cpus = report.run.usable_cpus or math.nan
    scalings = tuple(with_predictions(scaling, records, cpus) for scaling in report.scalings)
    if not any(is_predicted(scaling) for scaling in scalings):
        code = output.refuse(
            "--whatif: no case of bench_ranks here was predicted: ask about its dataset, --batch-size, --num-workers "
            f"and --ranks, on {cpus:g} CPUs, without a step"
        )
    return replace(report, scalings=scalings), code


def _with_trend(report: "Report", database: str) -> tuple["Report", ExitCode]:
    """Add the trends of the newest run's cases, on its kind of machine."""
    from loaderbench.reports.documents.drawing import drawn
    from loaderbench.reports.figures.trend import TREND
    from loaderbench.reports.history import queries, trends
    from loaderbench.reports.history.database import HistoryError, opened
    from loaderbench.reports.history.rows import machine_key
    from loaderbench.reports.records.files import read_run
    from loaderbench.reports.vocabulary import case_identity

    cases = {case_identity(case.bench, case.settings) for case in read_run(report.run.path).cases}
    try:
        with opened(database) as history:
            points = trends.main_metric(queries.points(history, identities=sorted(cases)))
    except HistoryError as error:
        return report, output.refuse(error)
    alike = points[points["machine"] == machine_key(report.run.machine)]
    trend = drawn(TREND, trends.with_levels(alike))
    return (replace(report, figures=(*report.figures, trend)) if trend else report), ExitCode.FINE
