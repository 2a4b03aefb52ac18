"""The samples that took longest, as a section of the report."""

from collections.abc import Iterator

import pandas as pd

from loaderbench.reports.documents.document import ON_PAPER, Section, Table, Text
from loaderbench.reports.documents.tables import amount, columns, numbers, row

COLUMNS = ("dataset", "index", "seconds", "share")


def slow_samples_section(slowest: pd.DataFrame) -> Iterator[Section]:
    """Yield the slowest samples of each dataset, as its newest case that read them one by one has them."""
    if slowest.empty:
        return
    newest = slowest.groupby("dataset", sort=False, dropna=False)[["run", "case"]].transform("last")
    shown = slowest[(slowest[["run", "case"]] == newest).all(axis="columns")]
    table = Table(
        name="slow-samples",
        columns=(*columns("dataset"), *numbers("sample", "takes", "of all samples")),
        rows=tuple(
            row(str(dataset), int(index), amount(seconds, "s"), amount(share, "share"))
            for dataset, index, seconds, share in zip(*(shown[name].tolist() for name in COLUMNS), strict=True)
        ),
    )
    how = "By index. Each was read on its own, in one process, after it had been read once before."
    yield Section(title="Slowest samples", parts=(Text(text=how, tone="muted"), table), on=ON_PAPER)
