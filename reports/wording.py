"""Settings in words and in code: the name of a case, the arguments of a call, which of two values is smaller."""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice, takewhile

import numpy as np
import pandas as pd

from loaderbench.reports.units import MISSING
from loaderbench.reports.vocabulary import SETTINGS, Setting, loader_settings, speed_only_settings

SWITCH = (bool, np.bool_)  # the latter where a column of switches is taken apart
Row = Mapping[Hashable, object] | pd.Series
LONGEST_LINE = 100  # characters of a call that is written in one
_ALWAYS_WRITTEN = ("batch_size", "num_workers")  # in a call of DataLoader, torch's defaults too


def settings_of(table: pd.DataFrame) -> list[str]:
    """Return the columns of settings, which follow ``bench``: in a frame up to ``warmup``, in a summary to ``rounds``.

    >>> settings_of(pd.DataFrame(columns=["run", "case", "bench", "dataset", "batch_size", "rounds", "spread"]))
    ['dataset', 'batch_size']
    """
    after_bench = islice(table.columns, list(table.columns).index("bench") + 1, None)
    return list(takewhile(lambda name: name not in {"warmup", "rounds"}, after_bench))


def in_order(names: Iterable[str]) -> list[str]:
    """Sort settings as a reader expects them, unknown ones last.

    >>> in_order(["zeal", "batch_size", "dataset"])
    ['dataset', 'batch_size', 'zeal']
    """
    places = {name: place for place, name in enumerate(SETTINGS)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


def sort_key(setting: str, value: object) -> tuple[int, float, str]:
    """Return a key that sorts the values of one setting, the smallest first; missing is smallest.

    >>> sorted(["spawn", "fork"], key=lambda value: sort_key("start_method", value))
    ['fork', 'spawn']
    >>> sorted([True, 10, 9.5, "a", False, None], key=lambda value: sort_key("any", value))
    [None, False, True, 9.5, 10, 'a']
    """
    if is_missing(value):
        return (-1, 0.0, "")
    if isinstance(value, str):
        known = SETTINGS[setting].choices if setting in SETTINGS else ()
        return (1, float(known.index(value)) if value in known else float(len(known)), value)
    return (0, float(value), "")  # type: ignore[arg-type]  # what is neither missing nor text is a number or a switch


def levels(table: pd.DataFrame, column: str, setting: str = "") -> list[object]:
    """Return the values of a setting that occur in `column`, smallest first; missing is none."""
    if column not in table:
        return []
    return sorted(table[column].dropna().unique().tolist(), key=partial(sort_key, setting or column))


def size_key(row: Row) -> tuple[tuple[int, float, str], ...]:
    """Return a key by which the speed-only settings of cases are compared: fewest workers first."""
    return tuple(sort_key(name, row.get(name)) for name in speed_only_settings())


def is_missing(value: object) -> bool:
    """Tell None, NaN and NA from values.

    >>> [is_missing(value) for value in (None, float("nan"), 0, "", False)]
    [True, True, False, False, False]
    """
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]  # any scalar goes


def is_on(value: object) -> bool:
    """Tell a switch that is on from one that is off or missing.

    >>> [is_on(value) for value in (True, np.True_, False, None, 1)]
    [True, True, False, False, False]
    """
    return isinstance(value, SWITCH) and bool(value)


def plain_number(value: object) -> str:
    """Write a setting's value: whole numbers without a point, as they were before missing ones made them floats.

    >>> plain_number(2.0), plain_number(0.5), plain_number(True), plain_number("pad"), plain_number(float("nan"))
    ('2', '0.5', 'True', 'pad', '–')
    """
    if is_missing(value):
        return MISSING
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - exact in a float
        return str(int(value))
    return str(value)


def spoken(row: Row, names: Iterable[str]) -> str:
    """Say settings in the words of a case's name.

    >>> spoken({"num_workers": 2.0, "pin_memory": True, "collate_fn": "pad"}, SETTINGS)
    'workers=2 · pad · pinned'
    """
    return " · ".join(phrase(name, row[name]) for name in names if name in row and not is_missing(row[name]))


