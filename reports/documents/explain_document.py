"""What `loaderbench explain` says: the interventions ranked by what they save, and the course of memory."""

import math
from collections.abc import Iterator, Mapping, Sequence

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
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.documents.tables import row
from loaderbench.reports.explain.explain_record import Explanation, LoaderMemory, Observation
from loaderbench.reports.explain.memory_growth import NOTABLE_BYTES, copied_bytes, memory_growth
from loaderbench.reports.explain.ranking import InterventionOutcome, RankedIntervention, Ranking
from loaderbench.reports.text import shell
from loaderbench.reports.units import count, interval, percent, quantity, signed_percent
from loaderbench.reports.vocabulary import METRICS

TITLE = "What would make this loader faster"
LEAST_SHARE = 0.005  # of a pass, that is worth a word
TONES: Mapping[InterventionOutcome, Tone] = {
    "helps": "good", "unclear": "warn", "no difference": "muted", "harms": "bad", "not run": "muted",
}  # fmt: skip

COLUMNS = (
    Column(label="cause"),
    Column(label="result"),
    Column(label="time of an epoch (95 %)", meaning="How much shorter or longer an epoch is without this cause."),
    Column(label="blocks", number=True, meaning="Fresh pairs of loaders, with the cause and without it."),
    Column(label="evidence, and what to change", wide=True, on=ON_TERMINAL),
    Column(label="evidence", wide=True, on=ON_PAPER),
    Column(label="what to change", wide=True, on=ON_PAPER),
)


def explain_document(ranking: Ranking) -> Document:
    """Return everything that the command says."""
    explanation = ranking.explanation
    return Document(
        title=TITLE,
        about=tuple(_about(ranking)),
        notices=tuple(_notices(explanation)),
        parts=(*_results(ranking), Code(code=shell(explanation.command), language="sh", on=ON_PAPER)),
    )


def explain_section(ranking: Ranking, name: str = "explained") -> Section:
    """Return the ranking as a section of a report; `name` is its anchor."""
    about = (Text(text=line, tone="muted") for line in _about(ranking))
    return Section(title="What would make it faster", name=name, parts=(*about, *_results(ranking)))


def _results(ranking: Ranking) -> tuple[Part, ...]:
    memory, observations = ranking.explanation.memory, ranking.explanation.observations
    return (
        Text(text=ranking.headline, strong=True),
        *_advice(ranking.best),
        Table(
            name="causes",
            columns=COLUMNS,
            rows=tuple(_row(intervention) for intervention in ranking.interventions),
            kinds=tuple(intervention.outcome.replace(" ", "-") for intervention in ranking.interventions),
        ),
        Items(items=tuple(map(_observed, observations))),
        Items(items=tuple(memory_sentences(memory)) if memory else ()),
    )


def _advice(best: RankedIntervention | None) -> Iterator[Part]:
    """Yield the call of DataLoader that saves most, and what else it does."""
    if best is None:
        return
    if best.call:
        yield Code(code=best.call, language="python")
    if best.caveat:
        yield Text(text=best.caveat, tone="warn")


def _observed(observation: Observation) -> str:
    return f"{observation.what}: {observation.evidence}. To change: {observation.change}"


def _row(intervention: RankedIntervention) -> tuple[Cell, ...]:
    outcome = intervention.outcome
    result = Cell(text=outcome, tone=TONES[outcome])
    if outcome == "not run":
        reason = Cell(text=intervention.reason, tone="muted")
        return row(intervention.cause, result, "", "", reason, reason, "")
    advice = " ".join(filter(None, (intervention.change, intervention.caveat and f"({intervention.caveat})")))
    to_change = advice if outcome in ("helps", "unclear") and not intervention.combines else ""
    return row(
        intervention.cause,
        result,
        Cell(text=gain(intervention), number=intervention.gain),
        intervention.blocks,
        Cell(text=intervention.evidence, note=to_change),
        intervention.evidence,
        advice,
    )


def gain(intervention: RankedIntervention) -> str:
    """Return by how much an epoch is shorter, and the interval of that.

    >>> gain(RankedIntervention(cause="x", outcome="helps", gain=0.25, low=0.2, high=0.3)).replace(chr(0x202f), " ")
    '−25 % (−30 % to −20 %)'
    """
    if not math.isfinite(intervention.low):
        return f"{_change(intervention.gain)} (too few blocks to tell)"
    return f"{_change(intervention.gain)} ({_change(intervention.high)} to {_change(intervention.low)})"


