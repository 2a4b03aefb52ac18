"""A run that is gone on with: its header, and what it measured."""

import json
from pathlib import Path

import pytest

from loaderbench.benches.harness.session.record import RunRecord
from loaderbench.benches.harness.session.resume import earlier_run
from loaderbench.reports.records.json_files import MalformedError

HEADER = {"machine_info": {}, "commit_info": {}, "version": "5", "loaderbench": {"schema": 2, "order": ["a", "b", "c"]}}
A, B = ({"name": name, "stats": {"data": [1.0]}} for name in "ab")


@pytest.fixture
def run_record(tmp_path: Path) -> RunRecord:
    opened = RunRecord(folder=tmp_path / "runs" / "one", header=HEADER)
    opened.open()
    return opened


def test_a_killed_run_is_read_from_its_growing_record(run_record: RunRecord) -> None:
    run_record.add("benchmark", A)
    run_record.add("failed", B)
    assert earlier_run(run_record.folder) == (HEADER, [{"benchmark": A}])


def test_a_line_that_was_cut_off_is_left_out(run_record: RunRecord) -> None:
    run_record.add("benchmark", A)
    with (run_record.folder / "run.jsonl").open("a") as file:
        file.write('{"benchmark": {"name": "b", "st')
    assert earlier_run(run_record.folder) == (HEADER, [{"benchmark": A}])


def test_an_ended_run_is_read_from_its_record(run_record: RunRecord) -> None:
    run_record.add("benchmark", A)
    run_record.close()
    header, entries = earlier_run(run_record.folder)
    assert header["loaderbench"]["order"] == ["a", "b", "c"]
    assert entries == [{"benchmark": A}]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="^no run.json and no run.jsonl in "):
        earlier_run(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]\n", "{}\n", '{"loaderbench": {"schema": 2}}\n'])
def test_a_journal_that_is_not_one_is_refused_in_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.jsonl").write_text(content)
    with pytest.raises(MalformedError, match="^run.jsonl: (is|has) .*$"):
        earlier_run(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"benchmarks": []}', '{"loaderbench": {"schema": 1}}'])
def test_a_record_of_something_else_is_refused_in_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(MalformedError, match="^run.json: (is|has) .*$"):
        earlier_run(tmp_path)


def test_a_record_is_replaced_whole_when_a_run_goes_on(run_record: RunRecord) -> None:
    run_record.add("benchmark", A)
    header, entries = earlier_run(run_record.folder)
    later = RunRecord(folder=run_record.folder, header=header, entries=entries)
    later.open()
    later.add("benchmark", B)
    written = [json.loads(line) for line in (run_record.folder / "run.jsonl").read_text().splitlines()]
    assert written == [HEADER, {"benchmark": A}, {"benchmark": B}]
