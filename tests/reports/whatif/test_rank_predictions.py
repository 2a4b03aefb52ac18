"""What was predicted of many ranks, beside what was measured, on made-up numbers."""

from typing import Any

import pandas as pd
import pytest
from made_up_predictions import made_up_whatif

from loaderbench.reports.stats.rank_scaling import RankScaling
from loaderbench.reports.whatif.rank_predictions import PREDICTED, is_predicted, with_predictions
from loaderbench.reports.whatif.simulation import Scenario
from loaderbench.reports.whatif.whatif_record import Prediction

CASE = {"bench": "ranks", "dataset": "mine:Train", "num_workers": 4, "batch_size": 32, "fact_hosts": 1}


def measured(**changed: Any) -> RankScaling:
    """One rank, and two."""
    cases = pd.DataFrame([CASE | {"world_size": ranks} | changed for ranks in (1, 2)])
    return RankScaling(
        cases=cases, ranks=pd.DataFrame(), slowest=None, busy_share=0.5, repeated_share=0.0, limit="none"
    )


def predicted(**changed: Any) -> Prediction:
    scenario = Scenario(**{"num_workers": 4, "cpus": 2, "ranks": 2} | changed)
    return Prediction(scenario=scenario, batch_size=32, batch_s=0.04, low_s=0.02, high_s=0.08, error=0.1)


def test_a_prediction_is_of_the_case_with_its_settings() -> None:
    scaling = with_predictions(measured(), [made_up_whatif(predictions=(predicted(),))], cpus=2)
    assert scaling.cases["predicted"].isna().tolist() == [True, False]
    assert scaling.cases.loc[1, list(PREDICTED)].tolist() == [1600.0, 800.0, 3200.0]
    assert is_predicted(scaling)


@pytest.mark.parametrize(
    ("case", "scenario"),
    [
        ({"dataset": "images"}, {}),
        ({"bench": "ranks_training"}, {}),
        ({"batch_size": 64}, {}),
        ({"fact_hosts": 2}, {}),
        ({"prefetch_factor": 8}, {}),
        ({}, {"num_workers": 2}),
        ({}, {"cpus": 16}),
        ({}, {"step_s": 0.02}),
        ({}, {"storage_bytes_per_s": 1e9}),
    ],
)
def test_a_prediction_of_something_else_is_not_drawn(case: dict[str, Any], scenario: dict[str, Any]) -> None:
    record = made_up_whatif(predictions=(predicted(**scenario),))
    assert not is_predicted(with_predictions(measured(**case), [record], cpus=2))
