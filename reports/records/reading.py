"""Files that we wrote, read back: JSON checked against the type it must have, a fault told in one line.

Every file that a command reads (run.json, verdict.json, explain.json, calibration.json) has a type, a `msgspec.Struct`,
and goes through `read`. What is wrong in a file is a `MalformedError`; what is wrong in our own code is not caught.
"""

import re
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


class MalformedError(ValueError):
    """A file, or a part of one, that cannot be used; the message is one line that says where and why."""


class _Marked(msgspec.Struct):
    schema: int


def content_of(file: Path) -> bytes:
    """Return the bytes of a file; raises MalformedError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise MalformedError(f"cannot be read: {error.strerror or error}") from None


def decode(content: bytes | str, kind: type[T], what: str = "file") -> T:
    """Return JSON as `kind`; raises MalformedError naming the place, such as ``benchmarks[3].name``, and the fault."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise MalformedError(_place(str(error))) from None
    except msgspec.DecodeError as error:
        raise MalformedError(_torn(str(error), what)) from None
    except RecursionError:
        raise MalformedError(f"is not a usable JSON {what}: nested too deeply") from None


def convert(value: object, kind: type[T]) -> T:
    """Return a decoded JSON value as `kind`; raises MalformedError as `decode` does."""
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise MalformedError(_place(str(error))) from None


def read(file: Path, kind: type[T], *, schema: int, what: str) -> T:
    """Return the ``<what>.json`` in `file` as `kind`, of exactly this `schema`; raises MalformedError in one line."""
    content = content_of(file)
    held = decode(content, _Marked, what).schema
    if held != schema:
        raise MalformedError(f"has schema {held}; this loaderbench reads schema {schema}")
    return decode(content, kind, what)


def _place(said: str) -> str:
    """Put the place that msgspec names last first.

    >>> _place("Expected `int`, got `str` - at `$.benchmarks[3].rounds`")
    'benchmarks[3].rounds: expected int, got str'
    """
    fault, _, where = said.partition(" - at `")
    fault = fault.replace("`", "")
    place = re.sub(r"^\$\.?", "", where.rstrip("`"))
    return f"{place}: {fault[:1].lower()}{fault[1:]}" if place else f"{fault[:1].lower()}{fault[1:]}"


def _torn(said: str, what: str) -> str:
    if "truncated" in said:
        return "is cut off: it ends in the middle"
    return f"is not a JSON {what}: {said[:120]}"
