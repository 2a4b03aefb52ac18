"""The document of a comparison, for ``loaderbench gate`` and ``compare``: the answer, every verdict, its conditions."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from loaderbench.reports.documents.document import (
    EVERYWHERE,
    ON_PAPER,
    Bar,
    Callout,
    Cell,
    Code,
    Column,
    Document,
    Outputs,
    Part,
    Section,
    Table,
    Terms,
    Text,
    Tone,
)
from loaderbench.reports.documents.pictures import figure_of
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.figures.gate import comparison_pictures
from loaderbench.reports.gate import verdict_file, wording
from loaderbench.reports.gate.comparison import BROKEN, REGRESSED, Comparison
from loaderbench.reports.gate.verdicts import VERDICTS, CaseVerdict
from loaderbench.reports.records.files import machine_facts
from loaderbench.reports.units import MISSING, count, duration, percent, quantity

MARKER = "loaderbench gate"  # by which a CI job finds its own comment, and updates it instead of writing another
MOST_UNCHANGED = 12  # in a terminal's table: more of them are a number
MOST_NOTICES = 8
MOST_EMBEDDED = 4_000_000  # characters of the page's data: with more samples than that, they are in verdict.json alone
TERMINAL: Outputs = frozenset({"terminal"})
HTML: Outputs = frozenset({"html"})

_COLUMNS = (
    Column(label="verdict"),
    Column(label="case", wide=True),
    Column(label="metric"),
    Column(label="base", number=True),
    Column(label="head", number=True),
    Column(label="change (95 % interval)", number=True),
    Column(label="n", number=True),
)
_BLOCK_COLUMNS = ("block", "time", "load", "stolen", "throttled periods", "switches, base", "switches, head")
_BLOCK = (
    "A fresh pair of processes, one of each revision, which measure the same cases in turns, in shuffled order. "
    "Blocks, not rounds, are counted: two processes differ by more than two rounds of one."
)
_CHANGE = (
    "Of each block the median over pairs of rounds that ran next to each other; over blocks their mean, trimmed where "
    "there are many, and its 95 % interval. It need not be the quotient of the medians."
)
_READING = (
    ("block", _BLOCK),
    ("n", "Blocks that measured the case; where recorded runs are compared, runs of each revision."),
    ("base, head", "Medians over blocks, each of them the median of its rounds."),
    ("change", _CHANGE),
    *((kind.name, kind.meaning) for kind in VERDICTS.values()),
    ("CPU time", "Of all processes of the loader, a sample."),
)


def gate_document(comparison: Comparison) -> Document:
    """Return what a comparison has to say."""
    pressing = [verdict for verdict in comparison.verdicts if not verdict.kind.is_calm]
    calm = [verdict for verdict in comparison.verdicts if verdict.kind.is_calm]
    drawn = tuple(figure_of(picture) for picture in comparison_pictures(comparison))
    return Document(
        title=f"loaderbench {comparison.setup.kind}",
        about=(machine_of(comparison), wording.effort(comparison)),
        marker=MARKER,
        parts=(
            _answer(comparison),
            Section(title="Verdicts", name="verdicts", parts=tuple(_verdicts(pressing, calm))),
            *([Section(title="Figures", parts=drawn, on=HTML)] if drawn else []),
            Section(title="Conditions", name="conditions", parts=tuple(_conditions(comparison)), on=HTML),
            Section(title="Reading", name="reading", parts=(Terms(terms=_READING),), on=HTML),
        ),
        footer=(f"Every sample in its order: {verdict_file.NAME}.",),
        data={"verdict": _data(comparison)},
    )


def machine_of(comparison: Comparison) -> str:
    """Return the name of the machine."""
    facts = machine_facts(comparison.setup.machine)
    return machine_words(facts) if facts else "machine unknown"


def _answer(comparison: Comparison) -> Callout:
    counts, command = comparison.counts, wording.command_of(comparison)
    notices = list(wording.notices(comparison))
    more = len(notices) - MOST_NOTICES
    seen = wording.conditions(comparison)
    known = (wording.noise_floor(comparison), wording.calibrated(comparison), f"Meanwhile: {seen}." if seen else "")
    return Callout(
        headline=comparison.headline,
        subject=f"{comparison.setup.head} against {comparison.setup.base}",
        tone=_tone(comparison),
        faults=tuple(comparison.faults),
        bars=tuple(
            Bar(label=name, value=str(number), share=number / max(counts.values()), kind=name)
            for name, number in counts.items()
        ),
        evidence=" ".join(text for text in known if text),
        code=Code(code=command, language="sh", note="This command repeats the comparison.", on=ON_PAPER)
        if command
        else None,
        doubts=(*notices[:MOST_NOTICES], *([f"and {count(more, 'more notice')}"] if more > 0 else [])),
    )


def _tone(comparison: Comparison) -> Tone:
    if comparison.exit_code in (REGRESSED, BROKEN):
        return "bad"
    unsure = comparison.is_interrupted or {"inconclusive", "unproven"} & comparison.counts.keys()
    return "warn" if unsure else "good"


def _verdicts(pressing: Sequence[CaseVerdict], calm: Sequence[CaseVerdict]) -> Iterator[Part]:
    """Yield what a reader must act on, then the rest folded away; a terminal lists a few of those, or their number."""
    if pressing:
        yield _table(pressing, "verdicts")
    else:
        yield Text(text="Nothing here calls for action.", tone="muted", on=ON_PAPER)
    if not calm:
        return
    numbers = Counter(verdict.verdict for verdict in calm)
    title = ", ".join(f"{number} {name}" for name, number in numbers.items())
    yield Section(title=title, folded=True, parts=(_table(calm, "calm"),), on=ON_PAPER)
    if len(calm) <= MOST_UNCHANGED:
        yield _table(calm, "calm", on=TERMINAL)
    else:
        yield Text(text=f"and {title}", tone="muted", on=TERMINAL)


def _table(verdicts: Iterable[CaseVerdict], name: str, on: Outputs = EVERYWHERE) -> Table:
    listed = tuple(verdicts)
    return Table(
        columns=_COLUMNS,
        rows=tuple(_row(verdict) for verdict in listed),
        kinds=tuple(verdict.verdict for verdict in listed),
        name=name,
        on=on,
    )


def _row(verdict: CaseVerdict) -> tuple[Cell, ...]:
    """Return a verdict's cells, in the order of `_COLUMNS`; its reason stands below the case."""
    name = Cell(text=verdict.verdict, tone=verdict.kind.tone)
    estimate = verdict.estimate
    if estimate is None:
        return (name, Cell(text=verdict.case, note=verdict.why), Cell(text=verdict.label), *[Cell(text="")] * 4)
    unit = wording.unit_of(estimate)
    why = verdict.why or (wording.detectable(estimate) if verdict.verdict == "unchanged" else "")
    return (
        name,
        Cell(text=verdict.case, note=why),
        Cell(text=verdict.label),
        Cell(text=quantity(estimate.base, unit), number=estimate.base),
        Cell(text=quantity(estimate.head, unit), number=estimate.head),
        Cell(text=wording.change_of(estimate), number=estimate.effect, tone=verdict.kind.tone),
        Cell(text=str(estimate.blocks), number=estimate.blocks),
    )


