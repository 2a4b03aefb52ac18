"""JSON becomes the type that it must have, or one line that names the place and the fault."""

from pathlib import Path

import pytest
from msgspec import Struct

from loaderbench.reports.records.json_files import MalformedError, convert, convert_each, parse, read


class Answer(Struct):
    schema: int
    times: list[float]


def fault_of(file: Path, content: str) -> str:
    file.write_text(content)
    with pytest.raises(MalformedError) as refused:
        read(file, Answer, schema=3, what="answer")
    return str(refused.value)


def test_a_file_is_read_as_its_type(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"schema": 3, "times": [1, 2.5], "more": null}')
    assert read(tmp_path / "answer.json", Answer, schema=3, what="answer") == Answer(3, [1.0, 2.5])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[]", "is not a loaderbench answer: it has no schema"),
        ('{"times": []}', "is not a loaderbench answer: it has no schema"),
        ('{"schema": 4}', "has schema 4; this loaderbench reads schema 3: measure again"),
        ('{"schema": true}', "has schema True; this loaderbench reads schema 3: measure again"),
        ('{"schema": 3}', "times is missing"),
        ('{"schema": 3, "times": [1, "2"]}', "times[1]: expected float, got str"),
    ],
)
def test_what_is_not_the_type_is_refused_by_its_place(tmp_path: Path, content: str, fault: str) -> None:
    assert fault_of(tmp_path / "answer.json", content) == fault


def test_one_value_of_many_is_named_where_it_is_at_fault() -> None:
    assert convert_each({"a": 1, "b": 2}, float, "case: ") == {"a": 1.0, "b": 2.0}
    with pytest.raises(MalformedError, match=r"^case: b: expected float, got str$"):
        convert_each({"a": 1, "b": "2"}, float, "case: ")


def test_a_fault_is_told_after_where_it_is() -> None:
    with pytest.raises(MalformedError, match=r"^line 3: times is missing$"):
        convert({"schema": 3}, Answer, "line 3")


def test_not_a_number_parses_and_is_judged_by_the_type() -> None:
    assert parse(b'{"a": [NaN]}')["a"][0] != 0
