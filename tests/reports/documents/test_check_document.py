"""What a check says."""

from dataclasses import replace

from loaderbench.reports.check.preflight import Finding
from loaderbench.reports.documents.check_document import check_document
from loaderbench.reports.documents.document import Table, Text

FINE = Finding(name="memory", level="fine", needed=2e6, limit=4e9, unit="bytes", why="two batches")
WRONG = replace(FINE, name="stream", level="wrong", limit=None, unit="", needed=3, remedy="split it")


def test_every_need_stands_beside_its_limit_with_what_to_do() -> None:
    table, _ = check_document([FINE, WRONG]).parts
    assert isinstance(table, Table)
    assert [[cell.text.replace("\u202f", " ") for cell in row] for row in table.rows] == [
        ["fine", "memory", "2 MB", "4 GB", "two batches"],
        ["wrong", "stream", "3", "", "two batches"],
    ]
    assert table.rows[1][-1].note == "split it"
    assert table.kinds == ("fine", "wrong")


def test_the_last_line_names_what_would_crash() -> None:
    def last(*findings: Finding) -> str:
        text = check_document(findings).parts[-1]
        assert isinstance(text, Text)
        return text.text

    assert last(FINE, WRONG) == "would crash or be wrong: stream"
    assert last(FINE) == "nothing that would crash or be wrong"