def _conditions(comparison: Comparison) -> Iterator[Part]:
    yield Terms(terms=tuple(_condition_terms(comparison)))
    if comparison.blocks:
        table = Table(
            columns=tuple(Column(label=label, number=True) for label in _BLOCK_COLUMNS),
            rows=tuple(_block_row(number, block) for number, block in enumerate(comparison.blocks, start=1)),
            name="blocks",
        )
        title = "Every block: time, load, CPU time stolen, throttling, switches"
        yield Section(title=title, folded=True, parts=(table,))


def _condition_terms(comparison: Comparison) -> Iterator[tuple[str, str]]:
    plan, setup = comparison.plan, comparison.setup
    yield "started", f"{setup.started or MISSING}, with loaderbench {setup.version or MISSING}"
    if comparison.blocks:
        yield "environment", _environment(comparison)
    if seen := wording.conditions(comparison):
        yield "machine", seen
    yield "margin", f"{percent(plan.margin)}: what is too small to matter; a cold start has four times it"
    if comparison.blocks:
        yield "looks", _looks(comparison)
        yield "seed", str(setup.seed)
    yield "controls", f"moved: {', '.join(comparison.moved)}" if comparison.moved else "did not move"
    if known := wording.calibrated(comparison):
        yield "calibration", known


def _looks(comparison: Comparison) -> str:
    plan = comparison.plan
    after = f"after {', '.join(map(str, comparison.looks))} blocks" if comparison.looks else "none"
    return (
        f"{after}, planned when the first block had been measured; {percent(plan.suspicion_rate)} false suspicions "
        f"over all of them, each to be confirmed by {count(plan.confirming_blocks, 'fresh block')}"
    )


def _environment(comparison: Comparison) -> str:
    if not comparison.setup.controlled:
        return "as it was found (--as-is)"
    variables = comparison.blocks[0].get("environment") or {}
    words = [f"{name}={value}" for name, value in variables.items() if name != "PYTHONHASHSEED"]
    return f"controlled: both revisions on the same cores, {' '.join(words)}".rstrip(", ")


def _block_row(number: int, block: Mapping[str, Any]) -> tuple[Cell, ...]:
    seen = wording.telemetry_of([block])
    load, steal, throttled = (next(iter(values), math.nan) for values in (seen.load, seen.steal_share, seen.throttled))
    texts = (
        str(number),
        duration(block["seconds"]),
        f"{load:.1f}",
        percent(steal) if math.isfinite(steal) else MISSING,
        f"{throttled:.0f}",
        *(_switches(block, revision) for revision in ("base", "head")),
    )
    return tuple(Cell(text=text) for text in texts)


def _switches(block: Mapping[str, Any], revision: str) -> str:
    reading = block.get("telemetry", {}).get(revision, {})
    known = [reading[name] for name in ("voluntary_switches", "involuntary_switches") if name in reading]
    return " + ".join(f"{number:.0f}" for number in known) or MISSING


def _data(comparison: Comparison) -> dict[str, Any]:
    """Return ``verdict.json`` for the page, without its samples where they are too many."""
    text = verdict_file.encode(comparison)
    data: dict[str, Any] = json.loads(text)
    if len(text) > MOST_EMBEDDED:
        data["blocks"] = [{**block, "samples": []} for block in data["blocks"]]
        data["left_out"] = f"every sample is in {verdict_file.NAME}"
    return data
