"""The document of a comparison: the answer, what calls for action, the rest folded away, its conditions."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from loaderbench.reports.documents.document import Callout, Document, Part, Section, Table, Terms, Text
from loaderbench.reports.documents.gate_document import gate_document
from loaderbench.reports.gate.comparison import Comparison
from loaderbench.reports.gate.verdicts import VERDICTS, CaseVerdict
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.webpage import page

Compared = Callable[..., Comparison]
Made = Callable[..., CaseVerdict]
LARGEST_COMMENT = 65_536  # characters, on GitHub


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure has tests of its own."""
    monkeypatch.setattr("loaderbench.reports.documents.gate_document.drawn", lambda *_: None)


def answer(made: Document) -> Callout:
    (callout,) = (part for part in made.parts if isinstance(part, Callout))
    return callout


def shown(parts: Iterable[Part], output: Any) -> Iterator[Part]:
    """The parts that an output shows, those of its sections too."""
    for part in parts:
        if output in part.on:
            yield part
            if isinstance(part, Section):
                yield from shown(part.parts, output)


def tables(made: Document, output: Any) -> Iterator[Table]:
    return (part for part in shown(made.parts, output) if isinstance(part, Table))


def terms(made: Document, title: str) -> dict[str, str]:
    (section,) = (part for part in made.parts if isinstance(part, Section) and part.title == title)
    (result,) = (part for part in section.parts if isinstance(part, Terms))
    return dict(result.terms)


def test_the_answer_names_what_was_compared_the_counts_and_the_command(measured: Comparison) -> None:
    callout = answer(gate_document(measured))
    assert callout.headline == "1 regressed: throughput"
    assert callout.subject == "working tree against origin/main (1234abcd)"
    assert [(bar.label, bar.value) for bar in callout.bars][:2] == [("regressed", "1"), ("gone", "1")]
    assert callout.code is not None
    assert callout.code.code == "loaderbench gate --base origin/main"
    assert "Noise floor: a change of" in callout.evidence


@pytest.mark.parametrize(
    ("verdicts", "more", "tone"),
    [
        (["regressed", "improved"], {}, "bad"),
        (["failed", "improved"], {}, "bad"),
        (["unproven"], {"moved": ("control[sleep]",)}, "bad"),
        ([], {}, "bad"),
        (["inconclusive", "improved"], {}, "warn"),
        (["unchanged"], {"is_interrupted": True}, "warn"),
        (["improved", "unchanged", "new"], {}, "good"),
    ],
)
def test_the_tone_is_that_of_the_worst_verdict(
    compared: Compared, verdict: Made, verdicts: list[Any], more: dict[str, Any], tone: str
) -> None:
    metrics = {"failed": ""}  # nothing was measured
    made = compared(*(verdict(name, name, metrics.get(name, "samples_per_s")) for name in verdicts), **more)
    assert answer(gate_document(made)).tone == tone


def test_what_calls_for_action_is_open_and_the_rest_is_folded(compared: Compared, verdict: Made) -> None:
    made = gate_document(
        compared(verdict("regressed", "epoch[slow]"), verdict("unchanged", "b"), verdict("new", "n", ""))
    )
    to_act_on, folded = tables(made, "markdown")
    assert [row[1].text for row in to_act_on.rows] == ["epoch[slow]"]
    assert [row[1].text for row in folded.rows] == ["n", "b"]
    assert "1 new, 1 unchanged" in [part.title for part in shown(made.parts, "markdown") if isinstance(part, Section)]


@pytest.mark.parametrize(("unchanged", "listed"), [(12, True), (13, False)])
def test_a_terminal_lists_a_dozen_unchanged_figures_and_more_are_a_number(
    compared: Compared, verdict: Made, unchanged: int, listed: bool
) -> None:
    made = gate_document(
        compared(*(verdict("unchanged", f"epoch[{number}]", effect=0.0) for number in range(unchanged)))
    )
    cases = [row for table in tables(made, "terminal") for row in table.rows if row[1].text.startswith("epoch[")]
    texts = [part.text for part in shown(made.parts, "terminal") if isinstance(part, Text)]
    assert len(cases) == (unchanged if listed else 0)
    assert ("and 13 unchanged" in texts) is not listed


