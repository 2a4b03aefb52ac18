"""What one setting does at otherwise equal settings: ratios of throughput, case against case."""

from collections.abc import Iterator

import pandas as pd

from loaderbench.reports.stats.intervals import pooled, ratio
from loaderbench.reports.vocabulary import names, panel_settings
from loaderbench.reports.wording import SWITCH, levels, plain_number, settings_of

MOST_LEVELS = 24  # of one setting, the smallest
MOMENTS = ("log_mean", "log_sd", "n")
DRAWN_AS_LINES = ("num_workers", "batch_size")  # the figures of throughput show them level by level


def paired_ratios(cases: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each pair of cases of one run that differ in one setting alone.

    Each level of a setting is compared with its smallest. Columns: run, bench, dataset, device, setting,
    level, base, rounds (of the two cases, the smaller number), ratio, low, high (within-run, Welch), log_se, freedom.
    """
    timed = cases[cases["samples_per_s"].notna()]
    settings = settings_of(cases)
    codes = pd.DataFrame({name: timed[name].factorize()[0] for name in ("run", "bench", *settings)}, timed.index)
    not_compared = {*panel_settings(), *names(lambda setting: not setting.is_swept), *DRAWN_AS_LINES}
    ratios = [
        pairs
        for setting in settings
        if setting not in not_compared
        for pairs in _ratios_of(setting, timed, codes.drop(columns=setting))
    ]
    if not ratios:
        return pd.DataFrame(columns=["bench", *panel_settings(), "setting", "base", "level"])
    return pd.concat(ratios, ignore_index=True)


def pooled_effects(ratios: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled ratio for each bench, subject, setting and level.

    ratio, low and high hold the rounds' spread only; `ratios` lists the pairs' own, which show where the effect itself
    depends on the other settings. `rounds` is the smallest number of rounds of a case.
    """
    keys = ["bench", *panel_settings(), "setting", "base", "level"]
    return pd.DataFrame(
        [
            {
                **dict(zip(keys, key, strict=True)),
                **pooled(pairs),
                "ratios": pairs["ratio"].to_numpy(),
                "rounds": pairs["rounds"].min(),
            }
            for key, pairs in ratios.groupby(keys, sort=False, dropna=False)
        ]
    )


def _ratios_of(setting: str, cases: pd.DataFrame, others: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Pair within each bench and subject: a setting's smallest level may differ between them."""
    named = cases[["run", "bench", *panel_settings(), *MOMENTS]].assign(
        value=cases[setting], others=others.groupby(list(others.columns), sort=False).ngroup()
    )
    for _, subject in named[named["value"].notna()].groupby(["bench", *panel_settings()], sort=False, dropna=False):
        base, *higher = levels(subject, "value", setting)[:MOST_LEVELS]
        for level in higher:
            pairs = _paired(subject[subject["value"] == level], subject[subject["value"] == base])
            if len(pairs):
                yield pairs.assign(setting=setting, base=_text(base), level=_text(level))


def _paired(above: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios of cases whose `others` are equal; of cases alike in all settings the first counts."""
    above, below = (side.drop_duplicates("others").set_index("others") for side in (above, below))
    shared = above.index.intersection(below.index)
    above, below = above.loc[shared].reset_index(drop=True), below.loc[shared].reset_index(drop=True)
    about = above[["run", "bench", *panel_settings()]].assign(rounds=above["n"].clip(upper=below["n"]))
    return pd.concat([about, ratio(above, below)], axis="columns")


def _text(value: object) -> str:
    return str(value) if isinstance(value, SWITCH) else plain_number(value)
