"""Taking turns: two processes measure the same cases, and a conductor says whose turn it is.

While it waits for its turn, a process does nothing at all: it is blocked in ``read``. Everything that takes time
(building datasets, warming up, measuring, ending workers) happens within a turn.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from loaderbench.datasets import validation as contract
from loaderbench.datasets.catalog import CATALOG


class Turns(Protocol):
    """What a session asks of the other side, if there is one."""

    def agree(self, what: str, value: int) -> int:
        """The number that both sides use for `what`, where this one would choose `value`."""

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Tell which cases there are; the names to run, in order. None: all, as they stand."""

    def wait(self, case: str, round_: int) -> None:
        """Wait for the turn to do round `round_` of `case`; -1 is its set-up and warm-up."""

    def leave(self) -> None:
        """All is done, and on disk: wait for the end."""


class Alone:
    """No other side: every turn is ours."""

    def agree(self, what: str, value: int) -> int:  # noqa: ARG002 - there is no one to agree with
        """`value`."""
        return value

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str] | None:  # noqa: ARG002
        """All cases, as they stand."""
        return None

    def wait(self, case: str, round_: int) -> None:
        """At once."""

    def leave(self) -> None:
        """At once."""


class Conducted:
    """One side of two: each question goes to the conductor as a line of JSON, and the answer is awaited."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)

    def agree(self, what: str, value: int) -> int:
        """What the side that was asked first chose."""
        return int(self._ask(agree=what, value=value))

    def introduce(self, cases: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Cases that both sides have, in the order of this block. Tells which files the code under test is from."""
        named = {str(case["settings"].get(axis)) for case in cases for axis in ("dataset", "collate_fn", "model")}
        origins = {name: origin(name) for name in sorted(named) if name in CATALOG or ":" in name}
        instrument = {"version": version("loaderbench"), "digest": digest()}
        return [str(name) for name in self._ask(cases=list(cases), origins=origins, instrument=instrument)]

    def wait(self, case: str, round_: int) -> None:
        """Blocks until the conductor grants the turn."""
        self._ask(case=case, round=round_)

    def leave(self) -> None:
        """Blocks until the conductor ends this process: to leave in good order takes seconds, and a core."""
        self._ask(leave=True)

    def _ask(self, **question: Any) -> Any:
        self._connection.send_bytes(json.dumps(question).encode())
        return json.loads(self._connection.recv_bytes())


def origin(name: str) -> str:
    """The file of the module that holds what is called `name` on the command line, once that has been loaded."""
    module = CATALOG[name].build.__module__ if name in CATALOG else name.partition(":")[0]
    return str(getattr(sys.modules[module], "__file__", None) or "")


def digest() -> str:
    """What tells this loaderbench from another: a hash of the source of its instrument and its datasets."""
    rooms = [Path(__file__).parents[1], Path(contract.__file__).parent]
    files = sorted((file.relative_to(room).as_posix(), file) for room in rooms for file in room.rglob("*.py"))
    held = hashlib.sha256()
    for name, file in files:
        held.update(name.encode() + file.read_bytes())
    return held.hexdigest()[:16]


def turns(descriptor: int | None) -> Turns:
    """The other side, at the other end of the inherited socket `descriptor`; None where there is none."""
    return Alone() if descriptor is None else Conducted(descriptor)
