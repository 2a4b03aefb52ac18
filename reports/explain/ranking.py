"""The ranking: what each cause costs an epoch, from blocks of passes with it and without it.

A block is a fresh pair of loaders, and says the median over its pairs of passes of log(with / without). The mean of
blocks has a t interval, and of all causes that were tried at most 5 % of those called a help or a harm are so by chance
(Y. Benjamini, Y. Hochberg, J. R. Statist. Soc. B 57, 1995).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats  # type: ignore[import-untyped]  # it ships no types

from loaderbench.reports.records.files import content_of, parsed
from loaderbench.reports.records.schema import MalformedError
from loaderbench.reports.stats.significance import discoveries

Word = Literal["helps", "harms", "no difference", "unclear", "not run"]

# Schema of explain.json.
# 1 (0.2.0): loader, dataset, waits, suspects, untried, blocks, growth.
SCHEMA = 1
DOCUMENT = "explain.json"

RATE = 0.05  # of what is called a help or a harm, by chance
MARGIN = 0.03  # of an epoch: less is no difference
LEVEL = 0.95
FEWEST = 4  # blocks
WORDS: tuple[Word, ...] = ("helps", "unclear", "no difference", "harms", "not run")

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """What became of one cause: `gain` is the share of an epoch that is saved where it is removed."""

    cause: str
    word: Word
    evidence: str = ""
    change: str = ""  # the line of code
    why: str = ""  # it was not run
    blocks: int = 0
    gain: float = math.nan
    low: float = math.nan
    high: float = math.nan
    saved_s: float = math.nan  # of an epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    """What an epoch of the whole dataset takes, in seconds."""

    passing_s: float  # its passes, workers running
    starting_s: float  # the start and the end of its workers, where they do not live on
    scale: float  # of a pass over the part that is read

    @property
    def seconds(self) -> float:
        """Both."""
        return self.passing_s + self.starting_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Every cause, what helps most first."""

    about: Mapping[str, Any]
    epoch: Epoch
    causes: tuple[Cause, ...]

    @property
    def headline(self) -> str:
        """The one thing to do, or that there is none."""
        first = self.causes[0] if self.causes else None
        if first is None or first.word != "helps":
            return "Nothing that was tried makes this loader faster"
        return f"{first.cause}: without that, an epoch takes {1 - first.gain:.2f} times as long"


def read(path: Path) -> Ranking:
    """The ranking of an ``explain.json``, or of the folder that holds one; raises MalformedError, or OSError."""
    return ranking(parsed(content_of(path / DOCUMENT if path.is_dir() else path), "file", "explanation"))


def ranking(document: Mapping[str, Any]) -> Ranking:
    """Rank what ``explain.json`` holds; raises MalformedError, in one line, where it is none."""
    if document.get("schema") != SCHEMA:
        raise MalformedError(f"has schema {str(document.get('schema'))[:24]!r}; this loaderbench reads schema {SCHEMA}")
    try:
        return _ranked(document)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as fault:
        raise MalformedError(f"is no explanation: {type(fault).__name__}: {str(fault)[:80]}") from fault


def _ranked(document: Mapping[str, Any]) -> Ranking:
    for name in ("machine", "loader", "waits", "command"):
        _ = document[name]
    _ = document["memory"]["watched"]["peak_shm_bytes"][0], document["memory"]["pairs"]["listed"]
    blocks: dict[str, list[Mapping[str, Any]]] = {}
    for block in document["blocks"]:
        blocks.setdefault(str(block["cause"]), []).append(block)
    suspects = {str(each["cause"]): each for each in document["suspects"] if each["cause"] in blocks}
    epoch = _epoch(document, suspects, blocks)
    held = {name: _effects(blocks[name]) for name in suspects}
    estimates = {name: _estimate(values) for name, values in held.items()}
    found = discoveries([chance for *_, chance in estimates.values()], RATE)
    tried = [
        _cause(suspect, blocks[name], estimates[name], epoch, is_found=is_found)
        for (name, suspect), is_found in zip(suspects.items(), found, strict=True)
    ]
    left = [
        Cause(cause=str(each["cause"]), word="not run", why=str(each["why"]))
        for each in (*document["untried"], *_without_blocks(document, blocks))
    ]
    order = sorted(tried, key=lambda cause: (WORDS.index(cause.word), -cause.gain))
    return Ranking(about=document, epoch=epoch, causes=(*order, *left))


def _without_blocks(document: Mapping[str, Any], blocks: Mapping[str, Any]) -> list[dict[str, str]]:
    names = [str(each["cause"]) for each in document["suspects"]]
    return [{"cause": name, "why": "the budget left no room for it"} for name in names if name not in blocks]


def _effects(blocks: Sequence[Mapping[str, Any]]) -> Floats:
    """Of each block the median over pairs of log(with / without): above 0 where it is faster without."""
    return np.array([np.median(np.log(_floats(block["base_s"]) / _floats(block["other_s"]))) for block in blocks])


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _estimate(values: Floats) -> tuple[float, float, float, float]:
    """Mean, the ends of its 95 % interval, and the chance that so much is nothing."""
    mean, count = float(values.mean()), len(values)
    if count < FEWEST:
        return mean, -math.inf, math.inf, 1.0
    error = float(values.std(ddof=1)) / math.sqrt(count)
    width = float(special.stdtrit(count - 1, 0.5 + LEVEL / 2)) * error
    chance = float(2 * stats.t.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return mean, mean - width, mean + width, chance


def _epoch(
    document: Mapping[str, Any], suspects: Mapping[str, Any], blocks: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Epoch:
    """The whole dataset's epoch: the passes over a part of it, scaled, and what starting workers adds, once."""
    steady = [
        seconds
        for name, suspect in suspects.items()
        if not suspect["at_start"] and not suspect["builds_on"]
        for block in blocks[name]
        for seconds in block["base_s"]
    ]
    starts = [
        float(np.median(block["base_s"]) - np.median(block["other_s"]))
        for name in suspects
        if suspects[name].get("is_restart")
        for block in blocks[name]
    ]
    scale = document["dataset"]["samples"] / document["dataset"]["samples_read"]
    return Epoch(
        passing_s=scale * float(np.median(steady)) if steady else math.nan,
        starting_s=max(0.0, float(np.median(starts))) if starts else 0.0,
        scale=scale,
    )


def _cause(
    suspect: Mapping[str, Any],
    blocks: Sequence[Mapping[str, Any]],
    estimate: tuple[float, float, float, float],
    epoch: Epoch,
    *,
    is_found: bool,
) -> Cause:
    mean, low, high, _ = estimate
    own_s = float(np.median([seconds for block in blocks for seconds in block["base_s"]]))
    paid_s = own_s if suspect["at_start"] else epoch.scale * own_s if suspect["builds_on"] else epoch.passing_s
    share = min(1.0, paid_s / epoch.seconds) if epoch.seconds > 0 else 1.0  # NaN where no pass was measured: all of it
    gain, least, most = (-math.expm1(-effect) * share for effect in (mean, low, high))
    if is_found and gain >= MARGIN:
        word: Word = "helps"
    elif is_found and gain <= -MARGIN:
        word = "harms"
    else:
        word = "no difference" if least > -MARGIN and most < MARGIN else "unclear"
    return Cause(
        cause=str(suspect["cause"]),
        word=word,
        evidence=str(suspect["evidence"]),
        change=str(suspect["change"]),
        blocks=len(blocks),
        gain=gain,
        low=least,
        high=most,
        saved_s=-math.expm1(-mean) * paid_s,
    )
