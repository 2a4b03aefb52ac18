"""What `loaderbench tune` says: the call to copy, what it gains, what is still open, and every setting tried."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from loaderbench.reports.documents.document import (
    ON_PAPER,
    ON_TERMINAL,
    Cell,
    Code,
    Column,
    Document,
    Items,
    Part,
    Section,
    Table,
    Text,
    Tone,
)
from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.documents.tables import amount, row
from loaderbench.reports.figures.tuning import THROUGHPUT_AGAINST_COSTS
from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.text import shell
from loaderbench.reports.tune.answer import Gain, SettingSummary, TuneAnswer
from loaderbench.reports.tune.block_costs import CostRatio
from loaderbench.reports.tune.claims import FEWEST_BLOCKS
from loaderbench.reports.tune.race import Status
from loaderbench.reports.tune.tune_record import COSTS, Objective, Tuned
from loaderbench.reports.units import MISSING, count, duration, interval, percent, quantity

TITLE = "The setting to use"
MOST_NAMED = 4  # settings in a sentence
MOST_ROWS = 12  # of the table, on a terminal
TONES: Mapping[Status, Tone] = {
    "open": "plain", "worse": "bad", "not needed": "muted", "not pursued": "warn", "lost": "bad", "compared": "muted",
}  # fmt: skip
COMPARED_WITHOUT_LENGTH: Mapping[Objective, str] = {
    "throughput": "settings are compared once batches flow",
    "cpu": "its CPU time is that of the part that is read",
}
COLUMNS = (
    Column(label="setting", wide=True),
    Column(
        label="result",
        meaning="Worse: shown to be; not needed: a smaller setting is shown to be as good; open, not pursued: there "
        "was no time to tell; compared: only because it is torch's or your own.",
    ),
    Column(label="cost", number=True),
    Column(label="over the recommended (95 %)", meaning="Without an interval where there are too few blocks for one."),
    Column(label="blocks", number=True, meaning="Turns around the settings in which it was measured."),
    Column(label="samples/s", number=True, meaning="Once batches flow."),
    Column(label="memory", number=True, meaning="PSS of all processes, the most of any trial."),
    Column(label="CPUs", number=True, meaning="Cores that all processes keep busy."),
)


def tune_document(tuned: Tuned) -> Document:
    """Return everything that the command says."""
    answer = TuneAnswer(tuned=tuned)
    return Document(
        title=TITLE,
        about=tuple(_about(tuned)),
        notices=tuple(_notices(tuned)),
        parts=(*_parts(answer), Code(code=shell(tuned.command), language="sh", on=ON_PAPER)),
    )


def _parts(answer: TuneAnswer) -> Iterator[Part]:
    yield Text(text=headline(answer), strong=True)
    tuned, recommended = answer.tuned, answer.recommended
    if recommended is not None:
        yield Code(code="\n".join([*recommended.imports, recommended.call]), language="python")
        yield Items(items=recommended.caveats, tone="warn")
        yield Items(items=(*_standing(tuned), *(_gained(gain, tuned.objective) for gain in answer.gains)))
    if answer.open_ones and recommended is not None:
        yield Text(text=_open(answer), tone="warn")
    if answer.summaries and recommended is not None:
        yield from filter(None, [drawn(THROUGHPUT_AGAINST_COSTS, _costs(answer))])
        yield _tried(answer)
    yield from _not_tried(tuned)


def headline(answer: TuneAnswer) -> str:
    """Return what is recommended, and whether it is shown to be as good as all others."""
    tuned, recommended = answer.tuned, answer.recommended
    if recommended is None:
        return "No setting could be measured: the reasons are below"
    cost = f"{quantity(answer.summary(recommended.name).cost_s, 's')} {COSTS[tuned.objective][1]}"
    tried = count(len(answer.summaries), "setting")
    others = [one.status for one in tuned.settings if one.name != recommended.name]
    if others and set(others) == {"lost"}:
        standing = f"of {tried} tried, all others were lost"
    elif tuned.is_shown:
        standing = f"the smallest of {tried} tried that is shown to be within {percent(MARGIN)} of the best"
    else:
        standing = f"the best so far of {tried} tried, but that is not shown yet"
    return f"Use {recommended.name}: {cost}; {standing}"


def _open(answer: TuneAnswer) -> str:
    return (
        f"Still open after {duration(answer.tuned.spent_s)}: {_few(answer.open_ones)}. "
        f"{_same_command(answer.tuned.command)} goes on from here; a larger --budget decides more."
    )


def _same_command(command: Sequence[str]) -> str:
    """Return how the command is called again so that it starts from this record.

    >>> _same_command(["loaderbench", "tune", "--fresh"])
    'The same command without --fresh'
    """
    fresh = " without --fresh" if "--fresh" in command else ""
    is_placed = any(word.partition("=")[0] == "--out" for word in command)
    out = f"{' and' if fresh else ''} with a new folder beside this one (--out)" if is_placed else ""
    return f"The same command{fresh}{out}"


def _standing(tuned: Tuned) -> Iterator[str]:
    """Yield whose setting it is that is recommended, where it is no new one."""
    if tuned.recommended == tuned.torchs:
        yield "These are torch's defaults"
    elif tuned.recommended == tuned.own:
        yield "This is your own setting"


def _gained(gain: Gain, objective: Objective) -> str:
    if objective == "cpu":
        return f"{gain.over} ({gain.setting}) take {_times(gain.ratio)} the CPU time"
    return f"{_times(gain.ratio)} as fast as {gain.over} ({gain.setting})"


def _times(cost: CostRatio, otherwise: str = " (too few blocks for an interval)") -> str:
    """Return a ratio with its interval, or `otherwise` where it has none.

    >>> _times(CostRatio(ratio=1.8, low=1.7, high=1.9, blocks=4))
    '1.80× (1.70× to 1.90×)'
    >>> _times(CostRatio(ratio=1.8, low=0.1, high=32.0, blocks=1))
    '1.80× (too few blocks for an interval)'
    """
    ratio = quantity(cost.ratio, "ratio")
    if math.isnan(cost.low) or cost.blocks == 1:
        return f"{ratio}{otherwise}"
    return f"{ratio} ({interval(cost.low, cost.high, 'ratio')})"


def _about(tuned: Tuned) -> Iterator[str]:
    length, read = count(tuned.samples, "sample"), tuned.batches * tuned.batch_samples
    passes = f"passes of {count(read, 'sample')} or more"
    epoch = f"an epoch of {length}{f', by {passes}' if read < tuned.samples else ''}"
    yield f"{tuned.dataset}: {epoch if tuned.is_length_known else passes}"
    yield machine_words(tuned.machine)
    fresh = len(tuned.trials) - tuned.earlier_trials
    limits = ", ".join(_limits(tuned))
    yield f"{count(fresh, 'trial')} in {duration(tuned.spent_s)}{'; ' if limits else ''}{limits}"


def _limits(tuned: Tuned) -> Iterator[str]:
    limits = tuned.limits
    for words, value, unit in (
        ("memory", limits.memory_bytes, "bytes"),
        ("shared memory", limits.shm_bytes, "bytes"),
        ("CPUs", limits.cpus, ""),
        ("workers", limits.workers, ""),
    ):
        if value is not None:
            yield f"{words} at most {quantity(value, unit)}"
    switches = {True: "on", False: "off"}
    yield from (
        f"{name}={switches[value] if isinstance(value, bool) else value} fixed" for name, value in tuned.fixed.items()
    )


def _notices(tuned: Tuned) -> Iterator[str]:
    if tuned.interrupted:
        yield "Interrupted: answered from what was measured until then."
    if tuned.earlier:
        yield f"Started from {count(tuned.earlier_trials, 'trial')} of {tuned.earlier}; --fresh does without them."
    if not tuned.is_length_known and tuned.objective in COMPARED_WITHOUT_LENGTH:
        yield f"The stream does not say how long an epoch is: {COMPARED_WITHOUT_LENGTH[tuned.objective]}."


def _costs(answer: TuneAnswer) -> pd.DataFrame:
    """Return a row for each setting that may be used, as the figure draws it."""
    return pd.DataFrame([
        {
            "name": one.setting.name,
            "samples_per_s": one.samples_per_s,
            "pss_bytes": one.pss_bytes,
            "busy_cpus": one.busy_cpus,
            "is_recommended": one.setting.name == answer.tuned.recommended,
        }
        for one in answer.summaries
        if one.setting.status != "lost"
    ])  # fmt: skip


def _tried(answer: TuneAnswer) -> Section:
    note = (
        f"Cost: seconds {COSTS[answer.tuned.objective][1]}. Each setting is compared with the recommended one within "
        f"the blocks that have both. To be as good is claimed of {FEWEST_BLOCKS} blocks at least."
    )
    table = Table(
        name="settings",
        columns=COLUMNS,
        rows=tuple(_row(one, answer.tuned.recommended) for one in answer.summaries),
        most_rows={"terminal": MOST_ROWS},
    )
    return Section(title="Every setting tried", name="tried", parts=(Text(text=note, on=ON_PAPER), table))


def _row(one: SettingSummary, recommended: str) -> tuple[Cell, ...]:
    name, status = one.setting.name, one.setting.status
    is_it = name == recommended
    return row(
        name,
        Cell(text="recommended" if is_it else status, tone="good" if is_it else TONES[status]),
        amount(one.cost_s, "s"),
        MISSING if is_it or not one.over_recommended.blocks else _times(one.over_recommended, ""),
        one.blocks,
        amount(one.samples_per_s, ""),
        amount(one.pss_bytes, "bytes"),
        Cell(text=f"{one.busy_cpus:.1f}", number=one.busy_cpus),
    )


def _not_tried(tuned: Tuned) -> Iterator[Part]:
    """Yield the settings that were lost or ruled out, those of one reason together: on a terminal, a few of them."""
    reasons: dict[str, list[str]] = {}
    for name, reason in (
        *((one.name, f"Lost ({one.reason})") for one in tuned.settings if one.status == "lost"),
        *((one.name, f"Not tried ({one.reason})") for one in tuned.ruled_out),
    ):
        reasons.setdefault(reason, []).append(name)
    if reasons:
        few = Items(items=tuple(f"{reason}: {_few(names)}" for reason, names in reasons.items()), on=ON_TERMINAL)
        all_of_them = Items(
            items=tuple(f"{reason}: {'; '.join(names)}" for reason, names in reasons.items()), on=ON_PAPER
        )
        yield Section(title="Settings that were lost or not tried", name="lost", parts=(few, all_of_them))


def _few(names: list[str]) -> str:
    """Return a few names, and how many more there are.

    >>> _few(["a", "b", "c", "d", "e", "f"])
    'a; b; c; d and 2 more'
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{'; '.join(names[:MOST_NAMED])}{more}"
