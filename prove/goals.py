"""Goals, what was measured for each, and whether it is met: the table that ``make prove`` prints."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from loaderbench.reports.documents.document import Cell, Column, Document, Section, Table, Text
from loaderbench.reports.units import MISSING, count, quantity
from loaderbench.reports.vocabulary import ExitCode
from prove.scope import Measured, Scope


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
class Topic:
    """Goals that are measured together. `measure` returns what was measured for each, by the goal's `what`."""

    name: str
    goals: tuple[Goal, ...]
    measure: Callable[[Scope], Mapping[str, Measured]]
    details: Callable[[Scope], Sequence[Table]] | None = None  # tables that explain the values, once they are measured
    minutes: float = 1.0  # that it usually takes on two idle cores
    is_arithmetic: bool = False  # it reads no clock: other such topics may be computed beside it

    @property
    def question(self) -> str:
        """Return what it asks: the first line of its module."""
        return (inspect.getdoc(inspect.getmodule(self.measure)) or self.name).partition("\n")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of a topic; `fault` says why it could not be measured, or not to its end where not `is_whole`."""

    topic: Topic
    measured: Mapping[str, Measured] = field(default_factory=dict)
    fault: str = ""
    details: tuple[Table, ...] = ()
    is_whole: bool = True

    def value_of(self, goal: Goal) -> Measured:
        """Return what was measured for one of the topic's goals; NaN where nothing was."""
        return self.measured.get(goal.what, Measured())

    @property
    def missed(self) -> list[Goal]:
        """Return the goals that are not met; none where the topic was not measured to its end."""
        return [goal for goal in self.topic.goals if self.is_whole and not goal.is_met(self.value_of(goal).value)]


def exit_code(results: Sequence[Result], *, short: bool) -> ExitCode:
    """Return whether a goal is missed; of the short form, whether a row has no finite value, or no goal asks for it."""
    values = [result.value_of(goal).value for result in results for goal in result.topic.goals]
    unasked = [set(result.measured) - {goal.what for goal in result.topic.goals} for result in results]
    is_missed = any(result.missed for result in results)
    is_bad = any(unasked) or not all(map(math.isfinite, values)) if short else is_missed
    return ExitCode.BAD_ANSWER if is_bad else ExitCode.FINE


def document(results: Sequence[Result], about: Sequence[str], *, short: bool) -> Document:
    """Return the table of all goals, those that were missed, and the tables behind the values."""
    columns = (Column(label="what", wide=True), Column(label="goal"), Column(label="measured"), Column(label="met"))
    rows = [_row(goal, result, short=short) for result in results for goal in result.topic.goals]
    details = [
        Section(title=result.topic.name, parts=result.details, on=frozenset({"terminal", "markdown"}))
        for result in results
        if result.details
    ]
    return Document(
        title="Goals and measurements",
        about=tuple(about),
        notices=tuple(f"{result.topic.name}: {result.fault}" for result in results if result.fault),
        parts=(Table(columns=columns, rows=tuple(rows)), *_conclusions(results, short=short), *details),
    )


def _row(goal: Goal, result: Result, *, short: bool) -> tuple[Cell, ...]:
    measured = result.value_of(goal)
    text = " ".join(filter(None, [quantity(measured.value, goal.unit), f"({measured.note})" if measured.note else ""]))
    met = Cell(text="yes", tone="good") if goal.is_met(measured.value) else Cell(text="no", tone="bad")
    is_judged = result.is_whole and not short
    return Cell(text=goal.what), Cell(text=goal.text), Cell(text=text), met if is_judged else Cell(text=MISSING)


def _conclusions(results: Sequence[Result], *, short: bool) -> Iterator[Text]:
    if short:
        yield Text(text="The short form: every row was measured a little, and its value means nothing.", tone="muted")
        return
    missed = [goal.what for result in results for goal in result.missed]
    cut = [result.topic.name for result in results if not result.is_whole]
    if missed:
        yield Text(text=f"{count(len(missed), 'goal')} missed: {'; '.join(missed)}", tone="bad", strong=True)
    if cut:
        yield Text(text=f"Not measured to the end, and not judged: {', '.join(cut)}", tone="muted")
    if not missed and len(cut) < len(results):
        goals = "Every other goal" if cut else "Every goal"
        yield Text(text=f"{goals} of this table is met.", tone="good", strong=True)
