"""Goals, what was measured for each, and whether it is met: the table that ``make prove`` prints."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loaderbench.reports.documents.document import Cell, Column, Document, Section, Table, Text
from loaderbench.reports.units import MISSING, count, quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What is measured, and the bounds between which it must lie."""

    what: str
    unit: str  # "share", "s", "bytes", or "" for a count
    at_least: float = -math.inf
    at_most: float = math.inf

    @property
    def text(self) -> str:
        """Return the bounds as a reader likes them."""
        low, high = quantity(self.at_least, self.unit), quantity(self.at_most, self.unit)
        if math.isinf(self.at_least):
            return f"at most {high}"
        return f"at least {low}" if math.isinf(self.at_most) else f"{low} to {high}"

    def is_met(self, value: float) -> bool:
        """Return whether `value` lies within the bounds; NaN does not."""
        return self.at_least <= value <= self.at_most


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A value in the goal's unit, and what it is made of."""

    value: float = math.nan
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """How much is measured: all of it, or in the `short` form a little of every row, whose values mean nothing."""

    folder: Path  # where commands leave their files
    short: bool = False

    def of(self, whole: int, little: int) -> int:
        """Return `whole`, or `little` in the short form."""
        return little if self.short else whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """Goals that are measured together. `measure` returns what was measured for each, by the goal's `what`."""

    name: str
    goals: tuple[Goal, ...]
    measure: Callable[[Scope], Mapping[str, Measured]]
    details: Callable[[Scope], Sequence[Table]] | None = None  # tables that explain the values, once they are measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of a topic; `fault` says why it could not be measured."""

    topic: Topic
    measured: Mapping[str, Measured]
    fault: str = ""
    details: tuple[Table, ...] = ()

    def value_of(self, goal: Goal) -> Measured:
        """Return what was measured for one of the topic's goals; NaN where nothing was."""
        return self.measured.get(goal.what, Measured())


def exit_code(results: Sequence[Result], *, short: bool) -> int:
    """Return 1 if a goal is missed; of the short form, if a row has no finite value, or one that no goal asks for."""
    rows = [(goal, result.value_of(goal).value) for result in results for goal in result.topic.goals]
    if not short:
        return int(not all(goal.is_met(value) for goal, value in rows))
    unasked = [set(result.measured) - {goal.what for goal in result.topic.goals} for result in results]
    return int(any(unasked) or not all(math.isfinite(value) for _, value in rows))


def document(results: Sequence[Result], about: Sequence[str], *, short: bool) -> Document:
    """Return the table of all goals, those that were missed, and the tables behind the values."""
    columns = (Column(label="what", wide=True), Column(label="goal"), Column(label="measured"), Column(label="met"))
    rows = [_row(goal, result.value_of(goal), short=short) for result in results for goal in result.topic.goals]
    details = [
        Section(title=result.topic.name, parts=result.details, on=frozenset({"terminal", "markdown"}))
        for result in results
        if result.details
    ]
    return Document(
        title="Goals and measurements",
        about=tuple(about),
        notices=tuple(f"{result.topic.name}: {result.fault}" for result in results if result.fault),
        parts=(Table(columns=columns, rows=tuple(rows)), _conclusion(results, short=short), *details),
    )


def _row(goal: Goal, measured: Measured, *, short: bool) -> tuple[Cell, ...]:
    is_met = goal.is_met(measured.value)
    text = " ".join(filter(None, [quantity(measured.value, goal.unit), f"({measured.note})" if measured.note else ""]))
    met = Cell(text="yes", tone="good") if is_met else Cell(text="no", tone="bad")
    return Cell(text=goal.what), Cell(text=goal.text), Cell(text=text), Cell(text=MISSING) if short else met


def _conclusion(results: Sequence[Result], *, short: bool) -> Text:
    if short:
        return Text(text="The short form: every row was measured a little, and its value means nothing.", tone="muted")
    missed = [
        goal.what for result in results for goal in result.topic.goals if not goal.is_met(result.value_of(goal).value)
    ]
    if missed:
        return Text(text=f"{count(len(missed), 'goal')} missed: {'; '.join(missed)}", tone="bad", strong=True)
    return Text(text="Every goal of this table is met.", tone="good", strong=True)
