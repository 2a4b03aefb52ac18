"""What ``loaderbench report`` says: verdicts, figures, what explain found, and every case."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from loaderbench.reports.documents.document import (
    ON_PAGE,
    ON_PAPER,
    Document,
    DrawnFigure,
    Outputs,
    Part,
    Section,
    Terms,
    Text,
)
from loaderbench.reports.documents.drawing import all_drawn, figure_sections
from loaderbench.reports.documents.explain_document import explain_section
from loaderbench.reports.documents.provenance import machine_words, notices, provenance_line, run_line
from loaderbench.reports.documents.report.cases import cases_table
from loaderbench.reports.documents.report.ranks import ranks_parts
from loaderbench.reports.documents.report.recommendation import AS_GOOD, nothing_to_recommend, verdict_callout
from loaderbench.reports.documents.report.results import failures, results_table
from loaderbench.reports.documents.report.slow_samples import slow_samples_section
from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.figures.report.catalogue import figure_kinds
from loaderbench.reports.records.frame import Records
from loaderbench.reports.records.schema import Run
from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.stats.first_passes import slow_first_passes
from loaderbench.reports.stats.rank_scaling import RankScaling, rank_scalings
from loaderbench.reports.stats.recommendation import MOST_SUBJECTS, Recommendation, recommend
from loaderbench.reports.stats.summary import latest, summarise
from loaderbench.reports.units import count, percent, quantity

IN_MARKDOWN: Outputs = frozenset({"markdown"})

SPREAD = (
    "Within-run spread is the 95 % t interval over a case's rounds: what varies within one process, "
    "not a confidence interval of the truth."
)
TERMS = (
    (
        "throughput",
        "Total samples over total time, over whole passes and all rounds. Warm-up rounds are not counted.",
    ),
    (
        "within-run spread",
        (
            "The 95 % t interval of the mean log throughput of a case's rounds; of a ratio, Welch's. It shows what "
            "varies between rounds of one process. Another process can differ by more: it is not a confidence interval "
            "of the truth."
        ),
    ),
    (
        AS_GOOD,
        (
            f"Shown with {percent(LEVEL)} confidence: the throughput is more than {quantity(1 - MARGIN, 'ratio')} that "
            "of every other setting tried (non-inferiority). The smallest such setting is recommended: fewest workers, "
            "then less prefetching, then no pinning. Where the rounds show it of none, the fastest is recommended."
        ),
    ),
    (
        "batch size",
        (
            "It changes what is trained, as do the collate function, the sampling and the model. A setting is "
            "therefore chosen within each of them; the fastest comes first."
        ),
    ),
    ("waiting", "The share of a training pass that the step spends without a batch."),
    ("bound, overlap", "The lower of loader alone and step alone; and the share of it that training reaches."),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Records, and what was made of them."""

    records: Records
    cases: pd.DataFrame
    """One row for each run and case: `summary.summarise`."""
    recommendations: tuple[Recommendation, ...]
    """One for each dataset and device."""
    figures: tuple[DrawnFigure, ...]
    scalings: tuple[RankScaling, ...] = ()
    """One for each setting that many ranks were measured with."""
    explained: tuple[Ranking, ...] = ()
    """What ``loaderbench explain`` found, where the report was given it."""

    @property
    def run(self) -> Run:
        """Return the newest run: verdicts and figures show its cases where it has them."""
        return self.records.runs[-1]

    @property
    def cpus(self) -> float:
        """Return how many CPUs' time a host of that run has, which a quota may cut; NaN where that is not recorded."""
        known = (self.run.machine.get(name) for name in ("cpus_affinity", "cpus_quota"))
        return min((float(cpus) for cpus in known if isinstance(cpus, int | float)), default=math.nan)


def assemble(records: Records) -> Report:
    """Make a report of records."""
    cases = summarise(records.frame)
    current = latest(cases)
    report = Report(
        records=records,
        cases=cases,
        recommendations=tuple(recommend(current)),
        figures=all_drawn(figure_kinds(), current),
    )
    return replace(report, scalings=tuple(rank_scalings(current, records.ranks, report.cpus)))


def report_document(report: Report) -> Document:
    """Return what a report says: on a terminal the best cases and the verdicts, on the page everything."""
    return Document(
        title="loaderbench",
        about=(machine_words(report.run.machine), provenance_line(report.run)),
        notices=tuple(_notices(report)),
        parts=(
            results_table(report.cases),
            failures(report.records.missed),
            *_verdicts(report),
            *ranks_parts(list(report.scalings)),
            *figure_sections(report.figures),
            *_explained(report),
            *slow_samples_section(report.records.slowest),
            *_every_case(report),
            Section(title="Terms", parts=(Terms(terms=TERMS),), on=ON_PAGE),
            Text(text=SPREAD, on=IN_MARKDOWN),
        ),
        footer=(
            *(run_line(run) for run in report.records.runs),
            "All rounds: records.csv, records.parquet. Figures: figures/.",
        ),
    )


def _notices(report: Report) -> Iterator[str]:
    yield from notices(report.records)
    yield from _first_passes(report)
    if len(report.recommendations) == MOST_SUBJECTS:
        yield f"No more than {MOST_SUBJECTS} datasets and devices are given a verdict; every case is in the table."


def _first_passes(report: Report) -> Iterator[str]:
    """Yield a line where first passes were much slower: what is measured is then how later epochs are read."""
    slow = slow_first_passes(report.records.frame)
    if slow.empty:
        return
    worst = slow.iloc[0]
    first_s, later_s = (quantity(float(worst[name]), "s") for name in ("first_s", "later_s"))
    others = f", as {count(len(slow) - 1, 'other case')} did to a lesser extent" if len(slow) > 1 else ""
    yield (
        f"{worst['case']} took {first_s} for its first pass, which does not count, and {later_s} for each later one"
        f"{others}: later passes find what the first has read, in a cache of the dataset's own or of the system."
    )


def _verdicts(report: Report) -> Iterator[Part]:
    runs = {run.name: run for run in report.records.runs}
    for recommendation in report.recommendations:
        yield verdict_callout(recommendation, runs[recommendation.run])
    if not (report.recommendations or report.scalings):
        yield nothing_to_recommend()


def _explained(report: Report) -> Iterator[Part]:
    for number, ranking in enumerate(report.explained, start=1):
        yield replace(explain_section(ranking, f"explained-{number}"), on=ON_PAPER)


def _every_case(report: Report) -> Iterator[Part]:
    """Yield the table of all cases: to search on the page, the first rows to unfold in Markdown."""
    constant, table = cases_table(report.cases, report.records)
    how = Text(text="Failed and skipped ones too, with their reasons. A heading sorts; words filter.", tone="muted")
    same = [Text(text=f"The same in all cases: {constant}.", tone="muted")] if constant else []
    yield Section(title="All cases", parts=(how, *same, table), on=ON_PAGE)
    yield Section(title=f"All {count(len(table.rows), 'case')}", parts=(*same, table), folded=True, on=IN_MARKDOWN)
