"""Which setting to use: for each dataset and device the smallest that ties with the best."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd

from loaderbench.reports.stats.intervals import ratio
from loaderbench.reports.vocabulary import free, subjects
from loaderbench.reports.wording import assigned, levels, settings_of, size_key

# A setting ties with the best unless its rounds show it to be more than this much slower: nobody starts a process for
# less …
NEGLIGIBLE = 0.02
# … and if they exclude that it is more than this much slower: a wide interval is no evidence of a tie.
COARSE = 0.20
# A step that waits longer than this share of a pass is delayed, however fast the loader is alone.
NOTABLE_STALL = 0.10

MOST_SUBJECTS = 24  # datasets and devices with a verdict
MOST_CHOICES = 24  # batch sizes and the like of one of them, the fastest

Bottleneck = Literal["loading", "step", "turns", "open", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The choice among cases that differ in free settings alone (same batches, same model)."""

    chosen: pd.Series
    best: pd.Series
    ratio: float
    """Throughput of the chosen over the best, with its within-run interval `low` to `high` (Welch)."""
    low: float
    high: float
    tried: int
    """Settings compared."""
    varied: tuple[str, ...]
    """Free settings that had more than one value."""
    most_workers: float
    """The largest num_workers among them; NaN where it is no setting."""
    undecided: pd.DataFrame
    """Smaller settings that the rounds can neither tie with the best nor exclude: with ratio, low and high."""

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
    for _, subject in timed.groupby(list(subjects()), dropna=False):
        training = subject[subject["bench"] == "training"]
        yield training if len(training) else subject


def _of_subject(subject: pd.DataFrame) -> Recommendation:
    batches = subject.groupby([name for name in settings_of(subject) if name not in free()], sort=False, dropna=False)
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
    """Choose the smallest setting that ties with the best: fewest workers first, then less prefetching, unpinned…

    A setting ties when its ratio to the best may exceed 1 - `NEGLIGIBLE` and surely exceeds 1 - `COARSE`.
    """
    rows = candidates.reindex(columns=list(free())).to_dict("records")
    ordered = candidates.iloc[sorted(range(len(rows)), key=lambda row: size_key(rows[row]))]
    best = int(ordered["samples_per_s"].argmax())
    ratios = _to_best(ordered, best)
    ties = (ratios["high"] >= 1 - NEGLIGIBLE) & (ratios["low"] >= 1 - COARSE)
    ties.iloc[best] = True
    position = int(ties.argmax())
    smaller = np.flatnonzero(~(ratios["high"] < 1 - NEGLIGIBLE).to_numpy()[:position])
    return Choice(
        chosen=ordered.iloc[position],
        best=ordered.iloc[best],
        ratio=float(ratios["ratio"].iloc[position]),
        low=float(ratios["low"].iloc[position]),
        high=float(ratios["high"].iloc[position]),
        tried=len(ordered),
        varied=tuple(name for name in free() if len(levels(ordered, name)) > 1),
        most_workers=float(ordered["num_workers"].max()),
        undecided=ordered.iloc[smaller].assign(
            **{name: ratios[name].to_numpy()[smaller] for name in ("ratio", "low", "high")}
        ),
    )


def _to_best(ordered: pd.DataFrame, best: int) -> pd.DataFrame:
    """Return each case's ratio to the best; the best ties with itself exactly."""
    moments = ordered[["log_mean", "log_sd", "n"]].reset_index(drop=True)
    ratios = ratio(moments, moments.iloc[[best] * len(moments)])
    if moments["n"].iloc[best] > 1:
        ratios.loc[best, ["ratio", "low", "high"]] = 1.0
    return ratios


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
