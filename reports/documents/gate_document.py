"""The document of a comparison, for ``loaderbench gate`` and ``compare``: the answer, every verdict, its conditions."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from loaderbench.reports.documents.document import (
    EVERYWHERE,
    ON_PAGE,
    ON_PAPER,
    ON_TERMINAL,
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
from loaderbench.reports.documents.drawing import drawn
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.documents.tables import amount, numbers, row
from loaderbench.reports.figures.change_intervals import CHANGES, change_table
from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.outputs import sentences, verdict_file
from loaderbench.reports.gate.paired_effects import REVISIONS
from loaderbench.reports.gate.verdicts import VERDICTS, CaseVerdict
from loaderbench.reports.text import shell
from loaderbench.reports.units import MISSING, count, duration, percent, quantity
from loaderbench.reports.vocabulary import ExitCode

MARKER = "loaderbench gate"  # by which a CI job finds its own comment, and updates it instead of writing another
MOST_UNCHANGED = 12  # in a terminal's table: more of them are a number
MOST_NOTICES = 8
MOST_EMBEDDED = 4_000_000  # characters of the page's data: with more samples than that, they are in verdict.json alone

_COLUMNS = (
    Column(label="verdict"),
    Column(label="case", wide=True),
    Column(label="metric"),
    *numbers("base", "head", "change (95 % interval)", "n"),
)
_BLOCK_COLUMNS = numbers("block", "time", "load", "stolen", "throttled periods", "switches, base", "switches, head")
_TERMS = (
    (
        "block",
        (
            "A fresh pair of processes, one of each revision, which measure the same cases in turns, in shuffled "
            "order. Blocks, not rounds, are counted: two processes differ by more than two rounds of one."
        ),
    ),
    ("n", "Blocks that measured the case; where recorded runs are compared, runs of each revision."),
    (
        "base, head",
        (
            "Medians over blocks. Of a block: for a speed or a time the mean of the faster half of the rounds, for CPU "
            "time the mean of all, for memory and shares the median."
        ),
    ),
    (
        "change",
        (
            "Of a block head over base, as they are above, or, where that varies less, over pairs of rounds that ran "
            "next to each other (Hodges and Lehmann); of memory and shares the median over pairs. Over blocks the "
            "mean, trimmed where there are many, and its 95 % interval. It need not be the quotient of the medians."
        ),
    ),
    *((kind.name, kind.meaning) for kind in VERDICTS.values()),
    ("CPU time", "Of all processes of the loader, for each sample."),
)


def gate_document(comparison: Comparison) -> Document:
    """Return what a comparison has to say."""
    changes = drawn(CHANGES, change_table(comparison))
    return Document(
        title=f"loaderbench {comparison.setup.kind}",
        about=(machine_words(comparison.setup.machine), sentences.effort(comparison)),
        marker=MARKER,
        parts=(
            _answer(comparison),
            Section(title="Verdicts", name="verdicts", parts=tuple(_verdicts(comparison.verdicts))),
            *([Section(title="Figures", parts=(changes,), on=ON_PAGE)] if changes else []),
            Section(title="Conditions", name="conditions", parts=tuple(_conditions(comparison)), on=ON_PAGE),
            Section(title="Terms", name="terms", parts=(Terms(terms=_TERMS),), on=ON_PAGE),
        ),
        footer=(f"Every sample in its order: {verdict_file.FILE_NAME}.",),
        data={"verdict": _data(comparison)},
    )


def _answer(comparison: Comparison) -> Callout:
    counts, command = comparison.counts, shell(comparison.setup.command)
    repeats = Code(code=command, language="sh", note="This command repeats the comparison.", on=ON_PAPER)
    notices = list(sentences.notices(comparison))
    if more := len(notices[MOST_NOTICES:]):
        notices[MOST_NOTICES:] = [f"and {count(more, 'more notice')}"]
    conditions = sentences.conditions(comparison)
    known = (
        sentences.noise_floor(comparison),
        sentences.calibrated(comparison),
        f"Meanwhile: {conditions}." if conditions else "",
    )
    return Callout(
        headline=comparison.headline,
        subject=f"{comparison.setup.head} against {comparison.setup.base}",
        tone=_tone(comparison),
        faults=tuple(comparison.faults),
        bars=tuple(
            Bar(label=name, value=str(number), share=number / max(counts.values()), kind=name)
            for name, number in counts.items()
        ),
        evidence=" ".join(filter(None, known)),
        code=repeats if command else None,
        doubts=tuple(notices),
    )


def _tone(comparison: Comparison) -> Tone:
    if comparison.exit_code in (ExitCode.BAD_ANSWER, ExitCode.REFUSED):
        return "bad"
    unsure = comparison.is_interrupted or {"inconclusive", "unproven"} & comparison.counts.keys()
    return "warn" if unsure else "good"


def _verdicts(verdicts: Sequence[CaseVerdict]) -> Iterator[Part]:
    """Yield what a reader must act on, then the rest folded away; a terminal lists a few of those, or their number."""
    to_act_on = [verdict for verdict in verdicts if verdict.kind.needs_action]
    others = [verdict for verdict in verdicts if not verdict.kind.needs_action]
    if to_act_on:
        yield _table(to_act_on, "verdicts")
    else:
        yield Text(text="No action is needed.", tone="muted", on=ON_PAPER)
    if others:
        title = ", ".join(f"{number} {name}" for name, number in Counter(v.verdict for v in others).items())
        yield Section(title=title, folded=True, parts=(_table(others, "others"),), on=ON_PAPER)
        is_short = len(others) <= MOST_UNCHANGED
        yield (
            _table(others, "others", ON_TERMINAL)
            if is_short
            else Text(text=f"and {title}", tone="muted", on=ON_TERMINAL)
        )


def _table(verdicts: Sequence[CaseVerdict], name: str, on: Outputs = EVERYWHERE) -> Table:
    return Table(
        columns=_COLUMNS,
        rows=tuple(_row(verdict) for verdict in verdicts),
        kinds=tuple(verdict.verdict for verdict in verdicts),
        name=name,
        on=on,
    )


def _row(verdict: CaseVerdict) -> tuple[Cell, ...]:
    """Return a verdict's cells, in the order of `_COLUMNS`; its reason stands below the case."""
    tone, estimate, why = verdict.kind.tone, verdict.estimate, verdict.why
    numbers_of = row("", "", "", "")
    if estimate is not None:
        is_settled = verdict.candidate or verdict.verdict not in ("unchanged", "inconclusive")
        why = "; ".join(filter(None, [why, "" if is_settled else sentences.detectable(estimate)]))
        numbers_of = row(
            amount(estimate.base, estimate.unit),
            amount(estimate.head, estimate.unit),
            Cell(text=sentences.change_of(estimate), number=estimate.effect, tone=tone),
            estimate.blocks,
        )
    about = row(Cell(text=verdict.verdict, tone=tone), Cell(text=verdict.case, note=why), verdict.label)
    return (*about, *numbers_of)


