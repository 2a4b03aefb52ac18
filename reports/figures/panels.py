"""The panels of a figure: one for each dataset and device, and what is held fixed within them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from loaderbench.reports.figures import style
from loaderbench.reports.text import plain
from loaderbench.reports.units import count
from loaderbench.reports.vocabulary import SETTINGS, panel_settings
from loaderbench.reports.wording import is_missing, levels, settings_of, sort_key, spoken

LONGEST_NAME = 30
NAME_LENGTHS = {1: 90, 2: 56, 3: 36}  # characters that fit above a panel, by the number of columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """The cases of one dataset on one device."""

    name: str
    dataset: object
    table: pd.DataFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """The panels that are drawn."""

    panels: Sequence[Facet]
    total: int
    """How many panels there would be."""


def facets(cases: pd.DataFrame, *, least: Mapping[str, int] | None = None) -> Facets:
    """Split cases by dataset and device, keep those with at least `least` levels of each setting, the first few."""
    every = [facet for facet in _split(cases) if _has(facet.table, least or {})]
    return Facets(panels=every[: style.MOST_PANELS], total=len(every))


def _split(cases: pd.DataFrame) -> Iterator[Facet]:
    named = [name for name in panel_settings() if name == "dataset" or len(levels(cases, name)) > 1]
    for key, table in cases.groupby(list(panel_settings()), dropna=False):
        subject = dict(zip(panel_settings(), key, strict=True))
        words = [str(subject[name]) for name in named if not is_missing(subject[name])]
        yield Facet(name=short(" · ".join(words) or "cases"), dataset=subject["dataset"], table=table)


def _has(table: pd.DataFrame, least: Mapping[str, int]) -> bool:
    return all(len(levels(table, setting)) >= number for setting, number in least.items())


def at_usual_values(cases: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Hold all settings but `varied` at their commonest value within each dataset and device.

    Of equally common values the smallest is kept; a case without the setting stays.
    """
    if cases.empty:
        return cases
    by_subject = cases.groupby(list(panel_settings()), sort=False, dropna=False)
    return pd.concat([_at_the_commonest(table, {*varied, *panel_settings()}) for _, table in by_subject])


def _at_the_commonest(table: pd.DataFrame, free: set[str]) -> pd.DataFrame:
    for name in settings_of(table):
        counts = table[name].value_counts()
        if name in free or len(counts) < 2:  # noqa: PLR2004 - there is one value alone
            continue
        commonest = min(counts[counts == counts.max()].index.tolist(), key=partial(sort_key, name))
        table = table[(table[name] == commonest) | table[name].isna()]
    return table


def facet_figure(
    heading: style.Heading, shown: Facets, draw: Callable[..., None], heights: Sequence[float] = (style.PANEL_HEIGHT,)
) -> Figure:
    """Return a figure with a panel for each facet, drawn by ``draw(*axes, facet)``: an axes for each of `heights`.

    Where facets are left out, the subtitle says how many.
    """
    number = len(shown.panels)
    left_out = "" if shown.total == number else f" ({number} of {shown.total} panels)"
    figure, panels = style.sheet(replace(heading, subtitle=heading.subtitle + left_out), number, heights=heights)
    for axes, facet in zip(panels, shown.panels, strict=True):
        draw(*axes, facet)
    return figure


def setting_label(setting: str) -> str:
    """Return the label of a setting's axis: its name, and what it is.

    >>> setting_label("num_workers"), setting_label("zeal")
    ('num_workers (worker processes)', 'zeal')
    """
    return f"{setting} ({SETTINGS[setting].help.partition(';')[0]})" if setting in SETTINGS else setting


def rounds_of(cases: pd.DataFrame) -> str:
    """Say how many rounds the cases have.

    >>> rounds_of(pd.DataFrame({"rounds": [5, 5]})), rounds_of(pd.DataFrame({"rounds": [1, 3]}))
    ('n = 5 rounds', 'n = 1 to 3 rounds')
    """
    return sizes(cases["rounds"], "round")


def sizes(numbers: pd.Series, noun: str) -> str:
    """Say of how many rounds, blocks or runs each value is."""
    low, high = int(numbers.min()), int(numbers.max())
    return f"n = {'' if low == high else f'{low} to '}{count(high, noun)}"


def short(text: str, longest: int = LONGEST_NAME) -> str:
    """Fit a name from a file into a figure.

    >>> short("a" * 40, 8)
    'aaaaaaa…'
    """
    cleaned = plain(text)
    return cleaned if len(cleaned) <= longest else cleaned[: longest - 1] + "…"


def titles(names: Sequence[str]) -> list[str]:
    """Return of each name the words that the others lack: there is no room for long names.

    >>> titles(["bench_epoch[text-workers=1-pad]", "bench_epoch[text-workers=2-pad]"])
    ['workers=1', 'workers=2']
    >>> titles(["bench_epoch[text]", "bench_epoch[text]"])
    ['bench_epoch[text]', 'bench_epoch[text]']
    """
    words = [re.findall(r"[^\[\]-]+", name) for name in names]
    common = set(words[0]).intersection(*words[1:])
    return [
        " ".join(word for word in parts if word not in common) or name for parts, name in zip(words, names, strict=True)
    ]


def case_words(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Name each case by those of the settings `names` that differ within `table`."""
    differing = [name for name in ("dataset", *names) if len(levels(table, name)) > 1] or [names[0]]
    return [short(spoken(case, differing) or str(case["case"]), 44) for case in table.to_dict("records")]


def ordered(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the cases sorted by those of these settings that they have."""
    known = [name for name in names if name in table]
    order = table.apply(lambda row: tuple(sort_key(name, row[name]) for name in known), axis="columns")
    return table.loc[order.sort_values().index]