def _change(gain: float) -> str:
    return signed_percent(0.0 - gain)


def _notices(explanation: Explanation) -> Iterator[str]:
    if explanation.interrupted:
        memory = "" if explanation.memory else "; memory was not measured"
        yield f"Interrupted: ranked by what was measured until then{memory}."


def _about(ranking: Ranking) -> Iterator[str]:
    """Yield the loader, the machine, and where its time goes."""
    explanation = ranking.explanation
    arguments = ", ".join(f"{name}={value}" for name, value in explanation.loader.items())
    yield f"{explanation.dataset.name}: DataLoader({arguments})"
    yield machine_words(explanation.machine)
    yield _time_shares(explanation)
    if math.isfinite(ranking.epoch.seconds):
        yield _epoch_time(ranking)


def _time_shares(explanation: Explanation) -> str:
    """Return where the time of a pass goes, the largest share first."""
    shares = sorted(explanation.time_shares.items(), key=lambda share: -share[1])
    named = [
        f"{METRICS[name].label.removeprefix('waited: ')} {percent(share)}"
        for name, share in shares
        if name in METRICS and share >= LEAST_SHARE
    ]
    return f"time of a pass: {', '.join(named)}"


def _epoch_time(ranking: Ranking) -> str:
    read, samples = ranking.explanation.dataset.samples_read, ranking.explanation.dataset.samples
    scaled = "" if read == samples else f", from passes over {count(read, 'sample')}"
    start_s = ranking.epoch.start_s
    starts = f", {quantity(start_s, 's')} of it to start and end workers" if start_s else ""
    epoch = f"an epoch of {count(samples, 'sample')} takes"
    if not ranking.explanation.dataset.is_whole:
        epoch = f"the first {count(samples, 'sample')} of the stream, which goes on, take"
    return f"{epoch} {quantity(ranking.epoch.seconds, 's')}{scaled}{starts}"


def memory_sentences(memory: LoaderMemory) -> Iterator[str]:
    """Yield what memory does over the epochs, and what to do where it grows."""
    yield f"memory: {_growth(memory.readings.pss_bytes) if memory.readings else 'not measured'}"
    if memory.collections:
        yield _copies(memory)
    if memory.readings and memory.expected_shm_bytes:
        peak = quantity(max(0.0, memory.readings.peak_shm_bytes), "bytes")
        expected = quantity(memory.expected_shm_bytes, "bytes")
        yield f"shared memory: {peak} at its peak; {expected} for the batches in flight and the one in use"


def _growth(readings: Sequence[float]) -> str:
    growth = memory_growth(readings)
    added, epochs = quantity(growth.added_bytes, "bytes"), count(len(readings) - 1, "epoch")
    between = interval(growth.low_bytes, growth.high_bytes, "bytes")
    return {
        "grows": f"grows by {quantity(growth.slope_bytes, 'bytes')} an epoch ({between})",
        "settles": f"settles, after {added} in the first epochs",
        "flat": f"flat: {added} in {epochs}",
        "unclear": f"unclear: {added} in {epochs}",
    }[growth.course]


def _copies(memory: LoaderMemory) -> str:
    """Return what forked workers copy of the dataset's Python objects."""
    named = ", ".join(memory.collections)
    why = "workers copy the pages of the Python objects that they read (pytorch#13246)"
    remedy = "loaderbench.datasets.recipes.compact: CompactList, CompactDict"
    if not memory.in_objects:
        return f"copy-on-write: not measured. {named}: of many Python objects, and {why}; {remedy} has arrays for them"
    spared = copied_bytes(memory)
    between = f" ({interval(spared.low, spared.high, 'bytes')})" if math.isfinite(spared.low) else " (one reading)"
    less = f"with {named} in arrays ({remedy}) the loader adds {quantity(spared.mean, 'bytes')} less{between}"
    is_notable = spared.low > NOTABLE_BYTES if math.isfinite(spared.low) else spared.mean > NOTABLE_BYTES
    return f"copy-on-write: {less}: {why}" if is_notable else f"no notable copy-on-write: {less}"
