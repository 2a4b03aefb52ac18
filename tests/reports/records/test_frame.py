"""Run files become one tidy frame; what cannot be used is told in a line, and the rest is still read."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutations

from loaderbench.reports.records.frame import read_records
from loaderbench.reports.stats.recommendation import recommend
from loaderbench.reports.stats.summary import latest, summarise

Document = dict[str, Any]


@pytest.fixture
def document(synthetic: Callable[..., Any]) -> Document:
    return synthetic().epochs(4, 3)


def only_fault(records: Any) -> str:
    (fault,) = records.faults
    assert "\n" not in str(fault)
    return str(fault)


def test_a_row_is_a_run_a_case_and_a_round(records_of: Callable[..., Any], document: Document) -> None:
    frame = records_of(document).frame
    measured = frame[~frame["warmup"]]
    assert len(measured) == 4 * 3
    assert not measured.duplicated(["run", "case", "round"]).any()


def test_warm_up_rounds_are_kept_and_marked(records_of: Callable[..., Any], document: Document) -> None:
    frame = records_of(document).frame
    assert frame["warmup"].sum() == 4
    assert (frame[frame["warmup"]]["round"] == 0).all()


def test_settings_and_metrics_are_columns_with_the_values_of_the_file(
    records_of: Callable[..., Any], document: Document
) -> None:
    frame = records_of(document).frame
    case = document["benchmarks"][1]
    rows = frame[(frame["case"] == case["name"]) & ~frame["warmup"]]
    assert rows["seconds"].tolist() == case["extra_info"]["rounds"]["seconds"]
    assert set(rows["batch_size"]) == {case["extra_info"]["settings"]["batch_size"]}


def test_what_is_missing_is_nan_and_never_zero(records_of: Callable[..., Any], document: Document) -> None:
    document["benchmarks"][0]["extra_info"]["rounds"]["wait_s"] = [None, 0.5, None]
    del document["benchmarks"][1]["extra_info"]["rounds"]["wait_s"]
    frame = records_of(document).frame
    rows = frame[~frame["warmup"]].groupby("case", sort=False)["wait_s"].apply(list)
    assert rows.iloc[0] == pytest.approx([math.nan, 0.5, math.nan], nan_ok=True)
    assert np.isnan(rows.iloc[1]).all()


def test_any_number_of_runs_are_read_oldest_first(
    write: Callable[..., Path], synthetic: Callable[..., Any], document: Document
) -> None:
    later = synthetic(seed=1).epochs(2, 3)
    later["loaderbench"] |= {"run": "later", "started": "2026-11-24T10:00:00+00:00"}
    records = read_records([write(later, "b"), write(document, "a")])
    assert [run.name for run in records.runs] == [document["loaderbench"]["run"], "later"]
    assert records.frame["run"].nunique() == 2


def test_a_run_given_twice_is_used_once(write: Callable[..., Path], document: Document) -> None:
    records = read_records([write(document, "a"), write(document, "b")])
    assert len(records.runs) == 1
    assert "again" in only_fault(records)


def test_failed_and_skipped_cases_keep_settings_and_reason(records_of: Callable[..., Any], document: Document) -> None:
    entry = {
        "name": "bench_epoch[x]",
        "bench": "epoch",
        "settings": {"num_workers": 64},
        "reason": "killed",
        "phase": "call",
    }
    document["loaderbench"]["failed"] = [entry]
    missed = records_of(document).missed
    assert missed[["case", "status", "reason", "num_workers"]].to_numpy().tolist() == [
        ["bench_epoch[x]", "failed", "killed", 64]
    ]


def test_what_cannot_be_used_is_one_line_and_the_others_are_read(
    write: Callable[..., Path], document: Document
) -> None:
    records = read_records([write("", "bad"), write(document, "good")])
    assert [run.name for run in records.runs] == [document["loaderbench"]["run"]]
    assert only_fault(records) == f"{records.faults[0].path}: run.json: is cut off: it ends in the middle"


def test_a_metric_that_is_a_setting_of_another_case_costs_its_case_alone(
    records_of: Callable[..., Any], document: Document
) -> None:
    document["benchmarks"][0]["extra_info"]["rounds"]["dataset"] = [1, 2, 3]
    records = records_of(document)
    assert records.frame["case"].nunique() == 3
    assert "dataset is a setting, not a metric" in only_fault(records)


def test_many_faults_of_a_file_are_one_line(records_of: Callable[..., Any], document: Document) -> None:
    for case in document["benchmarks"][:3]:
        case["extra_info"]["rounds"]["seconds"] = "fast"
    assert only_fault(records_of(document)).endswith("(and 2 more)")


def test_settings_of_mixed_kinds_become_text(records_of: Callable[..., Any], document: Document) -> None:
    for case, value in zip(document["benchmarks"], ("x", 1, True, 2.5), strict=True):
        case["extra_info"]["settings"]["zeal"] = value
    assert set(records_of(document).frame["zeal"]) == {"x", "1", "True", "2.5"}


def test_names_without_end_do_not_make_columns_without_end(records_of: Callable[..., Any], document: Document) -> None:
    for number, case in enumerate(document["benchmarks"] * 20):
        case["extra_info"]["settings"] |= {f"setting {number} {i}": i for i in range(50)}
    records = records_of(document)
    assert records.frame.shape[1] < 300
    assert records.faults


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_file_holds_the_others_are_summarised(
    tmp_path: Path, write: Callable[..., Path], synthetic: Callable[..., Any], data: st.DataObject
) -> None:
    good = synthetic(seed=1).epochs(2, 2)
    good["loaderbench"]["run"] = "good"
    (tmp_path / "run.json").write_text(data.draw(mutations(synthetic().epochs(2, 2))))
    records = read_records([tmp_path / "run.json", write(good, "good")])
    assert "good" in {run.name for run in records.runs}
    assert len(recommend(latest(summarise(records.frame)))) >= 1
