"""The ranking of causes, from blocks whose effects are known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.documents import explain_wording as lines
from loaderbench.reports.explain.ranking import ranking, read
from loaderbench.reports.records.schema import MalformedError
from loaderbench.reports.render import explain_outputs as outputs
from loaderbench.reports.render import explain_terminal as terminal

Document = dict[str, Any]


def test_what_costs_most_comes_first_and_what_costs_nothing_is_said_to(explained: Callable[..., Document]) -> None:
    found = ranking(explained({"none": 0.0, "small": 0.1, "large": 0.4, "harm": -0.3}))
    assert [(cause.cause, cause.word) for cause in found.causes] == [
        ("large", "helps"), ("small", "helps"), ("none", "no difference"), ("harm", "harms"), ("pinning", "not run"),
    ]  # fmt: skip
    assert found.headline.startswith("large")


def test_a_gain_is_a_share_of_an_epoch_within_its_interval(explained: Callable[..., Document]) -> None:
    first = ranking(explained({"large": 0.4})).causes[0]
    assert first.gain == pytest.approx(0.4, abs=0.01)
    assert first.low < 0.4 < first.high


def test_where_nothing_helps_nothing_is_claimed(explained: Callable[..., Document]) -> None:
    assert "Nothing that was tried" in ranking(explained({"a": 0.0, "b": 0.005})).headline


def test_what_is_paid_once_matters_less_in_a_longer_epoch(explained: Callable[..., Document]) -> None:
    short, long = (
        next(
            each
            for each in ranking(explained({"a": 0.0}, samples=count, starts=1.0)).causes
            if each.cause == "restarts"
        )
        for count in (1000, 1_000_000)
    )
    assert short.word == "helps"
    assert short.gain == pytest.approx(0.5, abs=0.02)
    assert long.word == "no difference"
    assert long.saved_s == pytest.approx(short.saved_s)


def test_too_few_blocks_are_unclear(explained: Callable[..., Document]) -> None:
    found = ranking(explained({"large": 0.4}, blocks=2))
    assert found.causes[0].word == "unclear"
    assert "too few to tell" in lines.gain(found.causes[0])


def test_a_cause_without_a_block_was_not_run(explained: Callable[..., Document]) -> None:
    document = explained({"a": 0.4})
    document["suspects"].append({**document["suspects"][0], "cause": "late"})
    assert {cause.cause: cause.why for cause in ranking(document).causes}["late"] == "the budget left no room for it"


def test_pages_hold_every_cause_with_its_evidence_and_its_change(explained: Callable[..., Document]) -> None:
    found = ranking(explained({"large": 0.4, "none": 0.0}))
    page = dict(outputs.outputs(found))["explain.md"].decode()
    for words in ("large", "why large", "change large", "no accelerator here", "fetching 70", "no difference"):
        assert words in page
    assert terminal.shown(found)


def test_it_is_read_back_from_its_folder(explained: Callable[..., Document], tmp_path: Path) -> None:
    found = ranking(explained({"large": 0.4}))
    for name, content in outputs.outputs(found):
        (tmp_path / name).write_bytes(content)
    assert read(tmp_path).causes == found.causes


@pytest.mark.parametrize(
    ("change", "words"),
    [({"schema": 99}, "has schema '99'"), ({"blocks": 3}, "no explanation"), ({"dataset": {}}, "no explanation")],
    ids=["schema", "blocks", "dataset"],
)
def test_what_is_none_is_refused_in_one_line(
    explained: Callable[..., Document], change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    (tmp_path / "explain.json").write_text(json.dumps({**explained({"a": 0.4}), **change}))
    with pytest.raises(MalformedError, match=words) as refused:
        read(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("course", "words"),
    [
        ([1e8 + 5e6 * epoch for epoch in range(13)], "grows by 5"),
        ([1e8, *[1.6e8] * 12], "settles, after 60"),
        ([1e8] * 13, "flat"),
    ],
    ids=["a leak", "copies that come to an end", "nothing"],
)
def test_it_says_what_memory_did(explained: Callable[..., Document], course: list[float], words: str) -> None:
    document = explained({"a": 0.0})
    document["memory"]["watched"]["pss_bytes"] = course
    assert words in next(lines.memory(ranking(document)))


@pytest.mark.parametrize(
    ("backed", "words"),
    [(1e8, "copy-on-write: with names kept in arrays"), (1.6e8, "no copy-on-write to speak of")],
    ids=["arrays cure it", "they do not"],
)
def test_copy_on_write_is_named_where_arrays_cure_it(
    explained: Callable[..., Document], backed: float, words: str
) -> None:
    document = explained({"a": 0.0})
    pairs = {
        name: [{"pss_bytes": [1e8, held + number], "before_pss_bytes": [1e8]} for number in range(3)]
        for name, held in (("listed", 1.6e8), ("backed", backed))
    }
    document["memory"] |= {"lists": ["names"], "pairs": pairs}
    assert list(lines.memory(ranking(document)))[1].startswith(words)
