"""What an explanation says, in the parts of a document."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from made_up_explanations import readings_of

from loaderbench.reports.documents.document import Code, Document, Items, Section, Table, Text
from loaderbench.reports.documents.explain_document import explain_document, explain_section, memory_sentences
from loaderbench.reports.explain.explain_record import DatasetFacts, Explanation, LoaderMemory, Observation
from loaderbench.reports.explain.ranking import rank

Explained = Callable[..., Explanation]


def causes(part: Document | Section) -> Table:
    (table,) = (entry for entry in part.parts if isinstance(entry, Table))
    return table


def shown(table: Table, output: Any) -> list[list[str]]:
    """The rows as one output shows them."""
    numbers = [number for number, column in enumerate(table.columns) if output in column.on]
    return [[f"{row[number].text} {row[number].note}".strip() for number in numbers] for row in table.rows]


def test_the_page_holds_every_cause_with_its_evidence_and_its_change(explained: Explained) -> None:
    rows = shown(causes(explain_document(rank(explained({"large": 0.4, "none": 0.0})))), "markdown")
    assert [(row[0], row[1], *row[4:]) for row in rows] == [
        ("large", "helps", "why large", "change large"),
        ("none", "no difference", "why none", "change none"),
        ("pinning", "not run", "no accelerator here", ""),
    ]


def test_a_terminal_shows_the_change_only_where_it_may_help(explained: Explained) -> None:
    rows = shown(causes(explain_document(rank(explained({"large": 0.4, "none": 0.0})))), "terminal")
    assert [row[4] for row in rows] == ["why large change large", "why none", "no accelerator here"]


def test_every_row_has_a_cell_for_each_column_and_a_kind(explained: Explained) -> None:
    table = causes(explain_section(rank(explained({"large": 0.4, "harm": -0.3}))))
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.kinds == ("helps", "harms", "not-run")


def test_the_loader_its_time_and_its_epoch_are_named(explained: Explained) -> None:
    document = explain_document(rank(explained({"a": 0.1}, samples=2000)))
    about = "\n".join(document.about)
    for words in (
        "mine:Train: DataLoader(num_workers=2)",
        "Imaginary",
        "fetching 70",
        "from passes over 1 000 samples",
    ):
        assert words in about.replace("\u202f", " ")


def test_a_part_of_a_stream_without_end_is_no_epoch(explained: Explained) -> None:
    endless = DatasetFacts(name="mine:Train", samples=2000, samples_read=1000, is_whole=False)
    about = "\n".join(explain_document(rank(explained({"a": 0.1}, samples=2000, dataset=endless))).about)
    assert "the first 2 000 samples of the stream, which goes on, take " in about.replace("\u202f", " ")


def test_too_few_blocks_say_so(explained: Explained) -> None:
    assert (
        "too few blocks to tell" in causes(explain_section(rank(explained({"large": 0.4}, blocks=2)))).rows[0][2].text
    )


def test_an_interrupted_one_says_what_is_missing(explained: Explained) -> None:
    (notice,) = explain_document(rank(explained({"a": 0.4}, interrupted=True, memory=None))).notices
    assert "Interrupted" in notice
    assert "memory was not measured" in notice


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        ([1e8 + 5e6 * epoch for epoch in range(13)], "grows by 5"),
        ([1e8, *[1.6e8] * 12], "settles, after 60"),
        ([1e8] * 13, "flat"),
    ],
    ids=["a leak", "copies that come to an end", "nothing"],
)
def test_the_course_of_memory_is_said(readings: list[float], words: str) -> None:
    memory = LoaderMemory(readings=readings_of(*readings), expected_shm_bytes=0)
    assert words in next(memory_sentences(memory))


@pytest.mark.parametrize(
    ("in_arrays", "words"),
    [(1e8, "copy-on-write: with names in arrays"), (1.6e8, "no notable copy-on-write")],
    ids=["arrays avoid it", "they do not"],
)
def test_copy_on_write_is_named_where_arrays_avoid_it(in_arrays: float, words: str) -> None:
    memory = LoaderMemory(
        readings=readings_of(1e8),
        expected_shm_bytes=0,
        collections=("names",),
        in_objects=tuple(readings_of(1e8, 1.6e8 + number) for number in range(3)),
        in_arrays=tuple(readings_of(1e8, in_arrays + number) for number in range(3)),
    )
    assert list(memory_sentences(memory))[1].startswith(words)


def test_copy_on_write_is_named_where_there_was_no_time_to_measure_it() -> None:
    unmeasured = LoaderMemory(expected_shm_bytes=1e6, collections=("the dataset itself",))
    memory, copies = memory_sentences(unmeasured)
    assert memory == "memory: not measured"
    assert copies.startswith("copy-on-write: not measured. the dataset itself")


def test_the_call_to_make_stands_below_the_headline_with_its_caveat(explained: Explained) -> None:
    made = explained({"large": 0.4})
    (facts,) = made.interventions
    advised = msgspec.structs.replace(facts, call="DataLoader(dataset, num_workers=0)", caveat="But for set_epoch.")
    ranking = rank(msgspec.structs.replace(made, interventions=(advised,)))
    _, code, caveat, *_ = explain_document(ranking).parts
    assert isinstance(code, Code)
    assert code.code == "DataLoader(dataset, num_workers=0)"
    assert caveat == Text(text="But for set_epoch.", tone="warn")


def test_what_was_seen_without_passes_is_listed(explained: Explained) -> None:
    made = explained({"a": 0.0}, observations=(Observation(what="a line that costs", evidence="x.py:3", change="y"),))
    lists = [part for part in explain_document(rank(made)).parts if isinstance(part, Items)]
    assert lists[0].items == ("a line that costs: x.py:3. To change: y",)
