"""The record of a run: on disk as soon as each case has ended."""

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaderbench.benches.harness.session.record import RunRecord, dumps, make_new_folder
from loaderbench.benches.harness.session.resume import earlier_run

HEADER = {"machine_info": {}, "commit_info": {}, "version": "5", "loaderbench": {"schema": 2, "order": ["a", "b", "c"]}}
A, B, C = ({"name": name, "stats": {"data": [1.0]}} for name in "abc")


@pytest.fixture
def run_record(tmp_path: Path) -> RunRecord:
    opened = RunRecord(folder=tmp_path / "runs" / "one", header=HEADER)
    opened.open()
    return opened


def test_a_folder_that_is_there_is_nobody_else_s(tmp_path: Path) -> None:
    made = [make_new_folder(tmp_path / "runs" / "one").name for _ in range(3)]
    assert made == ["one", "one-2", "one-3"]


def test_of_many_that_want_one_folder_each_has_its_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: make_new_folder(tmp_path / "one"), range(40)))
    assert len(set(made)) == 40


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("nowhere")
    with pytest.raises(OSError, match="runs"):
        make_new_folder(tmp_path / "runs" / "one")


def lines(run_record: RunRecord) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_record.folder / "run.jsonl").read_text().splitlines()]


def test_the_head_is_on_disk_from_the_start(run_record: RunRecord) -> None:
    assert lines(run_record) == [HEADER]


def test_a_case_is_on_disk_when_it_has_ended(run_record: RunRecord) -> None:
    run_record.add("benchmark", A)
    run_record.add("failed", B)
    run_record.add("skipped", C)
    assert lines(run_record)[1:] == [{"benchmark": A}, {"failed": B}, {"skipped": C}]


def test_a_closed_record_becomes_the_record(run_record: RunRecord) -> None:
    run_record.add("benchmark", A)
    record = run_record.close()
    assert [file.name for file in run_record.folder.iterdir()] == ["run.json"]
    assert json.loads(record.read_text())["benchmarks"] == [A]


def test_where_the_record_cannot_be_written_the_journal_stays(
    run_record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, text: str, **_: object) -> None:
        file.write_bytes(text.encode()[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    run_record.add("benchmark", A)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device"):
        run_record.close()
    assert [file.name for file in run_record.folder.iterdir()] == ["run.jsonl"]


def test_a_case_that_cannot_be_written_does_not_count_as_recorded(run_record: RunRecord) -> None:
    run_record._file = open("/dev/full", "w")
    with pytest.raises(OSError, match="No space left on device"):
        run_record.add("benchmark", A)
    assert run_record.missing == ["a", "b", "c"]


def test_a_record_says_which_cases_failed_and_were_skipped(run_record: RunRecord) -> None:
    run_record.add("failed", B)
    run_record.add("skipped", C)
    ours = json.loads(run_record.close().read_text())["loaderbench"]
    assert (ours["failed"], ours["skipped"]) == ([B], [C])


def test_a_record_is_complete_when_every_planned_case_has_ended(run_record: RunRecord) -> None:
    for kind, case in (("benchmark", A), ("failed", B), ("skipped", C)):
        assert not run_record.whole()["loaderbench"]["complete"]
        run_record.add(kind, case)
    assert run_record.whole()["loaderbench"]["complete"]


def test_a_case_that_fails_after_it_was_measured_does_not_stand_for_another(run_record: RunRecord) -> None:
    for kind, case in (("benchmark", A), ("failed", A), ("benchmark", B)):
        run_record.add(kind, case)
    assert run_record.missing == ["c"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=30)
@given(value=JSON)
def test_whatever_is_recorded_is_json_that_any_reader_takes(value: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(dumps(value), parse_constant=refuse)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_null(value: float) -> None:
    assert dumps({"seconds": [1.5, value]}) == '{"seconds":[1.5,null]}'


def test_what_json_does_not_know_is_its_text() -> None:
    assert dumps({"folder": Path("runs")}) == '{"folder":"runs"}'


def test_a_case_that_is_measured_again_is_one_case_and_its_last_line_has_all_its_rounds(run_record: RunRecord) -> None:
    extra_info = {"rounds": {"seconds": [1.0]}, "warmup": {}}
    again = {**A, "extra_info": extra_info}
    for _ in range(3):
        run_record.add("benchmark", again)
    assert [len(line["benchmark"]["stats"]["data"]) for line in lines(run_record)[1:]] == [1, 2, 3]
    (whole,) = run_record.of("benchmark")
    assert whole["extra_info"]["rounds"] == {"seconds": [1.0, 1.0, 1.0]}
    assert earlier_run(run_record.folder)[1] == [{"benchmark": whole}]
