"""The cases: the product of a bench's axes, less what is not feasible."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.options import AXES, Options
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system.devices import available
from loaderbench.reports.vocabulary import of_workers

Case = dict[str, Any]

_FIXTURES = ("device", "dataset")  # axes whose value is the name of the object that a bench gets

# How a value reads in a case's name; booleans are named only where they are on.
_SPOKEN: Mapping[str, str] = {
    "num_workers": "workers={}",
    "batch_size": "batch={}",
    "prefetch_factor": "prefetch={}",
    "pin_memory": "pinned",
    "persistent_workers": "persistent",
    "non_blocking": "non_blocking",
    "in_order": "in_order",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A bench's axes, and the values it takes where the command line is silent: its ``sweep`` mark."""

    axes: tuple[str, ...]
    own: Mapping[str, Any]
    options: Options

    def __post_init__(self) -> None:
        for axis in self.own:
            if axis not in AXES:
                raise RefusedError(f"sweep has no axis {axis!r}; it has {', '.join(AXES)}")

    def cases(self) -> Iterator[tuple[str, Case]]:
        """Every case once, with its name, which says what varies within the bench."""
        subjects = [self.options.sources.subject(name) for name in self._asked("dataset")]
        values = [{axis: self._values(axis, subject) for axis in self.axes} for subject in subjects]
        varying = {"dataset"} | {axis for each in values for axis in each if len(each[axis]) > 1}
        seen: set[tuple[Any, ...]] = set()
        for subject, each in zip(subjects, values, strict=True):
            for combination in product(*each.values()):
                case = _settled(dict(zip(each, combination, strict=True)), subject)
                if tuple(case.values()) not in seen:
                    seen.add(tuple(case.values()))
                    yield _name(case, varying), case

    def _asked(self, axis: str) -> tuple[Any, ...]:
        return self.options.values(axis, self.own.get(axis))

    def _values(self, axis: str, subject: Subject) -> tuple[Any, ...]:
        if axis == "dataset":
            return (subject.name,)
        if axis == "collate_fn" and axis not in self.options.asked:
            return subject.collate_fns[:1] if self.own.get(axis) == "first" else subject.collate_fns
        return self._asked(axis)


def _settled(case: Case, subject: Subject) -> Case:
    """`case` with the settings that cannot matter at their idle value, so that no case is run twice."""
    idle: Case = {}
    if case.get("num_workers") == 0:
        idle |= of_workers()
    if subject.is_stream:
        idle["sampling"] = "sequential"
    if not subject.is_batched:
        idle["fetch"] = "getitem"
    return {axis: idle.get(axis, value) for axis, value in case.items()}


def infeasible(case: Case, *, needs_accelerator: bool = False) -> str:
    """Why `case` cannot be run, or an empty string."""
    if needs_accelerator and case.get("device") == "cpu":
        return "needs an accelerator: there is no transfer to a CPU"
    if case.get("pin_memory") and (case.get("device") == "cpu" or len(available()) == 1):
        return "pin_memory needs an accelerator"
    return ""


def _name(case: Case, varying: set[str]) -> str:
    """A name that reads like a sentence: the dataset, and every setting that varies within the bench."""
    words = (_word(axis, value) for axis, value in case.items() if axis in varying)
    return "-".join(word for word in words if word)


def _word(axis: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    return _SPOKEN.get(axis, "{}").format(str(value).replace(":", "."))


def parametrize(metafunc: pytest.Metafunc, options: Options) -> None:
    """Give a bench its cases, each a tuple of scalars; where none is feasible, one that is skipped and says why."""
    axes = tuple(axis for axis in AXES if axis in metafunc.fixturenames)
    if not axes:
        return
    mark = metafunc.definition.get_closest_marker("sweep")
    own = {axis: values for axis, values in (mark.kwargs if mark else {}).items() if axis != "rounds"}
    needs_accelerator = "accelerator" in metafunc.fixturenames
    sets, reasons = [], []
    for name, case in Grid(axes=axes, own=own, options=options).cases():
        if reason := infeasible(case, needs_accelerator=needs_accelerator):
            reasons.append(reason)
        else:
            sets.append(pytest.param(*case.values(), id=name))
    metafunc.parametrize(axes, sets or [_none(axes, reasons)], indirect=[axis for axis in _FIXTURES if axis in axes])


def _none(axes: tuple[str, ...], reasons: list[str]) -> Any:
    skip = pytest.mark.skip(reason=" and ".join(sorted(set(reasons))))
    return pytest.param(*(None for _ in axes), id="none", marks=skip)


def rounds(item: pytest.Item, options: Options) -> int:
    """Rounds of a case: as asked, else its bench's own, else the set's."""
    mark = item.get_closest_marker("sweep")
    own = mark.kwargs.get("rounds") if mark else None
    return options.rounds or own or options.usual_rounds
