"""The prediction: what a loader's costs come to in settings that were not run, and how far that can be believed.

Costs are read at two batch sizes, and taken to be linear in between and beyond. Each round of readings is simulated by
itself; what the model misses on passes that were measured and not used is added to the interval.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loaderbench.reports.escaping import markdown, plain, shell
from loaderbench.reports.explain import figures
from loaderbench.reports.explain.simulation import Costs, Setting, batch_seconds, pass_seconds
from loaderbench.reports.files import machine_facts
from loaderbench.reports.markdown import table
from loaderbench.reports.provenance import machine_words
from loaderbench.reports.quantities import MISSING, interval, percent, quantity
from loaderbench.reports.theme import svg

DOCUMENT = "whatif.json"
PAGE = "whatif.md"
FIGURE = "whatif.svg"
FED = 0.03  # of a step: a loop that waits less is fed
SURE = 0.9  # of held-out cells are missed by less than the interval is widened
MOST_WORKERS = 4  # for each CPU, that are thought of


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What the batches of one pass took, and what its beginning did."""

    begin_s: float
    costs: tuple[Costs, ...]


Ledgers = Sequence[Mapping[int, Read]]  # of each round, by batch size: two of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A pass that was measured and not used: workers, batch size, seconds."""

    num_workers: int
    batch_size: int
    batches: int
    seconds: float
    rounds: tuple[float, ...] = ()
    predicted_s: float = math.nan

    @property
    def miss(self) -> float:
        """By what share the prediction is off."""
        return self.predicted_s / self.seconds - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """What a setting would do: seconds of a batch of one rank, and between what they lie."""

    setting: Setting
    batch_size: int
    batch_s: float
    low_s: float
    high_s: float

    @property
    def samples_per_s(self) -> float:
        """Of all ranks together."""
        return self.setting.ranks * self.batch_size / self.batch_s

    @property
    def waiting(self) -> float:
        """The share of a step's time that it waits."""
        return max(0.0, 1 - self.setting.step_s / self.batch_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The fewest workers that feed a step: likely, at best and at worst; None where none do."""

    setting: Setting
    batch_size: int
    workers: int | None
    best: int | None
    worst: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """Everything that was asked and answered."""

    about: Mapping[str, Any]
    held_out: tuple[Cell, ...]
    guesses: tuple[Guess, ...]
    answers: tuple[Answer, ...]

    @property
    def missed(self) -> float:
        """The median of what held-out cells are missed by, whichever way."""
        return median(abs(cell.miss) for cell in self.held_out)

    @property
    def widened(self) -> float:
        """What 9 of 10 of them are missed by at most, as a log ratio."""
        return widened(self.held_out)


def lookup(
    *,
    about: Mapping[str, Any],
    ledgers: Ledgers,
    held_out: Sequence[Cell],
    cpus: float,
    asked: Sequence[Setting],
    batch_sizes: Sequence[int],
    sample_bytes: float = 0.0,
) -> Lookup:
    """Predict what was held out, then what was asked, as surely as that went."""
    cells = tuple(
        replace(cell, predicted_s=_middle(ledgers, _here(cell, cpus), cell.batch_size, cell.batches))
        for cell in held_out
    )
    wide = widened(cells)
    guesses = [guess(ledgers, setting, size, wide, sample_bytes) for size in batch_sizes for setting in asked]
    machines = {(replace(setting, num_workers=0), size): None for size in batch_sizes for setting in asked}
    answers = [answer(ledgers, setting, size, wide, sample_bytes) for setting, size in machines if setting.step_s]
    return Lookup(about=about, held_out=cells, guesses=tuple(guesses), answers=tuple(answers))


def _here(cell: Cell, cpus: float) -> Setting:
    return Setting(num_workers=cell.num_workers, cpus=cpus)


def widened(cells: Sequence[Cell]) -> float:
    """What `SURE` of cells are missed by at most, as a log ratio."""
    return float(np.quantile([abs(math.log(cell.predicted_s / cell.seconds)) for cell in cells], SURE))


def costs_at(read: Mapping[int, Read], size: int, *, times: float = 1.0, sample_bytes: float = 0.0) -> list[Costs]:
    """Costs of batches of `size` samples: those of the larger size that was read, each part scaled to its line."""
    small, large = sorted(read)
    scales = {}
    for part in fields(Costs):
        low, high = (fmean(getattr(cost, part.name) for cost in read[each].costs) for each in (small, large))
        slope = (high - low) / (large - small) if large > small else 0.0
        scales[part.name] = max(0.0, high + slope * (size - large)) / high if high else 0.0
    return [
        Costs(
            **{name: times * scale * getattr(cost, name) for name, scale in scales.items() if name != "storage_bytes"},
            storage_bytes=times * size * sample_bytes,
        )
        for cost in read[large].costs
    ]


def _middle(ledgers: Ledgers, setting: Setting, size: int, batches: int) -> float:
    """A pass that was measured, by the costs of the middle round."""
    return median(
        pass_seconds(
            costs_at(read, size),
            replace(setting, begin_s=read[max(read)].begin_s if setting.num_workers else 0.0),
            batches,
        )
        for read in ledgers
    )


def guess(ledgers: Ledgers, setting: Setting, size: int, wide: float, sample_bytes: float = 0.0) -> Guess:
    """Predict one setting, in a long pass."""
    paces = [batch_seconds(costs_at(read, size, sample_bytes=sample_bytes), setting) for read in ledgers]
    return Guess(
        setting=setting,
        batch_size=size,
        batch_s=median(paces),
        low_s=max(setting.step_s, min(paces) * math.exp(-wide)),  # no loader makes the step faster
        high_s=max(paces) * math.exp(wide),
    )


def answer(ledgers: Ledgers, setting: Setting, size: int, wide: float, sample_bytes: float = 0.0) -> Answer:
    """Find the fewest workers that feed the step: with costs as read, and off by what the model misses."""
    read = sorted(ledgers, key=lambda each: fmean(cost.work_s for cost in each[max(each)].costs))[len(ledgers) // 2]
    likely, best, worst = (
        _fewest(costs_at(read, size, times=times, sample_bytes=sample_bytes), setting)
        for times in (1.0, math.exp(-wide), math.exp(wide))
    )
    return Answer(setting=setting, batch_size=size, workers=likely, best=best, worst=worst)


def _fewest(costs: Sequence[Costs], setting: Setting) -> int | None:
    most = max(1, math.ceil(MOST_WORKERS * setting.cpus / setting.ranks))
    paces = ((workers, batch_seconds(costs, replace(setting, num_workers=workers))) for workers in _ladder(most))
    return next((workers for workers, pace in paces if pace <= setting.step_s * (1 + FED)), None)


def _ladder(most: int) -> Iterator[int]:
    """Numbers of workers to try: each up to 16, then in steps of an eighth."""
    count = 0
    while count <= most:
        yield count
        count += 1 if count < 16 else count // 8  # noqa: PLR2004 - as the docstring says


def outputs(found: Lookup) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    yield DOCUMENT, json.dumps(_finite(asdict(found)), indent=1).encode()
    yield PAGE, "\n".join(_page(found)).encode()
    yield FIGURE, svg(figures.held_out(_cells(found)), "whatif").encode()


def _cells(found: Lookup) -> pd.DataFrame:
    """The held-out cells, a row each, for the figure."""
    return pd.DataFrame([asdict(cell) for cell in found.held_out])


def _finite(thing: Any) -> Any:
    """JSON has no infinity: storage without a limit is null."""
    if isinstance(thing, dict):
        return {key: _finite(part) for key, part in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_finite(part) for part in thing]
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing


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
    machine = machine_words(machine_facts(dict(found.about["machine"]), []))
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
