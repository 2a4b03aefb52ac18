"""What tools answered: a line of CSV for each case of a run, and the table that they come to.

A sample that takes a tenth longer slows a pass by less where workers read it, and hardly at all where a pass is mostly
transport. By how much is what all gates say together, the median of a case over all runs; a case that is slower by less
than the margin is none to be found, and the table says which those are.
"""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from loaderbench.reports.documents.document import Cell, Column, Document, Table
from loaderbench.reports.gate.calibration.replayed_gates import THROUGHPUT, Rate
from loaderbench.reports.gate.estimate import CHANGES
from loaderbench.reports.units import MISSING, duration, percent
from prove.live_gates.repository import DATASETS
from prove.live_gates.schedule import QUESTIONS, Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one tool said of one case; of a run that failed, `case` is empty and `fault` says why."""

    run: str
    noise: str
    question: str
    tool: str
    case: str = ""
    verdict: str = ""  # on its throughput
    effect: float = math.nan  # log ratio
    half_width: float = math.nan  # of the 95 % interval of the effect
    figures: int = 1  # metrics that were judged
    changed: int = 0  # of them, called changed
    unchanged: int = 0
    seconds: float = math.nan  # that the run took
    blocks: int = 0
    load: float = math.nan  # average, the greatest
    fault: str = ""


def of_verdicts(run: Run, document: Mapping[str, Any], seconds: float) -> list[Answer]:
    """Return the answers in a gate's ``verdict.json``, a case each."""
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for verdict in document["verdicts"]:
        by_case.setdefault(verdict["case"], []).append(verdict)
    loads = [seen["load"] for block in document["blocks"] for seen in block["telemetry"].values() if "load" in seen]
    return [
        Answer(
            **_about(run),
            case=case,
            **_throughput(verdicts),
            figures=len(verdicts),
            changed=sum(verdict["verdict"] in CHANGES for verdict in verdicts),
            unchanged=sum(verdict["verdict"] == "unchanged" for verdict in verdicts),
            seconds=round(seconds, 1),
            blocks=len(document["blocks"]),
            load=max(loads, default=math.nan),
        )
        for case, verdicts in by_case.items()
    ]


def _throughput(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    of_speed = next((verdict for verdict in verdicts if verdict["metric"] == THROUGHPUT), verdicts[0])
    low, high = of_speed.get("low"), of_speed.get("high")
    effect = of_speed.get("effect")
    return {
        "verdict": of_speed["verdict"],
        "effect": math.nan if effect is None else effect,
        "half_width": math.nan if low is None or high is None else (high - low) / 2,
    }


def of_slower(
    run: Run, effects: Mapping[str, float], slower: Iterable[str], faster: Iterable[str], seconds: float
) -> list[Answer]:
    """Return the answers of a tool that says which cases became slower or faster, and nothing of the others."""
    verdicts = {**dict.fromkeys(faster, "improved"), **dict.fromkeys(slower, "regressed")}
    return [
        Answer(
            **_about(run),
            case=case,
            verdict=verdicts.get(case, "unchanged"),
            effect=effect,
            changed=int(case in verdicts),
            unchanged=int(case not in verdicts),
            seconds=round(seconds, 1),
        )
        for case, effect in effects.items()
    ]


def of_failure(run: Run, fault: str, seconds: float) -> list[Answer]:
    """Return that a run failed."""
    return [Answer(**_about(run), figures=0, seconds=round(seconds, 1), fault=fault)]


def _about(run: Run) -> dict[str, Any]:
    return {"run": run.name, "noise": run.noise, "question": run.question.name, "tool": run.tool}


def covered(documents: Iterable[Mapping[str, Any]]) -> Rate:
    """Count the 95 % intervals in gates (``verdict.json``) of identical code that hold 0, the truth."""
    known = (verdict for document in documents for verdict in document["verdicts"] if verdict.get("low") is not None)
    return Rate.among(verdict["low"] <= 0 <= verdict["high"] for verdict in known)


def append(file: Path, answers: Sequence[Answer]) -> None:
    """Add the answers of a run to the CSV."""
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Answer)])
        if is_new:
            writer.writeheader()
        writer.writerows(asdict(answer) for answer in answers)


