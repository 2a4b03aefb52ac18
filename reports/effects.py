"""What one setting does at otherwise equal settings: ratios of throughput, case against case."""

from collections.abc import Iterator

import pandas as pd

from loaderbench.reports.intervals import pooled, ratio
from loaderbench.reports.settings import SUBJECT, levels, plain_number, settings_of

# The axes of the throughput figures: shown there level by level, not as one effect.
SURVEYED = frozenset({"dataset", "device", "model", "num_workers", "batch_size", "quantity", "batch_bytes"})


def pairs(cases: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each pair of cases of one run that differ in one setting alone.

    Every level of a setting is compared with its smallest. Columns: run, bench, dataset, device, setting,
    level, base, rounds (of the two cases, the smaller number), ratio, low, high (within-run, Welch), log_se, freedom.
    """
    timed = cases[cases["samples_per_s"].notna()]
    found = [pair for name in settings_of(cases) if name not in SURVEYED for pair in _of_setting(timed, name)]
    found = [pair for pair in found if len(pair)]
    return (
        pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=["bench", *SUBJECT, "setting", "base", "level"])
    )


def _of_setting(cases: pd.DataFrame, setting: str) -> Iterator[pd.DataFrame]:
    """Pair within each bench, dataset and device: a setting's smallest level may differ between them."""
    varied = cases[cases[setting].notna()]
    for _, subject in varied.groupby(["bench", *SUBJECT], sort=False, dropna=False):
        found = levels(subject, setting)
        for level in found[1:]:
            yield _against(subject, setting, base=found[0], level=level)


def _against(cases: pd.DataFrame, setting: str, *, base: object, level: object) -> pd.DataFrame:
    equal = ["run", "bench", *(name for name in settings_of(cases) if name != setting)]
    below, above = (cases.loc[cases[setting] == value, [*equal, *_MOMENTS]] for value in (base, level))
    both = above.merge(below, on=equal, suffixes=("", "_base"))
    rounds = both[["n", "n_base"]].min(axis="columns")
    about = both[["run", "bench", *SUBJECT]].assign(
        setting=setting, base=_worded(base), level=_worded(level), rounds=rounds
    )
    ratios = ratio(both[_MOMENTS], both[[f"{name}_base" for name in _MOMENTS]].set_axis(_MOMENTS, axis="columns"))
    return pd.concat([about, ratios], axis="columns")


_MOMENTS = ["log_mean", "log_sd", "n"]


def _worded(value: object) -> str:
    return str(value) if isinstance(value, bool) else plain_number(value)


def effects(paired: pd.DataFrame) -> pd.DataFrame:
    """Pool pairs: a row for each bench, dataset, device, setting and level.

    ratio, low and high hold the rounds' spread only; `ratios` lists the pairs' own, which show where the effect itself
    depends on the other settings. `rounds` is the smallest number of rounds of a case.
    """
    grouped = paired.groupby(["bench", *SUBJECT, "setting", "base", "level"], sort=False, dropna=False)
    rows = [{**dict(zip(grouped.keys, key, strict=True)), **pooled(held), **_pairs_of(held)} for key, held in grouped]
    return pd.DataFrame(rows)


def _pairs_of(held: pd.DataFrame) -> dict[str, object]:
    return {"ratios": held["ratio"].to_numpy(), "rounds": held["rounds"].min()}
