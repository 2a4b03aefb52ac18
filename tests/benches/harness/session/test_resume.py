"""A run that is gone on with: its header, and what it measured."""

import json
from pathlib import Path

import pytest

from loaderbench.benches.harness.session.record import Journal
from loaderbench.benches.harness.session.resume import earlier_run
from loaderbench.reports.records.json_files import MalformedError

HEADER = {"machine_info": {}, "commit_info": {}, "version": "5", "loaderbench": {"schema": 2, "order": ["a", "b", "c"]}}
A, B = ({"name": name, "stats": {"data": [1.0]}} for name in "ab")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    opened = Journal(folder=tmp_path / "runs" / "one", header=HEADER)
    opened.open()
    return opened


def test_a_killed_run_is_read_from_its_journal(journal: Journal) -> None:
    journal.add("benchmark", A)
    journal.add("failed", B)
    assert earlier_run(journal.folder) == (HEADER, [{"benchmark": A}])


def test_a_line_that_was_cut_off_is_left_out(journal: Journal) -> None:
    journal.add("benchmark", A)
    with (journal.folder / "run.jsonl").open("a") as file:
        file.write('{"benchmark": {"name": "b", "st')
    assert earlier_run(journal.folder) == (HEADER, [{"benchmark": A}])


def test_an_ended_run_is_read_from_its_record(journal: Journal) -> None:
    journal.add("benchmark", A)
    journal.close()
    header, entries = earlier_run(journal.folder)
    assert header["loaderbench"]["order"] == ["a", "b", "c"]
    assert entries == [{"benchmark": A}]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="^no run.json and no run.jsonl in "):
        earlier_run(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]\n", "{}\n", '{"loaderbench": {"schema": 2}}\n'])
def test_a_journal_that_is_not_one_is_refused_in_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.jsonl").write_text(content)
    with pytest.raises(MalformedError, match="^run.jsonl (is|has) .*$"):
        earlier_run(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"benchmarks": []}', '{"loaderbench": {"schema": 1}}'])
def test_a_record_of_something_else_is_refused_in_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(MalformedError, match="^run.json (is|has) .*$"):
        earlier_run(tmp_path)


def test_a_journal_is_replaced_whole_when_a_run_goes_on(journal: Journal) -> None:
    journal.add("benchmark", A)
    header, entries = earlier_run(journal.folder)
    later = Journal(folder=journal.folder, header=header, entries=entries)
    later.open()
    later.add("benchmark", B)
    written = [json.loads(line) for line in (journal.folder / "run.jsonl").read_text().splitlines()]
    assert written == [HEADER, {"benchmark": A}, {"benchmark": B}]
