"""Files that we wrote, read back: JSON checked against the type it must have, a fault reported in one line.

Every file that a command reads (run.json, verdict.json, explain.json, calibration.json) has a type, a `msgspec.Struct`,
and goes through `read`, or through `parse` and `convert` where a faulty part must not cost the rest. What is wrong in a
file is a `MalformedError`; what is wrong in our own code is not caught.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MISSING_FIELD = re.compile(r"Object missing required field `(\w+)`")


class MalformedError(ValueError):
    """A file, or a part of one, that cannot be used; the message is one line that says where and why.

    The file itself is named by whoever was given its path: of a folder, by `in_file`.
    """


def read(file: Path, kind: type[T], *, schema: int, what: str) -> T:
    """Return the ``<what>.json`` in `file` as `kind`, of exactly this `schema`; raises MalformedError."""
    document = parse(content_of(file))
    require_schema(document, schema, what)
    return convert(document, kind)


@contextmanager
def in_file(name: str) -> Iterator[None]:
    """Name the file, and where in it, before the faults that are found meanwhile."""
    try:
        yield
    except MalformedError as fault:
        raise MalformedError(f"{name}: {fault}") from None


def content_of(file: Path) -> bytes:
    """Return the bytes of a file; raises MalformedError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise MalformedError(f"cannot be read: {error.strerror or error}") from None


def parse(content: bytes, what: str = "file") -> Any:
    """Return JSON as plain values; raises MalformedError.

    The standard library parses it, not msgspec: it says line and column, and takes NaN and half a surrogate pair, so
    that they spoil the entry that holds them and not the file. Half a pair becomes a question mark, as no file and no
    database could hold it.
    """
    try:
        value = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedError(f"is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg:
            raise MalformedError("is cut off: it ends in the middle") from None
        raise MalformedError(f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists without end
        raise MalformedError(f"is not a usable JSON {what}: {str(error)[:80]}") from None
    if _SURROGATE.search(content):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def require_schema(document: object, schema: int, what: str) -> None:
    """Raise MalformedError unless `document` is a loaderbench `what` (such as "verdict") of exactly this `schema`."""
    if not isinstance(document, dict) or "schema" not in document:
        raise MalformedError(f"is not a loaderbench {what}: it has no schema")
    number = document["schema"]
    if number != schema or type(number) is not int:
        raise MalformedError(f"has schema {repr(number)[:24]}; this loaderbench reads schema {schema}: measure again")


def convert(value: object, kind: type[T], where: str = "") -> T:
    """Return a parsed JSON value as `kind`.

    Raises MalformedError that names the place, after `where`, and the fault: ``bench_epoch[x]: rounds[3]: expected …``.
    """
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise MalformedError(_fault(str(error), " ".join(where.split()))) from None


def convert_each(values: Mapping[str, object], kind: type[T], where: str) -> dict[str, T]:
    """Return the values of an object, each as `kind`; raises MalformedError that names the faulty one after `where`."""
    try:
        return msgspec.convert(values, type=dict[str, kind])  # type: ignore[valid-type]  # at once is ten times as fast
    except msgspec.ValidationError:
        return {name: convert(value, kind, where + name) for name, value in values.items()}


def _fault(message: str, where: str = "") -> str:
    """Put the place that msgspec names last first.

    >>> _fault("Expected `int`, got `str` - at `$.benchmarks[3].rounds`")
    'benchmarks[3].rounds: expected int, got str'
    >>> _fault("Expected `float` >= 0.0 - at `$[1]`", "bench_epoch[x]: seconds")
    'bench_epoch[x]: seconds[1]: expected float >= 0.0'
    >>> _fault("Object missing required field `name` - at `$.dataset`")
    'dataset.name is missing'
    """
    fault, _, path = message.partition(" - at `")
    path = path.rstrip("`").removeprefix("key` in `").removeprefix("$")
    place = where + path if path.startswith("[") else ": ".join(filter(None, (where, path.removeprefix("."))))
    if missing := _MISSING_FIELD.fullmatch(fault):
        separator = "." if path else ": "
        return f"{place}{separator if place else ''}{missing[1]} is missing"
    fault = fault.replace("`", "")
    return f"{place}{': ' if place else ''}{fault[:1].lower()}{fault[1:]}"
