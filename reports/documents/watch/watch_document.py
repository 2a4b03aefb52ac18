"""What `loaderbench watch` says: for each loader whether its loops wait for it, for what, and what to do next."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from loaderbench.reports.documents.document import Cell, Column, Document, Items, Part, Table, Text, Tone
from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.documents.tables import amount, row
from loaderbench.reports.documents.watch.loader_section import loader_section
from loaderbench.reports.documents.watch.ranks import parts_of_ranks
from loaderbench.reports.figures.watch import STEPS, steps_table
from loaderbench.reports.text import shell
from loaderbench.reports.units import MISSING, count, interval, percent, quantity
from loaderbench.reports.watch.loops import joint_share
from loaderbench.reports.watch.ranks import most_waiting
from loaderbench.reports.watch.verdict import LoopVerdict, Outcome, judge, speedup, worst
from loaderbench.reports.watch.watch_record import Watched

TONES: Mapping[Outcome, Tone] = {
    "bottleneck": "bad", "not the bottleneck": "good", "unclear": "warn", "not read": "muted",
}  # fmt: skip
COLUMNS = (
    Column(label="loader", meaning="The line that made it."),
    Column(label="dataset"),
    Column(label="workers", number=True),
    Column(label="steps", number=True),
    Column(label="waiting", number=True, meaning="Share of its loops spent waiting for a batch."),
    Column(label="interval (95 %)", meaning="Its interval over blocks of successive steps."),
    Column(label="median wait", number=True),
    Column(label="95 % of waits below", number=True),
    Column(label="longest", number=True),
    Column(label="verdict"),
)
TOO_FEW = "these steps are too few, or too unlike, to say the same of a longer run; watch more of them"
MOST_SECTIONS = 4


def watch_document(watched: Watched, ranks: Sequence[Watched] = ()) -> Document:
    """Return everything that the command says about one process, and of `ranks`, itself among them, who waits.

    Of several ranks it is about the one that waits for data the longest.
    """
    world_size = watched.world_size
    watched = most_waiting(ranks) or watched
    verdicts = [judge(loader) for loader in watched.loaders]
    read = [verdict for verdict in verdicts if verdict.outcome != "not read"]
    by_waiting = sorted(read, key=lambda verdict: -verdict.times.lost_s)
    steps = drawn(STEPS, steps_table(by_waiting))
    return Document(
        title=f"What the loops of {watched.script} wait for",
        about=(machine_words(watched.machine), _course(watched)),
        notices=tuple(_notices_of_all(ranks or [watched])),
        parts=(
            *parts_of_ranks(ranks, world_size, watched.rank),
            *_headline(worst(verdicts), is_one=len(read) == 1),
            *_together(read),
            Table(name="loaders", columns=COLUMNS, rows=tuple(_row(verdict) for verdict in verdicts)),
            *(loader_section(verdict) for verdict in by_waiting[:MOST_SECTIONS]),
            Items(items=tuple(_memory(watched))),
            *([steps] if steps else []),
        ),
        footer=("Every step: watch.json. As any other run: run.json.",),
    )


def _course(watched: Watched) -> str:
    steps = sum(loader.steps for loader in watched.loaders)
    of_many = f"rank {watched.rank} of {watched.world_size}: " if watched.world_size > 1 else ""
    command = shell(watched.command) or watched.script
    return f"{of_many}{count(steps, 'step')} were seen in {quantity(watched.seconds, 's')} of: {command}"


def _notices_of_all(ranks: Sequence[Watched]) -> Iterator[str]:
    for watched in ranks:
        whose = f"Rank {watched.rank}: " if len(ranks) > 1 else ""
        yield from (f"{whose}{notice}" for notice in _notices(watched))


def _notices(watched: Watched) -> Iterator[str]:
    failures = [loader.failure for loader in watched.loaders if loader.failure]
    same = next((failure for failure in failures if _head(failure) == _head(watched.why)), "")
    if watched.ending == "interrupted":  # while a loader was waited for, the last of them
        same = next((failure for failure in reversed(failures) if failure.startswith("KeyboardInterrupt")), "")
    why = f": {same or watched.why}" if same or watched.why else ""
    if watched.ending in {"interrupted", "failed"}:
        by = "ended" if watched.why.startswith("sys.exit(") else "ended by an error"
        ended = {"interrupted": "interrupted", "failed": by}[watched.ending]
        yield f"The script was {ended}{why}. This is what was seen until then."
    if watched.ending == "running":
        yield "The script was still running when this was written, or was killed later."
    if watched.ending == "stopped":
        yield f"The script was ended{why or ' early, as --steps or --seconds asked'}."
    for loader in watched.loaders:
        if loader.failure and loader.failure != same:
            yield f"{loader.name}: {loader.failure}"
        kept = sum(len(epoch.received_s) for epoch in loader.epochs)
        if loader.steps > kept:
            yield f"{loader.name}: of {count(loader.steps, 'step')} the first {kept} are in the record."


def _head(failure: str) -> str:
    """Return type and message of an error, without what is known of its place."""
    return failure.partition(" (")[0]


def _headline(verdict: LoopVerdict | None, *, is_one: bool) -> Iterator[Part]:
    if verdict is None:
        return
    share = percent(verdict.waiting.share)
    name = verdict.loader.name
    waits = f"the loop over {name} waits {share} of its time for data"
    if verdict.times.device_idle_s is not None:
        waits = f"in the loop over {name} the GPU is idle {share} of the time for lack of data"
    text = {
        "bottleneck": f"Loading is the bottleneck: {waits}.",
        "not the bottleneck": f"Loading is not the bottleneck: {waits}.",
        "unclear": f"Unclear: {waits}; {TOO_FEW}.",
    }[verdict.outcome]
    yield Text(text=text + _at_most(verdict, is_one=is_one), strong=True, tone=TONES[verdict.outcome])


def _together(read: Sequence[LoopVerdict]) -> Iterator[Part]:
    """Yield what all loops wait together, where there are several: one may be short, or wait within another."""
    if len(read) > 1:
        share = joint_share([verdict.loader for verdict in read])
        most = quantity(speedup(share), "ratio")
        whose = "both" if len(read) == 2 else f"all {len(read)}"  # noqa: PLR2004
        loops = f"The loops over {whose} loaders wait {percent(share)} of their time together"
        yield Text(text=f"{loops}: if all were free they would be {most} as fast at most.")


def _at_most(verdict: LoopVerdict, *, is_one: bool) -> str:
    """Return by how much the loop would be faster at most; nothing where the steps are too few to say."""
    waiting = verdict.waiting
    if math.isnan(waiting.low):
        return ""
    free = "loading" if is_one else "this loader"
    most = f" If {free} were free it would be {quantity(waiting.most_speedup, 'ratio')} as fast at most"
    if math.isinf(speedup(waiting.high)):
        return f"{most} ({quantity(speedup(waiting.low), 'ratio')} or more, 95 %)."
    return f"{most} ({interval(speedup(waiting.low), speedup(waiting.high), 'ratio')}, 95 %)."


def _row(verdict: LoopVerdict) -> tuple[Cell, ...]:
    loader, waits = verdict.loader, verdict.times.waits
    workers = str(loader.facts.get("num_workers", MISSING))
    tone = TONES[verdict.outcome]
    if not len(waits):
        return row(loader.name, loader.dataset, workers, *[MISSING] * 6, verdict.outcome)
    waiting = verdict.waiting
    between = MISSING if math.isnan(waiting.low) else interval(waiting.low, waiting.high, "share")
    return row(
        loader.name,
        loader.dataset,
        workers,
        loader.steps,
        amount(waiting.share, "share", tone=tone),
        between,
        *(amount(float(np.quantile(waits, share)), "s") for share in (0.5, 0.95, 1.0)),
        verdict.outcome,
    )


def _memory(watched: Watched) -> Iterator[str]:
    if len(watched.memory) > 1:
        sizes = [size for _, size in watched.memory]
        first, last, most = (quantity(size, "bytes") for size in (sizes[0], sizes[-1], max(sizes)))
        yield f"memory of all processes (PSS): {first} at first, {last} at last, {most} at most"