def _conditions(comparison: Comparison) -> Iterator[Part]:
    yield Terms(terms=tuple(_condition_terms(comparison)))
    if comparison.blocks:
        rows = tuple(_block_row(number, block) for number, block in enumerate(comparison.blocks, start=1))
        title = "Every block: time, load, CPU time stolen, throttling, switches"
        yield Section(title=title, folded=True, parts=(Table(columns=_BLOCK_COLUMNS, rows=rows, name="blocks"),))


def _condition_terms(comparison: Comparison) -> Iterator[tuple[str, str]]:
    plan, setup = comparison.plan, comparison.setup
    yield "started", f"{_time(setup.started)}, with loaderbench {setup.version or MISSING}"
    if comparison.blocks:
        yield "environment", _environment(comparison)
        yield "machine", sentences.conditions(comparison)
    yield "margin", f"{percent(plan.margin)}: what is too small to matter; a cold start has four times it"
    if comparison.blocks:
        after = f"after {', '.join(map(str, comparison.analyses))} blocks" if comparison.analyses else "none"
        confirmed = f"each to be confirmed by {count(plan.confirming_blocks, 'fresh block')}"
        rate = f"{percent(plan.candidate_rate)} false candidate changes over all of them"
        yield "interim analyses", f"{after}; {rate}, {confirmed}"
        yield "seed", str(setup.seed)
    yield "controls", f"moved: {', '.join(comparison.moved)}" if comparison.moved else "did not move"
    if known := sentences.calibrated(comparison):
        yield "calibration", known


def _time(started: str) -> str:
    """Return when it was, to the minute, from a time as ISO 8601 has it.

    >>> _time("2026-11-27T06:56:31.391362+00:00")
    '2026-11-27 06:56 UTC'
    """
    try:
        return datetime.fromisoformat(started).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:  # it was read from a file
        return MISSING


def _environment(comparison: Comparison) -> str:
    if not comparison.setup.fixed_environment:
        return "as it was found (--as-is)"
    variables = comparison.blocks[0].get("environment") or {}
    words = [f"{name}={value}" for name, value in variables.items() if name != "PYTHONHASHSEED"]
    return f"fixed: both revisions on the same cores, {' '.join(words)}".rstrip(", ")


def _block_row(number: int, block: Mapping[str, Any]) -> tuple[Cell, ...]:
    load, steal, throttled = (
        next(iter(sentences.telemetry_of([block], name)), math.nan)
        for name in ("load", "steal_share", "throttled_periods")
    )
    switches = (_switches(block["telemetry"].get(revision, {})) for revision in REVISIONS)
    return row(
        number, duration(block["seconds"]), f"{load:.1f}", quantity(steal, "share"), f"{throttled:.0f}", *switches
    )


def _switches(seen: Mapping[str, float]) -> str:
    known = [seen[name] for name in ("voluntary_switches", "involuntary_switches") if name in seen]
    return " + ".join(f"{number:.0f}" for number in known) or MISSING


def _data(comparison: Comparison) -> dict[str, Any]:
    """Return ``verdict.json`` for the page, without its samples where they are too many."""
    text = verdict_file.encode(comparison)
    data: dict[str, Any] = json.loads(text)
    if len(text) > MOST_EMBEDDED:
        data["blocks"] = [{**block, "samples": []} for block in data["blocks"]]
        data["left_out"] = f"every sample is in {verdict_file.FILE_NAME}"
    return data