def read(file: Path) -> list[Answer]:
    """Return all answers in the CSV; none where it was never begun."""
    if not file.exists():
        return []
    kinds = {field.name: type(getattr(_EMPTY, field.name)) for field in fields(Answer)}
    with file.open(newline="", encoding="utf-8") as stream:
        return [Answer(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(stream)]


_EMPTY = Answer(run="", noise="", question="", tool="")

_QUESTIONS = {question.name: question for question in QUESTIONS}
_WORKLOAD = re.compile(rf"({'|'.join(DATASETS)})\D+(\d+)\D+(\d+)")
COLUMNS = ("noise", "code, budget", "tool", "runs", "as it should be", "called changed", "± (median)", "took", "blocks")


def document(answers: Sequence[Answer], about: Sequence[str]) -> Document:
    """Return the table: a row for each kind of noise, question and tool."""
    effects = _effects(answers)
    rows = [tuple(Cell(text=text) for text in row) for row in _rows(answers, effects)]
    failed = tuple(f"{answer.run}: {answer.fault}" for answer in answers if answer.fault)
    columns = tuple(Column(label=label) for label in COLUMNS)
    return Document(
        title="Whole gates",
        about=(*about, *_slower(effects)),
        notices=failed,
        parts=(Table(columns=columns, rows=tuple(rows)),),
    )


def _effects(answers: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Return for each question about slower code, and each workload, the effect on throughput that all gates saw."""
    seen: dict[str, dict[str, list[float]]] = {}
    for answer in answers:
        if _QUESTIONS[answer.question].expected == "regressed" and math.isfinite(answer.half_width):
            seen.setdefault(answer.question, {}).setdefault(workload(answer.case), []).append(answer.effect)
    return {
        question: {name: median(effects) for name, effects in sorted(of_name.items())}
        for question, of_name in seen.items()
    }


def _slower(effects: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for question, of_workload in effects.items():
        each = ", ".join(f"{name} {percent(math.expm1(effect))}" for name, effect in of_workload.items())
        yield f"{_QUESTIONS[question].text}: throughput, by the median of all gates: {each}"


def workload(case: str) -> str:
    """Return what a case reads, by whichever tool it was named.

    >>> [workload(case) for case in ("epoch[loadercases.Text-workers=0-batch=32]", "'Text', 0, 32", "epoch[Text-0-32]")]
    ['Text 0 32', 'Text 0 32', 'Text 0 32']
    """
    named = _WORKLOAD.search(case)
    return " ".join(named.groups()) if named else case


def _is_to_be_found(answer: Answer, effects: Mapping[str, Mapping[str, float]]) -> bool:
    """Return whether the case became slower by more than the margin, as far as that is known."""
    effect = effects.get(answer.question, {}).get(workload(answer.case), -math.inf)
    return math.expm1(effect) < -float(_QUESTIONS[answer.question].margin.rstrip("%")) / 100


def _rows(answers: Sequence[Answer], effects: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows: of identical code, figures called unchanged are as they should be; else slower cases found."""
    of_row: dict[tuple[str, str, str], list[Answer]] = {}
    for answer in answers:
        if not answer.fault:
            of_row.setdefault((answer.noise, answer.question, answer.tool), []).append(answer)
    order = list(_QUESTIONS)
    for (noise, name, tool), cases in sorted(
        of_row.items(), key=lambda row: (row[0][0], order.index(row[0][1]), row[0][2])
    ):
        question = _QUESTIONS[name]
        if question.expected == "unchanged":
            right, of = sum(case.unchanged for case in cases), sum(case.figures for case in cases)
        else:
            slower = [case for case in cases if _is_to_be_found(case, effects)]
            right, of = sum(case.verdict == question.expected for case in slower), len(slower)
        widths = [case.half_width for case in cases if math.isfinite(case.half_width)]
        taken = {case.run: (case.seconds, case.blocks) for case in cases}
        yield (
            noise,
            question.text,
            tool,
            str(len(taken)),
            f"{right} of {of}",
            f"{sum(case.changed > 0 for case in cases)} of {len(cases)}",
            percent(math.expm1(median(widths))) if widths else MISSING,
            duration(median(seconds for seconds, _ in taken.values())),
            f"{median(blocks for _, blocks in taken.values()):.0f}",
        )
