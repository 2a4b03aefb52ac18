"""Run files become one tidy frame; what cannot be used is told in a line, and the rest is still read."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaderbench.reports.records.frame import read
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
    records = read([write(later, "b"), write(document, "a")])
    assert [run.name for run in records.runs] == [document["loaderbench"]["run"], "later"]
    assert records.frame["run"].nunique() == 2


def test_a_run_given_twice_is_used_once(write: Callable[..., Path], document: Document) -> None:
    records = read([write(document, "a"), write(document, "b")])
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


def test_a_killed_run_is_read_from_its_journal(write: Callable[..., Path], document: Document) -> None:
    head = {**document, "loaderbench": {**document["loaderbench"], "complete": False, "finished": None}}
    cases = head.pop("benchmarks")
    lines = [json.dumps(head), *(json.dumps({"benchmark": case}) for case in cases)]
    records = read([write("\n".join(lines)[:-40], name="run.jsonl")])
    assert records.runs[0].completeness == "interrupted: 3 of 4 cases"
    assert not records.faults


def test_a_journal_is_read_where_the_record_is_torn(write: Callable[..., Path], document: Document) -> None:
    head = {name: held for name, held in document.items() if name != "benchmarks"}
    lines = [json.dumps(head), *(json.dumps({"benchmark": case}) for case in document["benchmarks"]), ""]
    write("\n".join(lines), name="run.jsonl")
    records = read([write(json.dumps(document)[:500])])
    assert records.runs[0].ended == 4
    assert "its run.jsonl was read instead" in only_fault(records)


def test_a_broken_line_of_a_journal_costs_that_line_alone(write: Callable[..., Path], document: Document) -> None:
    head = {name: held for name, held in document.items() if name != "benchmarks"}
    good = json.dumps({"benchmark": document["benchmarks"][0]})
    records = read([write("\n".join([json.dumps(head), "{oops", good, ""]), name="run.jsonl")])
    assert records.runs[0].ended == 1
    assert "line 2" in only_fault(records)


FAULTY_FILES = {
    "": "cut off",
    '{"loaderbench": {"schema": 2, "run": "x"': "cut off",
    "[1, 2]": "not a loaderbench run",
    "not json": "is not JSON: Expecting value at line 1 column 1",
    '{"benchmarks": [], "loaderbench": []}': "no loaderbench block",
    '{"benchmarks": [], "loaderbench": {"run": "x"}}': "it has no schema",
    '{"benchmarks": [], "loaderbench": {"schema": 1, "run": "x"}}': "has schema 1; this loaderbench reads schema 2",
    '{"benchmarks": {}, "loaderbench": {"schema": 2}}': "benchmarks: expected array, got object",
    '{"benchmarks": [], "loaderbench": {"schema": 2}}': "loaderbench.run is missing",
    '{"a":' * 100_000: "not a usable JSON",
    '{"benchmarks": [' + "9" * 5000 + "]}": "not a usable JSON",
}


@pytest.mark.parametrize(("content", "fault"), FAULTY_FILES.items(), ids=FAULTY_FILES.values())
def test_a_faulty_file_is_one_line_and_the_others_are_read(
    write: Callable[..., Path], document: Document, content: str, fault: str
) -> None:
    records = read([write(content, "bad"), write(document, "good")])
    assert len(records.runs) == 1
    assert fault in only_fault(records)
    assert str(records.faults[0]).startswith(str(records.faults[0].path))


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in only_fault(read([tmp_path]))


def test_a_folder_without_a_run_says_what_to_name(tmp_path: Path) -> None:
    assert "name the folder of one run" in only_fault(read([tmp_path]))


def test_a_path_that_does_not_exist_is_told(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in only_fault(read([tmp_path / "nowhere.json"]))


FAULTY_CASES = {
    ("rounds", "seconds"): [
        ([0.1, -1, 0.1], "rounds.seconds[1]: expected float >= 0.0"),
        ([0.1, 0, 0.1], "must be > 0, got 0"),
        ([0.1, "0.2", 0.1], "rounds.seconds[1]: expected float | null, got str"),
        ([0.1, math.nan, 0.1], "rounds.seconds[1]: expected float"),
        ([0.1, math.inf, 0.1], "rounds.seconds[1]: expected float <= 1e+18"),
        ([0.1, 10**400, 0.1], "rounds.seconds[1]: number out of range"),
        ([0.1, 0.1], "columns of unequal length"),
        (0.1, "rounds.seconds: expected array, got float"),
    ],
    ("settings", "num_workers"): [
        (-1, "num_workers: expected int >= 0"),
        ("two", "num_workers: expected int | null, got str"),
    ],
    ("settings", "pin_memory"): [("yes", "pin_memory: expected bool | null, got str")],
    ("settings", "dataset"): [(3, "dataset: expected str | null, got int"), ("x" * 2000, "str of length <= 1000")],
    ("settings", "seconds"): [(3, "is the name of a metric")],
    ("settings", "zeal"): [([1], "zeal: expected")],
    ("facts", "passes"): [(math.nan, "facts.passes: expected float")],
    ("rounds", "dataset"): [([1, 2, 3], "dataset is a setting, not a metric")],
}


@pytest.mark.parametrize(
    ("part", "name", "value", "fault"),
    [(*where, value, fault) for where, faults in FAULTY_CASES.items() for value, fault in faults],
)
def test_a_faulty_case_is_left_out_and_the_others_of_its_file_are_read(
    records_of: Callable[..., Any], document: Document, part: str, name: str, value: object, fault: str
) -> None:
    document["benchmarks"][0]["extra_info"][part][name] = value
    records = records_of(document)
    assert records.frame["case"].nunique() == 3
    assert fault in only_fault(records)


@pytest.mark.parametrize("key", ["name", "extra_info"])
def test_a_case_without_a_key_names_it(records_of: Callable[..., Any], document: Document, key: str) -> None:
    del document["benchmarks"][0][key]
    assert f"{key} is missing" in only_fault(records_of(document))


def test_many_faults_of_a_file_are_one_line(records_of: Callable[..., Any], document: Document) -> None:
    for case in document["benchmarks"][:3]:
        case["extra_info"]["rounds"]["seconds"] = "fast"
    assert only_fault(records_of(document)).endswith("(and 2 more)")


def test_half_a_surrogate_pair_does_not_reach_the_frame(records_of: Callable[..., Any], document: Document) -> None:
    document["benchmarks"][0]["extra_info"]["settings"]["dataset"] = "\ud800"
    assert "?" in set(records_of(document).frame["dataset"])


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


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(held: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead there."""
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def change(document: Document, place: tuple[Any, ...], value: object, *, remove: bool) -> object:
    if not place:
        return value
    changed = copy.deepcopy(document)
    holder: Any = changed
    for key in place[:-1]:
        holder = holder[key]
    if remove:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_file_holds_reading_it_raises_nothing(
    tmp_path: Path, write: Callable[..., Path], synthetic: Callable[..., Any], data: st.DataObject
) -> None:
    document = synthetic().epochs(2, 2)
    good = synthetic(seed=1).epochs(2, 2)
    good["loaderbench"]["run"] = "good"
    place = data.draw(st.sampled_from(places(document)))
    mutated = json.dumps(change(document, place, data.draw(ANYTHING), remove=data.draw(st.booleans())))
    cut = data.draw(st.sampled_from([len(mutated), *range(0, len(mutated), 97)]))
    name = data.draw(st.sampled_from(["run.json", "run.jsonl"]))
    (tmp_path / name).write_text(mutated[:cut])
    records = read([tmp_path / name, write(good, "good")])
    assert "good" in {run.name for run in records.runs}
    cases = summarise(records.frame)
    assert len(recommend(latest(cases))) >= 1
    assert all("\n" not in str(fault) for fault in records.faults)
