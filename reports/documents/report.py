"""A report: records read, summarised, judged and drawn; every output is made from it."""

from dataclasses import dataclass

import pandas as pd

from loaderbench.reports.documents.verdict import Verdict, verdict
from loaderbench.reports.explain.ranking import Ranking
from loaderbench.reports.figures.catalogue import Picture, pictures
from loaderbench.reports.records.frame import Records
from loaderbench.reports.records.schema import Run
from loaderbench.reports.stats.recommendation import recommend
from loaderbench.reports.stats.summary import latest, summarise


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything the outputs show."""

    records: Records
    cases: pd.DataFrame
    """One row for each run and case: `summary.summarise`."""
    verdicts: tuple[Verdict, ...]
    """One for each dataset and device."""
    pictures: tuple[Picture, ...]
    explained: tuple[Ranking, ...] = ()
    """What ``loaderbench explain`` found, where the report was given it."""

    @property
    def run(self) -> Run:
        """The newest run: verdicts and figures show its cases where it has them."""
        return self.records.runs[-1]


def assemble(records: Records) -> Report:
    """Make a report of records."""
    cases = summarise(records.frame)
    current = latest(cases)
    runs = {run.name: run for run in records.runs}
    found = recommend(current)
    return Report(
        records=records,
        cases=cases,
        verdicts=tuple(verdict(each, runs[each.run]) for each in found),
        pictures=tuple(pictures(current)),
    )
