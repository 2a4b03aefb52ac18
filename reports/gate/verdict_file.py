"""``verdict.json`` read back: strictly, and far enough to judge its samples again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from loaderbench.reports.gate.comparison import SCHEMA, About, Judgement, Noise, judgement
from loaderbench.reports.gate.estimate import is_control
from loaderbench.reports.gate.sequential import Block, Plan, Trial
from loaderbench.reports.records.files import parsed
from loaderbench.reports.records.reading import MalformedError, content_of, mapping, text
from loaderbench.reports.records.schema import LARGEST, LONGEST_TEXT, MOST_NAMES

KINDS = ("gate", "compare")
SIDES = ("base", "head")
PLACES = ("round", "place")  # of a sample, whole numbers
DEEPEST = 3  # of a machine's facts
MOST_SAMPLES = 1_000_000  # of one file


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A comparison as it was recorded."""

    about: About
    plan: Plan
    blocks: tuple[Block, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]

    def judged(self, plan: Plan | None = None) -> Judgement:
        """Judge the recorded blocks again: with the recorded plan, the verdicts are the recorded ones.

        Another plan has no more blocks than these to look at.
        """
        trial = _Replay(plan=plan or self.plan, measure=_handed_out(self.blocks), held=len(self.blocks))
        trial.run()
        return judgement(trial, self.about, new=self.new, gone=self.gone)


@dataclass(kw_only=True)
class _Replay(Trial):
    """A trial of blocks that are there already; it ends with them."""

    held: int

    def _goes_on(self) -> bool:
        return len(self.blocks) < self.held and super()._goes_on()


def _handed_out(blocks: Iterable[Block]) -> Callable[[set[str] | None], Block]:
    """Return what measures: the next block, of the cases asked for and the controls."""
    left = iter(blocks)

    def measure(keys: set[str] | None) -> Block:
        block = next(left)
        if keys is None:
            return block
        return {
            **block,
            **{name: [one for one in block[name] if _is_asked(one, keys)] for name in ("samples", "missed")},
        }

    return measure


def _is_asked(entry: Mapping[str, Any], keys: set[str]) -> bool:
    return entry["case"] in keys or is_control(entry["case"])


def read_verdict(file: Path) -> Recorded:
    """Read a ``verdict.json``; raises MalformedError, in one line, where any of it is not what was written."""
    held = parsed(content_of(file), "file", "verdict")
    schema = held.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise MalformedError(f"has schema {str(schema)[:24]!r}; this loaderbench reads schema {SCHEMA}")
    verdicts = [mapping(one, "a verdict") for one in _list(held.get("verdicts"), "verdicts")]
    new, gone = (
        tuple(text(one.get("case"), "a verdict's case") for one in verdicts if one.get("verdict") == word)
        for word in ("new", "gone")
    )
    blocks = tuple(_block(one) for one in _list(held.get("blocks"), "blocks"))
    if not blocks:
        raise MalformedError("has no blocks to judge again; recorded runs are compared anew from their own files")
    numbers = [block["block"] for block in blocks]
    if twice := [number for number in numbers if numbers.count(number) > 1]:
        raise MalformedError(f"block {twice[0]} is there twice")
    if sum(len(block["samples"]) for block in blocks) > MOST_SAMPLES:
        raise MalformedError(f"has more than {MOST_SAMPLES} samples")
    return Recorded(about=_about(held), plan=_plan(held.get("plan")), blocks=blocks, new=new, gone=gone)


def _about(held: Mapping[str, Any]) -> About:
    if held.get("kind") not in KINDS:
        raise MalformedError(f"kind must be one of {', '.join(KINDS)}, got {str(held.get('kind'))[:24]!r}")
    found: dict[str, Any] = {
        "kind": held["kind"],
        "command": tuple(_text(word, "a word of the command") for word in _list(held.get("command"), "command")),
        "seed": _whole(held.get("seed"), "seed"),
    }
    found |= {name: _text(held.get(name), name) for name in ("base", "head", "started", "version")}
    found |= {name: _switch(held.get(name), name) for name in ("controlled", "strict", "accept_gone")}
    found["machine"] = _facts(mapping(held.get("machine"), "machine"), "machine")
    return About(**found, noise=read_noise(held.get("noise")))


def read_noise(value: object) -> Noise | None:
    """Read a calibration's figures; None where there are none."""
    if not value:
        return None
    held = mapping(value, "noise")
    return Noise(
        measured=_text(held.get("measured"), "noise.measured"),
        needed_s=_known(_numbers(mapping(held.get("needed_s"), "noise.needed_s"), "noise.needed_s")),
        **{name: _whole(held.get(name), f"noise.{name}") for name in ("blocks", "false_cases", "of_cases")},
    )


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {name: number for name, number in numbers.items() if number is not None}


