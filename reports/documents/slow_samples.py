"""The samples that took longest, as a section of the report."""

from collections.abc import Iterator

import pandas as pd

from loaderbench.reports.documents.document import Outputs, Section, Table, Text
from loaderbench.reports.documents.tables import amount, columns, numbers, row


def slow_samples_section(slowest: pd.DataFrame, on: Outputs) -> Iterator[Section]:
    """Yield the slowest samples of each dataset, as its newest case that read them one by one has them."""
    if slowest.empty:
        return
    newest = slowest.groupby("dataset", sort=False, dropna=False)[["run", "case"]].transform("last")
    shown = slowest[(slowest[["run", "case"]] == newest).all(axis="columns")]
    table = Table(
        name="slow-samples",
        columns=(*columns("dataset"), *numbers("sample", "takes", "of all samples")),
        rows=tuple(
            row(str(entry.dataset), int(entry.sample), amount(entry.seconds, "s"), amount(entry.share, "share"))
            for entry in shown.rename(columns={"index": "sample"}).itertuples(index=False)
        ),
    )
    how = "By their index; each was read on its own, in one process, when it had been read before."
    yield Section(title="Slowest samples", parts=(Text(text=how, tone="muted"), table), on=on)
