"""A run is read from its record, growing or whole; a faulty file is one line, and a faulty case costs no other."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutations

from loaderbench.reports.records.files import in_one_line, machine_facts, read_run
from loaderbench.reports.records.json_files import MalformedError

Document = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def document(synthetic: Callable[..., Any]) -> Document:
    return synthetic().epochs(4, 3)


def journal_of(document: Document) -> str:
    """The growing record of a run that was killed after its last case."""
    head = {name: value for name, value in document.items() if name != "benchmarks"}
    lines = [json.dumps(head), *(json.dumps({"benchmark": case}) for case in document["benchmarks"])]
    return "\n".join([*lines, ""])


def test_a_killed_run_is_read_from_its_journal(write: Write, document: Document) -> None:
    recorded = read_run(write(journal_of(document)[:-40], name="run.jsonl"))
    assert recorded.run.completeness == "interrupted: 3 of 4 cases"
    assert not recorded.faults


def test_a_journal_is_read_where_the_record_is_cut_off(write: Write, document: Document) -> None:
    write(journal_of(document), name="run.jsonl")
    recorded = read_run(write(json.dumps(document)[:500]))
    assert recorded.run.ended == 4
    assert recorded.faults == ["run.json: is cut off: it ends in the middle; its run.jsonl was read instead"]


@pytest.mark.parametrize("line", ["{oops", "[]", '{"measured": {}}'])
def test_a_faulty_line_of_a_journal_costs_that_line_alone(write: Write, document: Document, line: str) -> None:
    head, *cases = journal_of(document).split("\n")
    recorded = read_run(write("\n".join([head, line, *cases]), name="run.jsonl"))
    assert recorded.run.ended == 4
    assert [fault.partition(" ")[0] for fault in recorded.faults] == ["line"]


FAULTY_FILES = {
    "": "cut off",
    '{"loaderbench": {"schema": 2, "run": "x"': "cut off",
    "[1, 2]": "not a loaderbench run",
    "not json": "is not JSON: Expecting value at line 1 column 1",
    '{"benchmarks": [], "loaderbench": []}': "no object",
    '{"benchmarks": [], "loaderbench": {"run": "x"}}': "it has no schema",
    '{"benchmarks": [], "loaderbench": {"schema": 1, "run": "x"}}': "has schema 1; this loaderbench reads schema 2",
    '{"benchmarks": {}, "loaderbench": {"schema": 2}}': "benchmarks: expected array, got object",
    '{"benchmarks": [], "loaderbench": {"schema": 2}}': "loaderbench.run is missing",
    '{"a":' * 100_000: "not a usable JSON",
    '{"benchmarks": [' + "9" * 5000 + "]}": "not a usable JSON",
}


@pytest.mark.parametrize(("content", "fault"), FAULTY_FILES.items(), ids=FAULTY_FILES.values())
def test_a_faulty_file_is_refused_in_one_line(write: Write, content: str, fault: str) -> None:
    with pytest.raises(MalformedError) as refused:
        read_run(write(content))
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MalformedError, match="is not UTF-8 text"):
        read_run(tmp_path)


def test_a_folder_without_a_run_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="name the folder of one run"):
        read_run(tmp_path)


def test_a_folder_of_another_command_says_which_page_to_open(tmp_path: Path) -> None:
    (tmp_path / "gate.html").touch()
    with pytest.raises(MalformedError, match="another command's result is there: open its gate.html"):
        read_run(tmp_path)


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="cannot be read: No such file"):
        read_run(tmp_path / "nowhere.json")


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
}


@pytest.mark.parametrize(
    ("part", "name", "value", "fault"),
    [(*where, value, fault) for where, faults in FAULTY_CASES.items() for value, fault in faults],
)
def test_a_faulty_case_is_left_out_and_the_others_are_read(
    write: Write, document: Document, part: str, name: str, value: object, fault: str
) -> None:
    document["benchmarks"][0]["extra_info"][part][name] = value
    recorded = read_run(write(document))
    assert len(recorded.cases) == 3
    assert len(recorded.faults) == 1
    assert recorded.faults[0].startswith(document["benchmarks"][0]["name"])
    assert fault in recorded.faults[0]


@pytest.mark.parametrize("key", ["name", "extra_info"])
def test_a_case_without_a_key_says_which(write: Write, document: Document, key: str) -> None:
    del document["benchmarks"][0][key]
    assert f"{key} is missing" in in_one_line(read_run(write(document)).faults)


def test_a_case_that_is_there_twice_is_used_once(write: Write, document: Document) -> None:
    document["benchmarks"].append(document["benchmarks"][0])
    recorded = read_run(write(document))
    assert len(recorded.cases) == 4
    assert in_one_line(recorded.faults).endswith("is there twice; the first is used")


def test_a_name_of_many_lines_is_told_in_one(write: Write, document: Document) -> None:
    document["benchmarks"][0] |= {"name": "bench\n\nepoch", "extra_info": {}}
    document["benchmarks"][1]["extra_info"]["settings"] = {"a\nb": []}
    faults = read_run(write(document)).faults
    assert faults[0] == "bench epoch: extra_info.bench is missing"
    assert ": a b: expected " in faults[1]


def test_half_a_surrogate_pair_becomes_a_question_mark(write: Write, document: Document) -> None:
    document["benchmarks"][0]["extra_info"]["settings"]["dataset"] = "a\ud800b"
    document["benchmarks"][1]["extra_info"]["settings"]["dataset"] = "\U0001f642"
    cases = read_run(write(document)).cases
    assert [case.settings["dataset"] for case in cases[:2]] == ["a?b", "\U0001f642"]


def test_a_null_is_no_value(write: Write, document: Document) -> None:
    extra = document["benchmarks"][0]["extra_info"]
    extra["settings"] |= {"start_method": None, "zeal": None}
    extra["facts"] |= {"unit": None}
    case = read_run(write(document)).cases[0]
    assert not {"start_method", "zeal"} & case.settings.keys()
    assert "unit" not in case.facts


def test_facts_of_a_machine_that_are_no_plain_values_are_left_out() -> None:
    machine = {"cpus": 8, "node": None, "caches": [1], "memory_bytes": math.inf, "accelerator": {"name": "H100"}}
    assert machine_facts(machine) == {"cpus": 8, "accelerator_name": "H100"}
    assert machine_facts(None) == {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(
    tmp_path: Path, document: Document, data: st.DataObject
) -> None:
    file = tmp_path / data.draw(st.sampled_from(["run.json", "run.jsonl"]))
    document["benchmarks"] = document["benchmarks"][:2]
    file.write_text(data.draw(mutations(document)))
    try:
        faults = read_run(file).faults
    except MalformedError as error:
        faults = [str(error)]
    assert not any("\n" in fault for fault in faults)