def test_a_row_has_both_values_the_change_and_what_would_show(compared: Compared, verdict: Made) -> None:
    (table, *_) = tables(gate_document(compared(verdict("unchanged", effect=0.0))), "terminal")
    texts = [cell.text.replace("\u202f", " ") for cell in table.rows[0]]
    assert texts[3:] == ["1 000 samples/s", "1 000 samples/s", "0 % (−2.0 % to +2.0 %)", "8"]
    assert table.rows[0][1].note.replace("\u202f", " ") == "a change of 4.2 % would show"


def test_every_row_has_a_cell_for_each_column_and_a_kind(measured: Comparison) -> None:
    for table in tables(gate_document(measured), "html"):
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert len(table.kinds) in {0, len(table.rows)}


def test_the_conditions_say_how_it_was_conducted(measured: Comparison) -> None:
    result = {name: text.replace("\u202f", " ") for name, text in terms(gate_document(measured), "Conditions").items()}
    assert result["started"].startswith("2026-11-24 04:18 UTC")
    assert "OMP_NUM_THREADS=1" in result["environment"]
    assert "PYTHONHASHSEED" not in result["environment"]
    assert result["margin"].startswith("3.0 %")
    assert (result["seed"], result["controls"]) == ("7", "did not move")


def test_every_block_has_a_row(measured: Comparison) -> None:
    (blocks,) = (table for table in tables(gate_document(measured), "html") if table.name == "blocks")
    assert len(blocks.rows) == len(measured.blocks)
    assert blocks.rows[0][0].text == "1"


def test_every_verdict_is_explained(measured: Comparison) -> None:
    assert terms(gate_document(measured), "Terms").keys() >= set(VERDICTS)


def test_recorded_runs_have_no_blocks(compared: Compared, verdict: Made) -> None:
    made = gate_document(compared(verdict("unchanged"), kind="compare", blocks=()))
    assert made.about[1].startswith("Recorded runs")
    assert "blocks" not in [table.name for table in tables(made, "html")]


def test_nothing_compared_is_said(compared: Compared) -> None:
    made = gate_document(compared(blocks=(), machine={}, command=()))
    assert answer(made).headline == "could not be judged"
    assert answer(made).faults == ("no case was compared",)
    assert answer(made).code is None


def test_the_page_holds_the_verdict(measured: Comparison) -> None:
    data = json.loads(re.search(r'id="verdict">(.*?)</script>', page(gate_document(measured)), re.DOTALL)[1])
    assert data["headline"] == measured.headline
    assert data["blocks"][0]["samples"] == list(measured.blocks[0]["samples"])


def test_a_page_of_very_many_samples_leaves_them_to_the_file(
    measured: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loaderbench.reports.documents.gate_document.MOST_EMBEDDED", 100)
    data = gate_document(measured).data["verdict"]
    assert data["left_out"] == "every sample is in verdict.json"
    assert [block["samples"] for block in data["blocks"]] == [[]] * len(measured.blocks)


def test_a_ci_job_finds_its_comment_by_the_first_line(measured: Comparison) -> None:
    assert markdown(gate_document(measured)).splitlines()[0] == "<!-- loaderbench gate -->"


def test_a_comment_holds_it_however_many_rows_there_are(compared: Compared, verdict: Made) -> None:
    verdicts = [verdict(name, f"epoch[{'|' * 200}{n}]") for n in range(200) for name in ("regressed", "unchanged")]
    assert len(markdown(gate_document(compared(*verdicts)))) < LARGEST_COMMENT


def test_hostile_names_neither_end_the_data_nor_move_a_cursor(hostile_comparison: Comparison) -> None:
    html = page(gate_document(hostile_comparison))
    data = json.loads(re.search(r'id="verdict">(.*?)</script>', html, re.DOTALL)[1])
    assert data["base"] == hostile_comparison.setup.base
    assert "\x1b" not in html
    assert "\u202e" not in html
