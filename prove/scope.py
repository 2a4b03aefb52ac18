"""How much a topic measures, where it leaves its files, and whom it tells how far it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A value in the goal's unit, and what it is made of."""

    value: float = float("nan")
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of a topic that begins now: its name, and how many parts were measured, of how many."""

    name: str
    done: int
    of: int


def _untold(_: Stage | Mapping[str, Measured] | str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """How much is measured: all of it, or in the `short` form a little of every row, whose values mean nothing."""

    folder: Path  # where commands leave their files
    short: bool = False
    report: Callable[[Stage | Mapping[str, Measured] | str], object] = field(default=_untold)

    def of(self, whole: int, little: int) -> int:
        """Return `whole`, or `little` in the short form."""
        return little if self.short else whole

    def parts(self, parts: Sequence[Part], name: Callable[[Part], str] = str) -> Iterator[Part]:
        """Yield the parts of a topic, which take about the same time; `name` says which one begins."""
        for number, part in enumerate(parts):
            self.report(Stage(name=name(part), done=number, of=len(parts)))
            yield part

    def keep(self, measured: Mapping[str, Measured]) -> None:
        """Report what is known before the topic ends: it stays in the table if the topic is interrupted."""
        self.report(dict(measured))

    def say(self, line: str) -> None:
        """Report a line for the terminal: what failed, where the topic goes on."""
        self.report(line)
