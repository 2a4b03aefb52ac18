"""Which setting to use: for each dataset and device the smallest that is shown to be as good as the best."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd

from loaderbench.reports.stats.intervals import ratio
from loaderbench.reports.stats.noninferiority import smallest_as_good, standing
from loaderbench.reports.vocabulary import panel_settings, speed_only_settings
from loaderbench.reports.wording import assigned, levels, settings_of, size_key

# A step that waits longer than this share of a pass is delayed, however fast the loader is alone.
NOTABLE_STALL = 0.10

MOST_SUBJECTS = 24  # datasets and devices with a verdict
MOST_CHOICES = 24  # batch sizes and the like of one of them, the fastest

Bottleneck = Literal["loading", "step", "turns", "open", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The choice among cases that differ in settings of speed alone (same batches, same model)."""

    chosen: pd.Series
    is_shown: bool
    """Whether the rounds show that the chosen is as good as every other setting; else it is the best measured."""
    best: pd.Series
    ratio: float
    """Throughput of the chosen over the best: of the geometric means of their rounds."""
    at_least: float
    """The lower bound of the ratio of the chosen to the setting `against` which it is lowest (`Standing.low`)."""
    against: pd.Series
    tried: int
    """Settings compared."""
    varied: tuple[str, ...]
    """Free settings that had more than one value."""
    most_workers: float
    """The largest num_workers among them; NaN where it is no setting."""
    undecided: pd.DataFrame
    """Smaller settings that are shown neither to be as good nor to be worse: with ratio (to the best), low and high."""

    @property
    def setting(self) -> str:
        """Return the chosen setting, written as arguments."""
        return assigned(self.chosen, self.varied or ("num_workers",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """What to use for one dataset on one device."""

    dataset: str
    device: str
    run: str
    bench: str
    """Where the throughput comes from: "training" (loader and step together) or "epoch" (the loader alone)."""
    headline: Choice
    """The choice within the batches that went fastest."""
    others: tuple[Choice, ...]
    """The choices within the other batch sizes, collate functions, models: they change what is trained."""
    bottleneck: Bottleneck

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return all choices, the fastest first."""
        return (self.headline, *self.others)


def recommend(cases: pd.DataFrame) -> list[Recommendation]:
    """Recommend a setting for each dataset and device in a summary, sorted by name, the first `MOST_SUBJECTS`.

    Full training counts where it was measured, else the loader alone. Batch size, collate function, sampling and model
    change what is trained, so a choice is made within each of them, and the fastest leads.
    """
    return [_of_subject(subject) for subject in islice(_subjects(cases), MOST_SUBJECTS)]


def _subjects(cases: pd.DataFrame) -> Iterator[pd.DataFrame]:
    timed = cases[cases["bench"].isin(["training", "epoch"]) & cases["samples_per_s"].notna()]
    for _, subject in timed.groupby(list(panel_settings()), dropna=False):
        training = subject[subject["bench"] == "training"]
        yield training if len(training) else subject


def _of_subject(subject: pd.DataFrame) -> Recommendation:
    batches = subject.groupby(
        [name for name in settings_of(subject) if name not in speed_only_settings()], sort=False, dropna=False
    )
    fastest = batches["samples_per_s"].transform("max")
    compared = batches.ngroup()[fastest.rank(method="dense", ascending=False) <= MOST_CHOICES]
    choices = [choose(candidates) for _, candidates in subject.groupby(compared)]
    choices.sort(key=lambda choice: -choice.best["samples_per_s"])
    first = choices[0].chosen
    return Recommendation(
        dataset=_text(first.get("dataset")),
        device=_text(first.get("device")),
        run=str(first["run"]),
        bench=str(first["bench"]),
        headline=choices[0],
        others=tuple(choices[1:]),
        bottleneck=bottleneck(first),
    )


def choose(candidates: pd.DataFrame) -> Choice:
    """Choose the smallest setting that is shown to be as good as all others; where none is, the best measured.

    Smaller is: fewer workers, then less prefetched, then unpinned … `noninferiority` says what is shown, how surely.
    """
    rows = candidates.reindex(columns=list(speed_only_settings())).to_dict("records")
    ordered = candidates.iloc[sorted(range(len(rows)), key=lambda row: size_key(rows[row]))]
    rates = ordered["samples_per_s"].to_numpy(np.float64)
    stand = standing(ordered["log_mean"], ordered["log_sd"], ordered["n"])
    position, is_shown = smallest_as_good(stand, rates)
    best = int(rates.argmax())
    ratios = np.exp(ordered["log_mean"] - ordered["log_mean"].iloc[best]).to_numpy(np.float64)
    is_open = ~(stand.is_as_good | stand.is_worse)
    smaller = np.flatnonzero(is_open[:position])
    return Choice(
        chosen=ordered.iloc[position],
        is_shown=is_shown,
        best=ordered.iloc[best],
        ratio=float(ratios[position]),
        at_least=float(stand.low[position]),
        against=ordered.iloc[int(stand.against[position])],
        tried=len(ordered),
        varied=tuple(name for name in speed_only_settings() if len(levels(ordered, name)) > 1),
        most_workers=float(ordered["num_workers"].max()),
        undecided=ordered.iloc[smaller].assign(ratio=ratios[smaller], low=stand.low[smaller], high=stand.high[smaller]),
    )


def bottleneck(case: pd.Series) -> Bottleneck:
    """Return which of loader and step limits a training case, by the throughput of each alone.

    "turns" means that the loader alone is fast enough and yet the step waits, as the two do not overlap; "open" that
    the rounds cannot tell; "unknown" that no training was measured.
    """
    if pd.isna(case["loader_samples_per_s"]) or pd.isna(case["step_samples_per_s"]):
        return "unknown"
    loader_over_step = ratio(_moments(case, "loader_"), _moments(case, "step_")).iloc[0]
    if loader_over_step["high"] < 1:
        return "loading"
    if not loader_over_step["low"] >= 1:  # NaN, where there is one round, is not at least 1
        return "open"
    return "turns" if case["stall_share"] > NOTABLE_STALL else "step"


def _moments(case: pd.Series, prefix: str) -> pd.DataFrame:
    return pd.DataFrame({name: [float(case[prefix + name])] for name in ("log_mean", "log_sd", "n")})


def _text(value: Hashable) -> str:
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]  # any scalar goes
