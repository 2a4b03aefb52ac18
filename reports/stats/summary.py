"""Rounds to cases: one row for each run and case, its rounds aggregated as the vocabulary says."""

import numpy as np
import pandas as pd

from loaderbench.reports.records.frame import FACT
from loaderbench.reports.records.schema import IDENTITY
from loaderbench.reports.stats.intervals import half_width, rates
from loaderbench.reports.vocabulary import (
    METRICS,
    STEP_BENCHES,
    aggregated,
    names,
    of_workers,
    panel_settings,
    quotients,
    speed_only_settings,
)
from loaderbench.reports.wording import in_order, settings_of


def timed() -> tuple[str, ...]:
    """Return the prefixes of what is timed by itself: each has the metrics ``…samples`` and ``…seconds``.

    >>> timed()
    ('', 'loader_', 'step_')
    """
    prefixes = (name.removesuffix("samples") for name in METRICS if name.endswith("samples"))
    return tuple(prefix for prefix in prefixes if f"{prefix}seconds" in METRICS)


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run and case of a frame of `Records`.

    The columns: run, case, bench, the settings (those with a column of their own always), rounds (their number,
    warm-up not counted), the metrics of the vocabulary that it aggregates or derives, for each prefix of `timed` the
    moments ``log_mean``, ``log_sd`` and ``n`` of the rounds' log throughput, from which intervals are made, and facts.
    """
    rounds = frame[~frame["warmup"].astype(bool)]
    groups = pd.Series(rounds.groupby(["run", "case"], sort=False).ngroup(), index=rounds.index)
    columns = list(frame.columns)
    with_column = names(lambda setting: setting.has_column)
    settings = in_order({*settings_of(frame), *with_column})
    about = rounds.drop_duplicates(["run", "case"]).reindex(columns=[*IDENTITY, *settings]).reset_index(drop=True)
    parts = [
        _without_workers_blank(about),
        groups.value_counts(sort=False).sort_index().rename("rounds"),
        *_throughputs(rounds, groups),
        _quotients(rounds, groups),
        _aggregates(rounds, groups),
        rounds.groupby(groups, sort=False)[[name for name in columns if name.startswith(FACT)]].first(),
    ]
    return _with_bounds(pd.concat(parts, axis="columns"))


def latest(cases: pd.DataFrame) -> pd.DataFrame:
    """Keep for each bench, dataset and device the cases of the newest run that has it.

    Runs are other processes at other times: their cases are listed together but never compared or averaged.
    Rows must stand oldest run first, as `Records` has them.
    """
    newest = cases.groupby(["bench", *panel_settings()], dropna=False, sort=False)["run"].transform("last")
    return cases[cases["run"] == newest]


def _without_workers_blank(about: pd.DataFrame) -> pd.DataFrame:
    """Blank the speed-only settings of workers where there are none: at 0 workers, persistent or not is the same case.

    A setting that changes more than speed, such as in_order, keeps its value: it says with which cases a case is
    compared.
    """
    is_alone = about["num_workers"] == 0
    blanked = [name for name in speed_only_settings() if name in of_workers() and name in about]
    return about.assign(**{name: about[name].mask(is_alone) for name in blanked})


def _metric(rounds: pd.DataFrame, name: str) -> pd.Series:
    """Return a metric's column; a metric that no case has is missing in all."""
    return rounds[name] if name in rounds else pd.Series(np.nan, index=rounds.index)


def _throughputs(rounds: pd.DataFrame, groups: pd.Series) -> list[pd.DataFrame]:
    return [
        rates(_metric(rounds, f"{prefix}samples"), _metric(rounds, f"{prefix}seconds"), groups)
        .rename(columns={"rate": "samples_per_s"})
        .add_prefix(prefix)
        for prefix in timed()
    ]


def _quotients(rounds: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Return each quotient of the vocabulary but the throughputs, and the error beside a known value."""
    throughputs = {f"{prefix}samples_per_s" for prefix in timed()}
    others = {name: totals for name, totals in quotients().items() if name not in throughputs}
    amounts = {amount: _metric(rounds, amount) for amount, _ in others.values()}
    amounts["wait_s"] = amounts["wait_s"].where(rounds["bench"].isin(STEP_BENCHES))
    error = (_metric(rounds, "measured") / _metric(rounds, "truth").replace(0, np.nan) - 1).groupby(groups)
    return pd.DataFrame(
        {
            **{
                name: rates(amounts[amount], _metric(rounds, per), groups)["rate"]
                for name, (amount, per) in others.items()
            },
            "truth": _metric(rounds, "truth").groupby(groups).median(),
            "error": error.median(),
            "low_error": error.quantile(0.25),
            "high_error": error.quantile(0.75),
        }
    )


def _aggregates(rounds: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Return the median over rounds of most metrics, as one round may be odd, and the largest value of others."""
    medians, largest = aggregated("median"), aggregated("max")
    metrics = pd.DataFrame({name: _metric(rounds, name) for name in (*medians, *largest)})
    # Of the same round: what the process held before its loader drifts from case to case by more than a worker costs.
    metrics["added_pss_bytes"] = metrics["pss_bytes"] - metrics["base_pss_bytes"]
    grouped = metrics.groupby(groups)
    return pd.concat([grouped[[*medians, "added_pss_bytes"]].median(), grouped[list(largest)].max()], axis="columns")


def _with_bounds(cases: pd.DataFrame) -> pd.DataFrame:
    width = np.exp(half_width(cases["log_sd"], cases["n"]))
    bound = cases[["loader_samples_per_s", "step_samples_per_s"]].min(axis="columns", skipna=False)
    return cases.assign(
        spread=cases["log_sd"],
        low_samples_per_s=cases["samples_per_s"] / width,
        high_samples_per_s=cases["samples_per_s"] * width,
        bound_samples_per_s=bound,
        overlap=cases["samples_per_s"] / bound,
    )
