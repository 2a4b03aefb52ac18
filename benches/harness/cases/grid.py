"""The cases of a bench: combinations of the values of its settings, less what is not feasible."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from loaderbench.benches.harness.cases.pytest_options import Options
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.case_loader import SAMPLERS, has_sampler
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.samples.sampling import OF_BATCHES
from loaderbench.benches.harness.system.devices import available
from loaderbench.reports.vocabulary import SETTINGS, loader_settings, of_workers, panel_settings, swept

Combination = dict[str, Any]
"""One value for each setting of a bench."""

# Settings whose value is the name of the object that a bench gets.
_OBJECTS = ("device", "dataset")
# What a bench's sweep mark may hold in addition to the values of settings.
_MARK = {"rounds", "expected_s", "together"}
_SET_UP_S = 0.7  # of a case, before its first round


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """The settings of a bench, and the values it takes where the command line is silent: its ``sweep`` mark.

    Raises RefusedError where the mark names what is no setting.
    """

    settings: tuple[str, ...]
    bench_values: Mapping[str, Any]
    options: Options
    together: Collection[str] = ()
    """The settings of which every combination is measured, whatever set of cases is asked for."""

    def __post_init__(self) -> None:
        for name in (*self.bench_values, *self.together):
            if name not in swept():
                raise RefusedError(f"sweep has no setting {name!r}; it has {', '.join(swept())}")

    def cases(self) -> Iterator[tuple[str, Combination]]:
        """Yield every case once, with its name, which says what varies within the bench."""
        chosen = [self.options.datasets.subject(name) for name in self._values("dataset")]
        values = [{setting: self._values_of(setting, subject) for setting in self.settings} for subject in chosen]
        varying = {"dataset"} | {setting for choice in values for setting in choice if len(choice[setting]) > 1}
        together = self.settings if self.options.is_full else {*self.options.asked, *panel_settings(), *self.together}
        seen: set[tuple[Any, ...]] = set()
        for subject, choice in zip(chosen, values, strict=True):
            for combination in combinations(choice, together):
                case = settled(combination, subject)
                if tuple(case.values()) not in seen:
                    seen.add(tuple(case.values()))
                    yield _name(case, varying), case

    def _values(self, setting: str) -> tuple[Any, ...]:
        return self.options.values(setting, self.bench_values.get(setting))

    def _values_of(self, setting: str, subject: Subject) -> tuple[Any, ...]:
        if setting == "dataset":
            return (subject.name,)
        if setting == "collate_fn" and setting not in self.options.asked:
            return subject.collate_fns[:1] if self.bench_values.get(setting) == "first" else subject.collate_fns
        return self._values(setting)


def combinations(values: Mapping[str, tuple[Any, ...]], together: Collection[str]) -> Iterator[Combination]:
    """Yield every combination of the values of the settings in `together`, the others at their first value; and each
    of these with every other value of one other setting.

    >>> [list(case.values()) for case in combinations({"a": (1, 2), "b": (1, 2), "c": (1, 2)}, ["a"])]
    [[1, 1, 1], [1, 2, 1], [1, 1, 2], [2, 1, 1], [2, 2, 1], [2, 1, 2]]
    """
    crossed = [setting for setting in values if setting in together]
    others = [setting for setting in values if setting not in together]
    for combination in product(*(values[setting] for setting in crossed)):
        usual = {setting: options[0] for setting, options in values.items()}
        usual.update(zip(crossed, combination, strict=True))
        yield usual
        yield from ({**usual, setting: value} for setting in others for value in values[setting][1:])


def settled(case: Combination, subject: Subject) -> Combination:
    """Return `case` with one value for each setting that has no effect in it, so that no case is measured twice."""
    only: Combination = dict(of_workers()) if case.get("num_workers") == 0 else {}
    if subject.is_stream:
        only["sampling"] = "sequential"
    if has_sampler(case):
        only["sampling"] = None
    if case.get("batch_sampler") is not None:
        only["batch_size"] = None
    if case.get("batch_sampler") is not None or case.get("batch_size", 1) is None:
        only["drop_last"] = False
    if not subject.is_batched:
        only["fetch"] = "getitem"
    return {setting: only.get(setting, value) for setting, value in case.items()}


def infeasible(case: Combination, *, needs_accelerator: bool = False) -> str:
    """Return why `case` cannot be measured, or an empty string."""
    if needs_accelerator and case.get("device") == "cpu":
        return "needs an accelerator: there is no transfer to a CPU"
    if case.get("pin_memory") and (case.get("device") == "cpu" or len(available()) == 1):
        return "pin_memory needs an accelerator"
    if case.get("batch_size", 1) is None and case.get("sampling") in OF_BATCHES:
        return f"sampling={case['sampling']} needs a batch_size"
    if all(case.get(name) is not None for name in SAMPLERS):
        return "a batch_sampler cannot go with a sampler"
    return ""


def _name(case: Combination, varying: Collection[str]) -> str:
    """Return a name that reads like a sentence: the dataset, and every setting that varies within the bench."""
    words = (_word(setting, value) for setting, value in case.items() if setting in varying)
    return "-".join(word for word in words if word)


def _word(setting: str, value: Any) -> str:
    """Return a value as a case's name says it; a switch that is off is not named."""
    if value is None or value is False:
        return ""
    default = setting if value is True else "{}"
    return (SETTINGS[setting].phrase or default).format(str(value).replace(":", "."))


def settings_for(fixtures: Collection[str]) -> tuple[str, ...]:
    """Return the settings of a bench that takes these fixtures: those named, and those that `loader` is made of."""
    needed = loader_settings() if "loader" in fixtures else ()
    return tuple(name for name in swept() if name in fixtures or name in needed)


def parametrize(metafunc: pytest.Metafunc, options: Options) -> None:
    """Give a bench its cases, each a tuple of scalars; where none is feasible, one that is skipped and says why."""
    settings = settings_for(metafunc.fixturenames)
    if not settings:
        return
    metafunc.fixturenames.extend(setting for setting in settings if setting not in metafunc.fixturenames)
    mark = _mark(metafunc.definition)
    bench_values, together = (
        {name: values for name, values in mark.items() if name not in _MARK},
        mark.get("together", ()),
    )
    needs_accelerator = "accelerator" in metafunc.fixturenames
    sets, reasons = [], set()
    for name, case in Grid(settings=settings, bench_values=bench_values, options=options, together=together).cases():
        if reason := infeasible(case, needs_accelerator=needs_accelerator):
            reasons.add(reason)
        else:
            sets.append(pytest.param(*case.values(), id=name))
    if not sets:
        skip = pytest.mark.skip(reason=" and ".join(sorted(reasons)))
        sets.append(pytest.param(*(None for _ in settings), id="none", marks=skip))
    metafunc.parametrize(settings, sets, indirect=[name for name in _OBJECTS if name in settings])


def rounds(item: pytest.Item, options: Options) -> int:
    """Return the rounds of a case: as asked, else its bench's own, else the set's."""
    return int(options.rounds or _mark(item).get("rounds") or options.usual_rounds)


def expected_s(item: pytest.Item, options: Options) -> float:
    """Return roughly what a case takes on two cores of 2.5 GHz: its bench's own estimate, else of its rounds alone."""
    estimate_s = _mark(item).get("expected_s")
    return float(estimate_s) if estimate_s else _SET_UP_S + 1.5 * options.round_s * rounds(item, options)


def _mark(item: pytest.Item) -> Mapping[str, Any]:
    mark = item.get_closest_marker("sweep")
    return mark.kwargs if mark else {}
