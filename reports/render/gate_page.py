"""A judgement as one HTML file that needs nothing else: style, figures and the verdict document are inside."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from loaderbench.reports.documents import gate_wording as lines
from loaderbench.reports.figures.catalogue import Picture
from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.render.gate_exports import finite
from loaderbench.reports.render.page import rendered, sections
from loaderbench.reports.units import MISSING, count, percent

KINDS = ("metric", "word", "number", "number", "number", "number")  # of the columns between case and why
BLOCK_COLUMNS = ("block", "time", "load", "stolen", "throttled periods", "switches, base", "switches, head")
MOST_EMBEDDED = 4_000_000  # characters of the document: with more samples than that, they are in verdict.json alone
MOODS = {0: "good", 1: "bad", 2: "bad", 3: ""}  # by exit code


def gate_page(held: Judgement, pictures: Iterable[Picture]) -> str:
    """Render a judgement, and its pictures, as HTML."""
    calm = [row for row in held.rows if row.word in lines.FOLDED]
    return rendered(
        "gate.html",
        styles=("report.css", "gate.css"),
        scripts=("copy.js",),
        title=held.headline,
        about=held.about,
        headline=held.headline,
        mood="" if held.exit_code == 0 and "inconclusive" in held.counts else MOODS[held.exit_code],
        faults=held.faults,
        notices=list(lines.notices(held)),
        counts=held.counts,
        most=max(held.counts.values(), default=1),
        noise_floor=lines.noise_floor(held),
        command=lines.command(held),
        machine=lines.machine(held),
        effort=lines.effort(held),
        columns=list(zip(lines.COLUMNS[1:-1], KINDS, strict=True)),
        pressing=_rows(row for row in held.rows if row.word not in lines.FOLDED),
        calm=_rows(calm),
        calm_title=lines.folded_title(calm),
        sections=sections(pictures),
        conditions=list(_conditions(held)),
        block_columns=BLOCK_COLUMNS,
        blocks=list(_blocks(held)),
        document=_document(held),
    )


def _rows(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Rows as the template shows them: the reason stands below the case."""
    found: list[dict[str, object]] = []
    for row in rows:
        case, *cells, why = lines.cells(row)
        found.append({"word": row.word, "case": case, "why": why, "cells": list(zip(KINDS, cells, strict=True))})
    return found


def _conditions(held: Judgement) -> Iterator[tuple[str, str]]:
    plan, about = held.plan, held.about
    yield "started", f"{about.started or MISSING}, with loaderbench {about.version or MISSING}"
    if held.blocks:
        yield "environment", _environment(held)
    if seen := lines.conditions(held):
        yield "machine", seen
    yield "margin", f"{percent(plan.margin)}: what is too small to care about; a cold start has four times it"
    if held.blocks:
        yield "looks", _looks(held)
        yield "seed", str(about.seed)
    yield "controls", f"moved: {', '.join(held.moved)}" if held.moved else "did not move"
    if known := lines.calibrated(held):
        yield "calibration", known


def _looks(held: Judgement) -> str:
    plan = held.plan
    after = f"after {', '.join(map(str, held.looks))} blocks, " if held.looks else "none, "
    return (
        f"{after}planned when the first block had been measured; {percent(plan.rate)} false suspicions over all of "
        f"them, each to be confirmed by {count(plan.fresh, 'fresh block')}"
    )


def _environment(held: Judgement) -> str:
    found = held.blocks[0].get("environment") if held.blocks else None
    if not held.about.controlled:
        return "as it was found (--as-is)"
    words = [f"{name}={value}" for name, value in found.items() if name != "PYTHONHASHSEED"] if found else []
    return f"controlled: both sides on the same cores, {' '.join(words)}".rstrip(", ")


def _blocks(held: Judgement) -> Iterator[tuple[str, ...]]:
    for number, block in enumerate(held.blocks, start=1):
        seen = lines.telemetry([block])
        yield (
            str(number),
            lines.duration(block["seconds"]),
            *(f"{load:.1f}" for load in seen.load or (math.nan,)),
            *(percent(share) for share in seen.steal_share or (math.nan,)),
            *(f"{periods:.0f}" for periods in seen.throttled or (math.nan,)),
            *(_switches(block, side) for side in ("base", "head")),
        )


def _switches(block: Mapping[str, Any], side: str) -> str:
    found = block.get("telemetry", {}).get(side, {})
    known = [found[name] for name in ("voluntary_switches", "involuntary_switches") if name in found]
    return " + ".join(f"{number:.0f}" for number in known) or MISSING


def _document(held: Judgement) -> Markup:
    """Return ``verdict.json`` for the inside of a script element, which it cannot end."""
    document = finite(held.document())
    if len(json.dumps(document["blocks"])) > MOST_EMBEDDED:
        document["blocks"] = [{**block, "samples": []} for block in document["blocks"]]
        document["left_out"] = "every sample is in verdict.json"
    return htmlsafe_json_dumps(document, separators=(",", ":"))