def phrase(setting: str, value: object) -> str:
    """Say one setting.

    >>> phrase("pin_memory", False), phrase("zeal", 3), phrase("batch_size", 32.0)
    ('pageable', 'zeal=3', 'batch=32')
    """
    entry = SETTINGS.get(setting)
    if isinstance(value, SWITCH):
        on = entry.phrase if entry and entry.phrase else setting
        off = entry.phrase_off if entry and entry.phrase_off else f"no {setting}"
        return on if value else off
    usual = "{}" if isinstance(value, str) else setting + "={}"
    return ((entry.phrase if entry else "") or usual).format(plain_number(value))


def assigned(row: Row, names: Iterable[str]) -> str:
    """Write settings as arguments.

    >>> assigned({"num_workers": 2.0, "pin_memory": False, "prefetch_factor": None}, speed_only_settings())
    'num_workers=2, pin_memory=False'
    """
    present = [name for name in names if name in row and not is_missing(row[name])]
    return ", ".join(f"{name}={plain_number(row[name])}" for name in present)


def loader_call(row: Row, default_start_method: object = None) -> str:
    """Write the ``DataLoader(...)`` call that makes a case; arguments at torch's defaults are left out.

    A sampler of the user's own is written as a function of the dataset, as most are.

    >>> loader_call({"batch_size": 64, "num_workers": 2, "persistent_workers": True, "collate_fn": "pad"})
    'DataLoader(dataset, batch_size=64, num_workers=2, collate_fn=pad, persistent_workers=True)'
    """
    return dataloader_call(_arguments(row, default_start_method))


def dataloader_call(arguments: Iterable[tuple[str, str]]) -> str:
    """Write a ``DataLoader(...)`` call: in one line where it fits into `LONGEST_LINE` characters.

    >>> print(dataloader_call([("num_workers", "2"), ("collate_fn", "Reused(" * 9 + "pad" + ")" * 9)]))
    DataLoader(
        dataset,
        num_workers=2,
        collate_fn=Reused(Reused(Reused(Reused(Reused(Reused(Reused(Reused(Reused(pad))))))))),
    )
    """
    written = ["dataset", *(f"{name}={value}" for name, value in arguments)]
    line = f"DataLoader({', '.join(written)})"
    if len(line) <= LONGEST_LINE:
        return line
    return "DataLoader(\n" + "".join(f"    {argument},\n" for argument in written) + ")"


def _arguments(row: Row, default_start_method: object) -> Iterator[tuple[str, str]]:
    """Yield the arguments of the call in the order in which they are usually written."""
    others = (name for name in loader_settings() if name not in _ALWAYS_WRITTEN and name != "sampling")
    is_unbatched = is_missing(row.get("batch_size", 0)) and is_missing(row.get("batch_sampler"))
    for name in ("batch_size", "sampling", "num_workers", *others):
        value = row.get(name)
        if name == "sampling":
            if value == "shuffle":
                yield "shuffle", "True"
        elif name == "start_method":
            if not is_missing(value) and value != default_start_method:
                yield "multiprocessing_context", repr(value)
        elif name == "batch_size" and is_unbatched:
            yield name, "None"
        elif not is_missing(value) and (name in _ALWAYS_WRITTEN or not _is_default(SETTINGS[name], value)):
            yield name, _code(SETTINGS[name], value)


def _is_default(setting: Setting, value: object) -> bool:
    return value == ("default" if setting.name == "collate_fn" else setting.default)


def _code(setting: Setting, value: object) -> str:
    """Return a setting's value as an argument is written; a sampler is made of the dataset."""
    if setting.kind != "name":
        return plain_number(value)
    return f"{_callable(value)}(dataset)" if setting.name in {"sampler", "batch_sampler"} else _callable(value)


def _callable(name: object) -> str:
    """Return the name by which a function is called in code; a text that is none is quoted."""
    text = str(name)
    return text.rpartition(":")[2] if re.fullmatch(r"(?:[\w.]+:)?[A-Za-z_][\w.]*", text) else repr(text)
