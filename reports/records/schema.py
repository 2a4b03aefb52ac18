"""What a run file may hold: one entry checked at a time, a fault told in one line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaderbench.reports.vocabulary import METRICS, SETTINGS

# The version of the "loaderbench" block and of each benchmark's extra_info that this reader knows.
# 1  loaderbench 0.1.0: bench, settings, facts, rounds, warmup; the run's machine, order, failed and skipped cases.
SCHEMA = 1

Scalar = str | int | float | bool
Columns = Mapping[str, NDArray[np.float64]]

IDENTITY = ("run", "case", "bench")
RESERVED = frozenset({*IDENTITY, "warmup", "round", "rounds", "status", "reason", "phase"})
LONGEST_TEXT = 1000  # characters: longer names are no names
MOST_NAMES = 64  # settings, facts or columns of one case
LARGEST = 1e18  # of any unit: an exabyte, or the age of the universe in seconds
SHORTEST_S = 1e-9  # no clock reads less


class MalformedError(ValueError):
    """An entry that cannot be used; the message is one line that names it and its fault."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A measured case: `rounds` and `warmup` hold equally long columns, in SI units, missing as NaN."""

    name: str
    bench: str
    settings: Mapping[str, Scalar]
    facts: Mapping[str, Scalar]
    rounds: Columns
    warmup: Columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """A case without figures: `status` is "failed" or "skipped"."""

    name: str
    bench: str
    settings: Mapping[str, Scalar]
    status: str
    reason: str
    phase: str = ""


def parse_case(entry: object) -> Case:
    """Check one of the file's benchmarks; raises MalformedError."""
    found = mapping(entry, "a benchmark")
    name = text(found.get("name"), "a benchmark's name")
    extra = mapping(found.get("extra_info"), f"{name}: extra_info")
    return Case(
        name=name,
        bench=text(extra.get("bench"), f"{name}: bench"),
        settings=_settings(extra.get("settings"), name),
        facts=_scalars(extra.get("facts") or {}, f"{name}: facts"),
        rounds=_rounds(extra.get("rounds"), f"{name}: rounds"),
        warmup=_columns(extra.get("warmup") or {}, f"{name}: warmup"),
    )


