"""Rounds to cases: one row for each run and case, with what its rounds amount to."""

import numpy as np
import pandas as pd

from loaderbench.reports.records.frame import FACT
from loaderbench.reports.records.schema import IDENTITY
from loaderbench.reports.stats.intervals import half_width, rates
from loaderbench.reports.vocabulary import aggregated, names, of_workers, subjects
from loaderbench.reports.wording import in_order

# The three throughputs of a training case, by the prefix of their columns: together, loader alone, step alone.
SIDES = ("", "loader_", "step_")


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run and case of a frame of `Records`.

    The columns: run, case, bench, the settings (those with a column of their own always), rounds (their number,
    warm-up not counted), the metrics of the vocabulary, aggregated as it says, and for each side of `SIDES` the moments
    ``log_mean``, ``log_sd`` and ``n`` of its rounds' log throughput, from which intervals are made.
    """
    rounds = frame[~frame["warmup"].astype(bool)]
    groups = pd.Series(rounds.groupby(["run", "case"], sort=False).ngroup(), index=rounds.index)
    named = list(frame.columns)
    settings = in_order(
        {*named[named.index("bench") + 1 : named.index("warmup")], *names(lambda setting: setting.has_column)}
    )
    about = rounds.drop_duplicates(["run", "case"]).reindex(columns=[*IDENTITY, *settings]).reset_index(drop=True)
    parts = [
        _without_idle(about),
        groups.value_counts(sort=False).sort_index().rename("rounds"),
        *_throughputs(rounds, groups),
        _shares(rounds, groups),
        _statistics(rounds, groups),
        rounds.groupby(groups, sort=False)[[name for name in named if name.startswith(FACT)]].first(),
    ]
    return _with_bounds(pd.concat(parts, axis="columns"))


def _without_idle(about: pd.DataFrame) -> pd.DataFrame:
    """Blank the settings of workers where there are none: at 0 workers, persistent or not is the same case."""
    alone = about["num_workers"] == 0
    return about.assign(**{name: about[name].mask(alone) for name in of_workers() if name in about})


def _throughputs(rounds: pd.DataFrame, groups: pd.Series) -> list[pd.DataFrame]:
    return [
        rates(_held(rounds, f"{side}samples"), _held(rounds, f"{side}seconds"), groups)
        .rename(columns={"rate": "samples_per_s"})
        .add_prefix(side)
        for side in SIDES
    ]


def _held(rounds: pd.DataFrame, name: str) -> pd.Series:
    """Return a metric's column; a metric that no case has is missing in all."""
    return rounds[name] if name in rounds else pd.Series(np.nan, index=rounds.index)


def _shares(rounds: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Return quotients of totals over the rounds that know both."""
    seconds = _held(rounds, "seconds")
    error = _held(rounds, "reading") / _held(rounds, "truth").replace(0, np.nan) - 1
    return pd.DataFrame(
        {
            "stall_share": rates(_held(rounds, "wait_s").where(rounds["bench"] == "training"), seconds, groups)["rate"],
            "cpu_share": rates(_held(rounds, "cpu_s"), seconds, groups)["rate"],
            "cpu_per_sample_s": rates(_held(rounds, "cpu_s"), _held(rounds, "samples"), groups)["rate"],
            "bytes_per_s": rates(_held(rounds, "bytes"), seconds, groups)["rate"],
            "truth": _held(rounds, "truth").groupby(groups).median(),
            "error": error.groupby(groups).median(),
            "low_error": error.groupby(groups).quantile(0.25),
            "high_error": error.groupby(groups).quantile(0.75),
        }
    )


def _statistics(rounds: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    held = pd.DataFrame({name: _held(rounds, name) for name in (*aggregated("median"), *aggregated("max"))})
    # Of the same round: what the process held before its loader drifts from case to case by more than a worker costs.
    held["added_pss_bytes"] = held["pss_bytes"] - held["base_pss_bytes"]
    grouped = held.groupby(groups)
    medians = grouped[[*aggregated("median"), "added_pss_bytes"]].median()
    return pd.concat([medians, grouped[list(aggregated("max"))].max()], axis="columns")


def _with_bounds(cases: pd.DataFrame) -> pd.DataFrame:
    width = np.exp(half_width(cases["log_sd"], cases["n"]))
    alone = cases[["loader_samples_per_s", "step_samples_per_s"]]
    bound = alone.min(axis="columns", skipna=False)
    return cases.assign(
        spread=cases["log_sd"],
        low_samples_per_s=cases["samples_per_s"] / width,
        high_samples_per_s=cases["samples_per_s"] * width,
        bound_samples_per_s=bound,
        overlap=cases["samples_per_s"] / bound,
    )


def latest(cases: pd.DataFrame) -> pd.DataFrame:
    """Keep for each bench, dataset and device the cases of the newest run that has it.

    Runs are other processes at other times: their cases are listed together but never compared or averaged.
    Rows must stand oldest run first, as `Records` has them.
    """
    newest = cases.groupby(["bench", *subjects()], dropna=False, sort=False)["run"].transform("last")
    return cases[cases["run"] == newest]
