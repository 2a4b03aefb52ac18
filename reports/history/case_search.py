"""Which case a reader means by a few words of its name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loaderbench.reports.records.schema import Scalar
from loaderbench.reports.vocabulary import SETTINGS, Setting, panel_settings


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedCase:
    """A case of the history, by the name it had last."""

    identity: str
    name: str
    bench: str
    settings: Mapping[str, Scalar]


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """The cases that fit some words, in the order they were given in, and the one that is meant, if it is clear."""

    matching: Sequence[NamedCase]
    meant: NamedCase | None


def search(words: str, cases: Sequence[NamedCase]) -> SearchResult:
    """Return the cases of which `words` is the name or, if there is none, whose names have every word of it.

    Of several cases, in any case of letters, the one is meant whose name has these words and no other; else the one
    that differs from the others only in settings at their default. A dataset and a bench have no default.
    """
    matching = [case for case in cases if case.name == words] or _with_words(words, cases)
    if not matching or len({case.name for case in matching}) == 1:
        return SearchResult(matching=matching, meant=matching[-1] if matching else None)
    wanted = set(words.casefold().split())
    meant = [case for case in matching if _words(case.name) == wanted] or _at_defaults(matching)
    return SearchResult(matching=matching, meant=meant[-1] if len({case.name for case in meant}) == 1 else None)


def _with_words(words: str, cases: Sequence[NamedCase]) -> list[NamedCase]:
    """Return the cases whose names have all the words; as parts of words, if none has them whole."""
    wanted = words.casefold().split()
    whole = [case for case in cases if set(wanted) <= _words(case.name)]
    return whole or [case for case in cases if all(word in case.name.casefold() for word in wanted)]


def _words(name: str) -> set[str]:
    """Return the words of a case's name.

    >>> sorted(_words("bench_epoch[images-workers=2-stack_into]"))
    ['epoch', 'images', 'stack_into', 'workers=2']
    """
    return {word for word in re.split(r"[\[\]\s·-]+", name.casefold().removeprefix("bench_")) if word}


def _at_defaults(cases: Sequence[NamedCase]) -> list[NamedCase]:
    """Return the cases that have the default of every setting in which the cases differ; none where benches differ."""
    settings = dict.fromkeys(name for case in cases for name in case.settings)
    varying = [name for name in settings if len({case.settings.get(name) for case in cases}) > 1]
    if (
        len({case.bench for case in cases}) > 1
        or set(varying) & {*panel_settings()}
        or not set(varying) <= set(SETTINGS)
    ):
        return []
    return [case for case in cases if all(_is_default(SETTINGS[name], case) for name in varying)]


def _is_default(setting: Setting, case: NamedCase) -> bool:
    value = case.settings.get(setting.name)
    if value is None or (case.settings.get("num_workers") == 0 and value == setting.without_workers):
        return True
    return value == (setting.default if setting.default is not None else next(iter(setting.choices), None))