def parse_missed(entry: object, status: str) -> Missed:
    """Check one of the file's failed or skipped cases; raises MalformedError."""
    found = mapping(entry, f"a {status} case")
    name = text(found.get("name"), f"a {status} case's name")
    return Missed(
        name=name,
        bench=text(found.get("bench"), f"{name}: bench"),
        settings=_settings(found.get("settings") or {}, name),
        status=status,
        reason=_clean(found.get("reason"), f"{name}: reason")[:LONGEST_TEXT],
        phase=_clean(found.get("phase") or "", f"{name}: phase")[:LONGEST_TEXT],
    )


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object."""
    if value is None:
        raise MalformedError(f"{what} is missing")
    if not isinstance(value, dict):
        raise MalformedError(f"{what} must be an object, got {_kind(value)}")
    return value


def text(value: object, what: str) -> str:
    """Return `value` if it is a text that can be a name."""
    cleaned = _clean(value, what)
    if not cleaned or len(cleaned) > LONGEST_TEXT:
        raise MalformedError(f"{what} must have 1 to {LONGEST_TEXT} characters, got {len(cleaned)}")
    return cleaned


def scalar(value: object, what: str) -> Scalar:
    """Return `value` if it is a text, a switch or a finite number of sane size."""
    if isinstance(value, str):
        return text(value, what) if value else value
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not abs(value) <= LARGEST:  # NaN fails every comparison
            raise MalformedError(f"{what} must be finite and at most {LARGEST:g}, got {str(value)[:24]}")
        return value
    raise MalformedError(f"{what} must be a text, a number or a switch, got {_kind(value)}")


def _settings(value: object, name: str) -> dict[str, Scalar]:
    settings = _scalars(value, f"{name}: settings")
    for setting, held in settings.items():
        _check_setting(setting, held, name)
    return settings


def _check_setting(name: str, value: Scalar, case: str) -> None:
    where = f"{case}: {name}"
    if name in RESERVED or name in METRICS:
        raise MalformedError(f"{where} is the name of a metric, not of a setting")
    setting = SETTINGS.get(name)
    if setting is None:
        return
    if setting.kind == "switch" and not isinstance(value, bool):
        raise MalformedError(f"{where} must be true or false, got {_kind(value)}")
    if setting.kind == "name" and not isinstance(value, str):
        raise MalformedError(f"{where} must be a text, got {_kind(value)}")
    if setting.kind == "whole":
        if isinstance(value, bool) or not isinstance(value, int):
            raise MalformedError(f"{where} must be a whole number, got {_kind(value)}")
        if value < setting.least:
            raise MalformedError(f"{where} must be >= {setting.least}, got {value}")


def _scalars(value: object, what: str) -> dict[str, Scalar]:
    """Return the entries that are not null: missing is missing, however it is written."""
    held = _named(value, what)
    return {text(name, what): scalar(item, f"{what}.{name}") for name, item in held.items() if item is not None}


def _rounds(value: object, what: str) -> Columns:
    columns = _columns(value, what)
    if not any(len(column) for column in columns.values()):
        raise MalformedError(f"{what} are empty")
    return columns


def _columns(value: object, what: str) -> Columns:
    """Return equally long columns of numbers >= 0, null as NaN."""
    named = _named(value, what)
    for name, values in named.items():
        _check_list(values, f"{what}.{name}")
    lengths = {len(values) for values in named.values()}
    if len(lengths) > 1:
        listed = ", ".join(f"{name} {len(values)}" for name, values in list(named.items())[:4])
        raise MalformedError(f"{what} have columns of unequal length ({listed[:120]})")
    try:
        # At once, as thousands of cases have a dozen columns each.
        block = np.array(list(named.values()), dtype=np.float64)
    except OverflowError:
        raise MalformedError(f"{what} must be at most {LARGEST:g}") from None
    for suspect in _suspects(block):
        name = list(named)[suspect]
        _check_numbers(block[suspect], f"{what}.{name}", missing=named[name].count(None))
    return dict(zip(named, block, strict=True))


def _check_list(values: object, where: str) -> None:
    if not isinstance(values, list):
        raise MalformedError(f"{where} must be a list, got {_kind(values)}")
    if strange := set(map(type, values)) - {int, float, type(None)}:
        raise MalformedError(f"{where} must hold numbers, got {_kind(strange.pop()())}")


def _suspects(block: NDArray[np.float64]) -> list[int]:
    """Return the rows that are not plainly sound: most are, and need no second look."""
    if not block.size:
        return []
    sound = ((block >= SHORTEST_S) & (block <= LARGEST)).all(axis=1)
    return [int(row) for row in np.flatnonzero(~sound)]


def _check_numbers(numbers: NDArray[np.float64], where: str, *, missing: int) -> None:
    if np.isnan(numbers).sum() > missing:
        raise MalformedError(f"{where} holds NaN; a missing value is null")
    outside = numbers[(numbers < 0) | (numbers > LARGEST)]
    if len(outside):
        raise MalformedError(f"{where} must lie in 0 to {LARGEST:g}, got {outside[0]:g}")
    if where.endswith("seconds") and (numbers < SHORTEST_S).any():
        raise MalformedError(f"{where} must be > 0, got {np.nanmin(numbers):g}")


def _named(value: object, what: str) -> Mapping[str, Any]:
    held = mapping(value, what)
    if len(held) > MOST_NAMES:
        raise MalformedError(f"{what} must have at most {MOST_NAMES} entries, got {len(held)}")
    return held


def _clean(value: object, what: str) -> str:
    """Return a text that can be written as UTF-8: half a surrogate pair becomes a question mark."""
    if value is None:
        raise MalformedError(f"{what} is missing")
    if not isinstance(value, str):
        raise MalformedError(f"{what} must be a text, got {_kind(value)}")
    return value.encode("utf-8", "replace").decode("utf-8")


_KINDS: Mapping[type, str] = {
    dict: "an object", list: "a list", str: "a text", bool: "a switch", int: "a number", float: "a number",
    type(None): "null",
}  # fmt: skip


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)