def _plan(value: object) -> Plan:
    held = mapping(value, "plan")
    known = {field.name: field.type for field in fields(Plan)}
    if strange := sorted({*held} ^ {*known}):
        raise MalformedError(f"plan must have exactly {', '.join(known)}; {strange[0][:40]!r} differs")
    found: dict[str, Any] = {
        name: _whole(held[name], f"plan.{name}") if kind is int else _number(held[name], f"plan.{name}")
        for name, kind in known.items()
    }
    for name, least in (("growth", 1), ("margin", 0), ("budget_s", 0), ("rate", 0), ("error", 0), ("first", 0)):
        if not found[name] > least:
            raise MalformedError(f"plan.{name} must be > {least}, got {found[name]}")
    return Plan(**found)


def _block(value: object) -> Block:
    held = mapping(value, "a block")
    where = f"block {_whole(held.get('block'), 'a block')}"
    return {
        "block": held["block"],
        "seconds": _number(held.get("seconds"), f"{where}: seconds"),
        "environment": _texts(held.get("environment"), f"{where}: environment"),
        "telemetry": {
            _text(side, where): _numbers(mapping(seen, f"{where}: telemetry"), f"{where}: telemetry")
            for side, seen in mapping(held.get("telemetry"), f"{where}: telemetry").items()
        },
        "faults": _texts(held.get("faults"), f"{where}: faults"),
        "missed": [_missed(one, where) for one in _list(held.get("missed"), f"{where}: missed")],
        "samples": [_sample(one, where) for one in _list(held.get("samples"), f"{where}: samples")],
        "machine": _facts(mapping(held.get("machine"), f"{where}: machine"), f"{where}: machine"),
    }


def _sample(value: object, where: str) -> dict[str, Any]:
    held = mapping(value, f"{where}: a sample")
    about: dict[str, Any] = {
        "case": text(held.get("case"), f"{where}: a sample's case"),
        "side": _side(held.get("side"), where),
    }
    about |= {name: _whole(held.get(name), f"{where}: {name} of {about['case']}") for name in PLACES}
    measured = {name: one for name, one in held.items() if name not in about}
    return {**about, **_numbers(measured, f"{where}: {about['case']}")}


def _missed(value: object, where: str) -> dict[str, str]:
    held = mapping(value, f"{where}: a missed case")
    if held.get("status") not in {"failed", "skipped"}:
        raise MalformedError(f"{where}: a missed case's status must be failed or skipped")
    return {
        "case": text(held.get("case"), f"{where}: a missed case"),
        "side": _side(held.get("side"), where),
        "status": held["status"],
        "reason": _text(held.get("reason"), f"{where}: a reason"),
    }


def _side(value: object, where: str) -> str:
    if value not in SIDES:
        raise MalformedError(f"{where}: side must be base or head, got {str(value)[:24]!r}")
    return str(value)


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise MalformedError(f"has no list of {what}")
    return value


def _text(value: object, what: str) -> str:
    """Return a text that may be empty, or long."""
    if not isinstance(value, str):
        raise MalformedError(f"{what} must be a text, got {str(value)[:24]!r}")
    return value.encode("utf-8", "replace").decode("utf-8")


def _texts(value: object, what: str) -> dict[str, str]:
    return {_text(name, what): _text(one, what) for name, one in mapping(value, what).items()}


def _switch(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedError(f"{what} must be true or false, got {str(value)[:24]!r}")
    return value


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise MalformedError(f"{what} must be a whole number >= 0, got {str(value)[:24]!r}")
    return value


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise MalformedError(f"{what} must be a finite number >= 0, got {str(value)[:24]!r}")
    return value


def _numbers(held: Mapping[str, Any], what: str) -> dict[str, float | None]:
    """Return named numbers; null is missing."""
    if len(held) > MOST_NAMES:
        raise MalformedError(f"{what} must have at most {MOST_NAMES} entries, got {len(held)}")
    return {name: one if one is None else _number(one, f"{what}: {name[:80]}") for name, one in held.items()}


def _facts(held: Mapping[str, Any], what: str, depth: int = DEEPEST) -> dict[str, Any]:
    """Return facts that are shown and never judged: texts, numbers and switches, in objects and lists."""
    return {name[:LONGEST_TEXT]: _fact(one, what, depth) for name, one in held.items()}


def _fact(value: object, what: str, depth: int) -> object:
    if depth and isinstance(value, dict):
        return _facts(value, what, depth - 1)
    if depth and isinstance(value, list):
        return [_fact(one, what, depth - 1) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) <= LARGEST:
        return value
    return _text(value, what)
