"""What was predicted of as many ranks as were measured, beside the measurement."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from loaderbench.reports.records.frame import FACT
from loaderbench.reports.stats.rank_scaling import RankScaling
from loaderbench.reports.whatif.whatif_record import Prediction, WhatIf

PREDICTED = ("predicted", "low_predicted", "high_predicted")  # columns, in samples/s of all ranks together
_SAME = ("num_workers", "prefetch_factor", "in_order")  # settings that a scenario has too


def with_predictions(scaling: RankScaling, records: Sequence[WhatIf], cpus: float) -> RankScaling:
    """Return `scaling` with the columns `PREDICTED`: of the last of `records` that asked about a case; else NaN.

    A prediction is of the case that has its dataset, batch size, workers and ranks, on one host with `cpus`, without a
    step and without storage that was made up.
    """
    rows = [_rates(row, records, cpus) for _, row in scaling.cases.iterrows()]
    return replace(scaling, cases=scaling.cases.assign(**dict(zip(PREDICTED, zip(*rows, strict=True), strict=True))))


def is_predicted(scaling: RankScaling) -> bool:
    """Return whether any of its cases was predicted."""
    return PREDICTED[0] in scaling.cases and bool(scaling.cases[PREDICTED[0]].notna().any())


def _rates(case: "pd.Series[Any]", records: Sequence[WhatIf], cpus: float) -> tuple[float, float, float]:
    for record in reversed(records):
        for prediction in record.predictions:
            if record.dataset == case["dataset"] and _is_of(prediction, case, cpus):
                samples = prediction.scenario.ranks * prediction.batch_size
                return prediction.samples_per_s, samples / prediction.high_s, samples / prediction.low_s
    return float("nan"), float("nan"), float("nan")


def _is_of(prediction: Prediction, case: "pd.Series[Any]", cpus: float) -> bool:
    scenario = prediction.scenario
    if case["bench"] != "ranks" or scenario.step_s or scenario.storage_bytes_per_s or case.get(f"{FACT}hosts", 1) != 1:
        return False
    names = _SAME if scenario.num_workers else _SAME[:1]
    settings = [(getattr(scenario, name), case[name]) for name in names if name in case and pd.notna(case[name])]
    wanted = [
        (scenario.ranks, case["world_size"]),
        (scenario.cpus, cpus),
        (prediction.batch_size, case.get("batch_size")),
    ]
    return all(asked == measured for asked, measured in [*settings, *wanted])
