"""The smallest setting that is shown to be as good as the best, and which smaller ones are open."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from made_up_rates import RatedCases, around

from loaderbench.reports.stats.recommendation import Recommendation, choose, recommend

Document = dict[str, Any]
Recommended = Callable[[RatedCases], Recommendation]


@pytest.fixture
def recommended(cases_of: Callable[..., pd.DataFrame]) -> Recommended:
    return lambda rated: recommend(cases_of(rated.document()))[0]


def test_fewer_workers_win_where_they_are_shown_to_be_as_good(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(500), workers=0).epoch(around(995), workers=1).epoch(around(1000), workers=2)
    assert recommended(rated).headline.setting == "num_workers=1"


def test_no_workers_are_compared_with_some_though_order_means_nothing_without_them(
    rated: RatedCases, recommended: Recommended
) -> None:
    for workers in (0, 1, 2):
        rated.epoch(around(1000), workers=workers, in_order=True)
    assert recommended(rated).headline.tried == 3


def test_more_workers_win_where_they_are_faster(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(500), workers=0).epoch(around(800), workers=1).epoch(around(1000), workers=2)
    assert recommended(rated).headline.setting == "num_workers=2"


def test_a_slowdown_nobody_would_start_a_process_for_is_as_good(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(990, 1e-5), workers=0).epoch(around(1000, 1e-5), workers=1)
    assert recommended(rated).headline.setting == "num_workers=0"


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ({"prefetch_factor": 2}, {"prefetch_factor": 8}),
        ({"pin_memory": False}, {"pin_memory": True}),
        ({"persistent_workers": False}, {"persistent_workers": True}),
        ({"start_method": "fork"}, {"start_method": "spawn"}),
        ({"num_workers": 1, "prefetch_factor": 8}, {"num_workers": 2, "prefetch_factor": 2}),
    ],
    ids=str,
)
def test_of_settings_that_are_as_good_the_cheaper_is_chosen(
    rated: RatedCases, cases_of: Callable[..., pd.DataFrame], smaller: Document, larger: Document
) -> None:
    for settings in (larger, smaller):
        rated.epoch(around(1000), workers=settings.get("num_workers", 2), **{**settings, "zeal": "same"})
    for case, settings in zip(rated.cases, (larger, smaller), strict=True):
        case["extra_info"]["settings"] |= settings
    chosen = choose(cases_of(rated.document())).chosen
    assert {name: chosen[name] for name in smaller} == smaller


def test_what_is_not_shown_to_be_worse_is_not_therefore_as_good(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(965, 0.05), workers=0).epoch(around(1000, 0.05), workers=1)
    choice = recommended(rated).headline
    assert (choice.setting, choice.is_shown) == ("num_workers=1", True)
    assert choice.undecided["num_workers"].tolist() == [0]


def test_what_is_shown_to_be_worse_is_not_open(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(900), workers=0).epoch(around(1000), workers=1)
    choice = recommended(rated).headline
    assert (choice.setting, choice.is_shown, len(choice.undecided)) == ("num_workers=1", True, 0)


def test_the_ratio_to_the_best_comes_with_its_lower_bound(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(995, 0.005), workers=0).epoch(around(1000, 0.005), workers=1)
    choice = recommended(rated).headline
    assert 0.97 < choice.at_least < choice.ratio == pytest.approx(0.995)
    assert choice.against["num_workers"] == 1


def test_one_round_shows_nothing(rated: RatedCases, recommended: Recommended) -> None:
    choice = recommended(rated.epoch([900.0], workers=0).epoch([1000.0], workers=1)).headline
    assert (choice.setting, choice.is_shown) == ("num_workers=1", False)
    assert choice.undecided["num_workers"].tolist() == [0]


def test_the_best_is_as_good_where_all_others_are_shown_to_be_worse(
    rated: RatedCases, recommended: Recommended
) -> None:
    rated.epoch(around(500), workers=0).epoch(around(1000), workers=1)
    choice = recommended(rated).headline
    assert choice.is_shown
    assert (choice.ratio, choice.against["num_workers"]) == (1, 0)
    assert choice.at_least > 1.9


def test_full_training_counts_for_more_than_the_loader_alone(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(1000), workers=0).epoch(around(4000), workers=2)
    rated.training(around(400), loader=1000, workers=0).training(around(400), loader=4000, workers=2)
    recommendation = recommended(rated)
    assert (recommendation.bench, recommendation.headline.setting) == ("training", "num_workers=0")


def test_batch_sizes_are_not_traded_for_workers(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(500), workers=0).epoch(around(800), workers=1)
    rated.epoch(around(900), workers=0, batch_size=256).epoch(around(1000), workers=1, batch_size=256)
    choices = recommended(rated).choices
    assert [choice.chosen["batch_size"] for choice in choices] == [256, 32]
    assert [choice.setting for choice in choices] == ["num_workers=1", "num_workers=1"]


def test_an_open_setting_comes_with_its_own_interval(rated: RatedCases, recommended: Recommended) -> None:
    rated.epoch(around(1000), workers=2).epoch(around(500), workers=1).epoch(around(900, 0.3), workers=0)
    (undecided,) = recommended(rated).headline.undecided.to_dict("records")
    assert undecided["num_workers"] == 0
    assert undecided["ratio"] == pytest.approx(0.9)  # of the geometric means
    assert undecided["low"] < undecided["ratio"] < undecided["high"]


def test_nothing_measured_is_nothing_recommended(synthetic: Callable[..., Any], cases_of: Callable[..., Any]) -> None:
    source = synthetic()
    document = source.document([source.case("fidelity", {"quantity": "busy"}, 3)])
    assert recommend(cases_of(document)) == []


def test_of_many_batch_sizes_the_fastest_are_kept(rated: RatedCases, recommended: Recommended) -> None:
    for batch in range(1, 41):
        rated.epoch(around(1000 + batch), workers=0, batch_size=batch)
    choices = recommended(rated).choices
    assert [choice.chosen["batch_size"] for choice in choices] == list(range(40, 16, -1))


def test_datasets_and_devices_are_told_apart(rated: RatedCases, cases_of: Callable[..., pd.DataFrame]) -> None:
    rated.epoch(around(1000), workers=0).epoch(around(1000), workers=0, dataset="text")
    rated.epoch(around(1000), workers=0, device="cuda")
    subjects = [(one.dataset, one.device) for one in recommend(cases_of(rated.document()))]
    assert subjects == [
        ("images", "cpu"),
        ("images", "cuda"),
        ("text", "cpu"),
    ]


@pytest.mark.parametrize(
    ("loader", "stall", "limit"),
    [(120, 0.7, "loading"), (1540, 0.02, "step"), (800, 0.35, "turns"), (411, 0.02, "open")],
)
def test_the_slower_of_loader_and_step_is_the_bottleneck(
    rated: RatedCases, recommended: Recommended, loader: float, stall: float, limit: str
) -> None:
    rated.training(around(100), loader=loader, step=410, stall=stall, workers=0)
    assert recommended(rated).bottleneck == limit


def test_without_training_the_bottleneck_is_unknown(rated: RatedCases, recommended: Recommended) -> None:
    assert recommended(rated.epoch(around(500), workers=0)).bottleneck == "unknown"
