"""What one setting does at otherwise equal settings: ratios of throughput, case against case."""

from collections.abc import Iterator

import pandas as pd

from loaderbench.reports.stats.intervals import pooled, ratio
from loaderbench.reports.vocabulary import subjects
from loaderbench.reports.wording import SWITCH, levels, plain_number, settings_of

MOST_LEVELS = 24  # of one setting, the smallest
MOMENTS = ("log_mean", "log_sd", "n")

# The axes of the throughput figures: shown there level by level, not as one effect.
SURVEYED = frozenset({"dataset", "device", "model", "num_workers", "batch_size", "quantity", "batch_bytes"})


def pairs(cases: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each pair of cases of one run that differ in one setting alone.

    Every level of a setting is compared with its smallest. Columns: run, bench, dataset, device, setting,
    level, base, rounds (of the two cases, the smaller number), ratio, low, high (within-run, Welch), log_se, freedom.
    """
    timed = cases[cases["samples_per_s"].notna()]
    codes = pd.DataFrame(
        {name: timed[name].factorize()[0] for name in ("run", "bench", *settings_of(cases))}, timed.index
    )
    found = [
        pair
        for setting in settings_of(cases)
        if setting not in SURVEYED
        for pair in _of_setting(timed, setting, codes.drop(columns=setting))
    ]
    if not found:
        return pd.DataFrame(columns=["bench", *subjects(), "setting", "base", "level"])
    return pd.concat(found, ignore_index=True)


def _of_setting(cases: pd.DataFrame, setting: str, others: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Pair within each bench, dataset and device: a setting's smallest level may differ between them."""
    named = cases[["run", "bench", *subjects(), *MOMENTS]].assign(
        value=cases[setting], equal=others.groupby(list(others.columns), sort=False).ngroup()
    )
    for _, subject in named[named["value"].notna()].groupby(["bench", *subjects()], sort=False, dropna=False):
        base, *higher = levels(subject, "value", setting)[:MOST_LEVELS]
        for level in higher:
            about = {"setting": setting, "base": _worded(base), "level": _worded(level)}
            pair = _paired(subject[subject["value"] == level], subject[subject["value"] == base])
            if len(pair):
                yield pair.assign(**about)


def _paired(above: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios of cases with all else ``equal``; of cases alike in all settings the first counts."""
    above, below = (side.drop_duplicates("equal").set_index("equal") for side in (above, below))
    shared = above.index.intersection(below.index)
    above, below = above.loc[shared].reset_index(drop=True), below.loc[shared].reset_index(drop=True)
    about = above[["run", "bench", *subjects()]].assign(rounds=above["n"].clip(upper=below["n"]))
    return pd.concat([about, ratio(above, below)], axis="columns")


def _worded(value: object) -> str:
    return str(value) if isinstance(value, SWITCH) else plain_number(value)


def effects(paired: pd.DataFrame) -> pd.DataFrame:
    """Pool pairs: a row for each bench, dataset, device, setting and level.

    ratio, low and high hold the rounds' spread only; `ratios` lists the pairs' own, which show where the effect itself
    depends on the other settings. `rounds` is the smallest number of rounds of a case.
    """
    grouped = paired.groupby(["bench", *subjects(), "setting", "base", "level"], sort=False, dropna=False)
    rows = [{**dict(zip(grouped.keys, key, strict=True)), **pooled(held), **_pairs_of(held)} for key, held in grouped]
    return pd.DataFrame(rows)


def _pairs_of(held: pd.DataFrame) -> dict[str, object]:
    return {"ratios": held["ratio"].to_numpy(), "rounds": held["rounds"].min()}
