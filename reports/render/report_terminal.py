"""The report on a terminal: the results in a table, then the verdicts."""

from collections.abc import Hashable, Iterator, Mapping

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.documents.provenance import machine_line, provenance_line
from loaderbench.reports.documents.report import Report
from loaderbench.reports.documents.verdict import Verdict
from loaderbench.reports.text import plain, terminal
from loaderbench.reports.units import MISSING, count, quantity
from loaderbench.reports.vocabulary import METRICS, ranked, sample_rate
from loaderbench.reports.wording import levels, settings_of, spoken

BENCHES = ("training", "epoch", "sampling", "startup", "transfer", "memory")  # in reading order, others after them
MOST_ROWS = 6  # of one bench and dataset: the best
MOST_GROUPS = 24
COLOURS = {"loading": "red", "step": "green"}


def results(report: Report) -> RenderableType:
    """Return machine and run, the best cases of each bench and dataset, and the failed ones with their reasons."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("bench", "dataset", "setting"):
        table.add_column(name, overflow="fold")
    for name in ("result", "spread", "waiting", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    groups = sorted((held for _, held in report.cases.groupby(["bench", "dataset"], dropna=False)), key=_place)
    for held in groups[:MOST_GROUPS]:
        _add(table, held)
    about = (Text(plain(line(report.run)), style="dim") for line in (machine_line, provenance_line))
    return Group(*about, "", table, *_missed(report))


def _place(held: pd.DataFrame) -> int:
    bench = held["bench"].iloc[0]
    return BENCHES.index(bench) if bench in BENCHES else len(BENCHES)


def _add(table: Table, held: pd.DataFrame) -> None:
    metric = next(
        (METRICS[name] for name in ranked("result_rank") if name in held and held[name].notna().any()),
        METRICS["seconds"],
    )
    varied = [name for name in settings_of(held) if len(levels(held, name)) > 1 and name != "dataset"]
    best = held.sort_values(metric.name, ascending=metric.better == "lower")[:MOST_ROWS]
    for row, case in enumerate(best.to_dict("records")):
        bench, dataset = (terminal(case["bench"]), _subject(case)) if row == 0 else ("", "")
        unit = sample_rate(case.get("dataset")) if metric.unit == "samples/s" else metric.unit
        said = metric.label + " " if metric.name not in {"samples_per_s", "bytes_per_s"} else ""
        table.add_row(
            bench, dataset, terminal(spoken(case, varied) or MISSING),
            said + quantity(case[metric.name], unit), _share(case["spread"]), _share(case["stall_share"]),
            str(case["rounds"]),
        )  # fmt: skip
    if len(held) > len(best):
        table.add_row("", "", f"and {count(len(held) - len(best), 'slower case')}", style="dim")


def _subject(case: Mapping[Hashable, object]) -> str:
    dataset = case.get("dataset")
    return terminal(dataset) if isinstance(dataset, str) else ""


def _share(share: float) -> str:
    return quantity(share, "share") if share == share else ""  # noqa: PLR0124 - not NaN


def _missed(report: Report) -> Iterator[Text]:
    failed = report.records.missed[report.records.missed["status"] == "failed"]
    for case in failed[:MOST_ROWS].to_dict("records"):
        yield Text(f"failed: {plain(case['case'])}: {plain(case['reason'])}", style="red")
    if len(failed) > MOST_ROWS:
        yield Text(f"and {count(len(failed) - MOST_ROWS, 'more failed case')}", style="red")


def verdicts(report: Report) -> RenderableType:
    """Return the verdict and the call for each dataset."""
    return Group(*(part for verdict in report.verdicts for part in _verdict(verdict)))


def _verdict(verdict: Verdict) -> Iterator[Text]:
    colour = COLOURS.get(verdict.recommendation.bottleneck, "yellow")
    yield Text.assemble("\n", (plain(verdict.subject), "bold"), ": ", (verdict.headline, f"bold {colour}"))
    yield Text(plain(verdict.sentence))
    yield Text(plain(verdict.evidence), style="dim")
    yield Text(f"    {' '.join(verdict.call.split())}".replace("( ", "(").replace(", )", ")"), style="cyan")
    for doubt in verdict.doubts:
        yield Text(f"? {plain(doubt)}", style="yellow")
    if verdict.command:
        yield Text(f"  run: {plain(verdict.command)}")
