"""The files of a prediction, and what is shown of it: the same tables as Markdown and on a terminal."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.explain.prediction import FED, MOST_WORKERS, Guess, Lookup
from loaderbench.reports.figures import predictions as figures
from loaderbench.reports.figures.style import svg
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.render.gate_exports import finite
from loaderbench.reports.render.markdown import table
from loaderbench.reports.text import markdown, plain, shell
from loaderbench.reports.units import MISSING, interval, percent, quantity

DOCUMENT = "whatif.json"
PAGE = "whatif.md"
FIGURE = "whatif.svg"


def outputs(found: Lookup) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    yield DOCUMENT, json.dumps(finite(asdict(found)), indent=1).encode()
    yield PAGE, "\n".join(_page(found)).encode()
    yield FIGURE, svg(figures.held_out(_cells(found)), "whatif").encode()


def _cells(found: Lookup) -> pd.DataFrame:
    """The held-out cells, a row each, for the figure."""
    return pd.DataFrame([asdict(cell) for cell in found.held_out])


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A table, and what must be known to read it."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(found: Lookup) -> Iterator[Shown]:
    """Yield what there is to show."""
    yield Shown(
        title="Measured, and not used",
        note=f"median error {percent(found.missed)}; 9 of 10 are missed by less than "
        f"{percent(math.expm1(found.widened))}",
        head=("workers", "batch", "measured", "predicted", "off by"),
        rows=[
            (
                str(cell.num_workers), str(cell.batch_size), quantity(cell.seconds, "s"),
                quantity(cell.predicted_s, "s"), _signed(cell.miss),
            )
            for cell in found.held_out
        ],
    )  # fmt: skip
    yield Shown(
        title="What would be",
        note="all ranks together, in a long pass; the interval holds what rounds differ by and what the model misses",
        head=("ranks", "CPUs", "workers a rank", "batch", "samples/s", "interval", "the step waits"),
        rows=[
            (
                str(each.setting.ranks), f"{each.setting.cpus:g}", str(each.setting.num_workers), str(each.batch_size),
                quantity(each.samples_per_s, ""), _rates(each),
                percent(each.waiting) if each.setting.step_s else MISSING,
            )
            for each in found.guesses
        ],
    )  # fmt: skip
    if found.answers:
        step_s = found.answers[0].setting.step_s
        yield Shown(
            title=f"Fewest workers that feed a step of {quantity(step_s, 's')}",
            note=f"so that it waits for less than {percent(FED)} of its time; none: not with {MOST_WORKERS} a CPU",
            head=("ranks", "CPUs", "batch", "workers a rank", "at best", "at worst"),
            rows=[
                (
                    str(each.setting.ranks), f"{each.setting.cpus:g}", str(each.batch_size),
                    *("none" if count is None else str(count) for count in (each.workers, each.best, each.worst)),
                )
                for each in found.answers
            ],
        )  # fmt: skip


def _rates(each: Guess) -> str:
    samples = each.setting.ranks * each.batch_size
    return interval(samples / each.high_s, samples / each.low_s, "") if each.low_s else MISSING


def _signed(share: float) -> str:
    return f"{'+' if share > 0 else ''}{percent(share)}"


def _about(found: Lookup) -> str:
    machine = machine_words(machine_facts(dict(found.about["machine"])))
    return f"{found.about['dataset']} · {machine} · {str(found.about['started'])[:10]}"


def _page(found: Lookup) -> Iterator[str]:
    yield from ("# What other settings would give", "", markdown(_about(found)), "")
    yield from ("```", shell([str(word) for word in found.about["command"]]), "```", "")
    yield from (f"![Measured and predicted]({FIGURE})", "")
    for shown in tables(found):
        yield from (f"## {shown.title}", "", markdown(shown.note), "")
        yield from table(shown.head, ([markdown(cell) for cell in row] for row in shown.rows))
        yield ""


def terminal(found: Lookup) -> RenderableType:
    """Show the tables on a terminal."""
    parts: list[RenderableType] = [Text(plain(_about(found)), style="dim")]
    for shown in tables(found):
        made = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for name in shown.head:
            made.add_column(name, justify="right")
        for row in shown.rows:
            made.add_row(*(Text(plain(cell)) for cell in row))
        parts += ["", Text(shown.title, style="bold"), Text(plain(shown.note), style="dim"), made]
    return Group(*parts)
