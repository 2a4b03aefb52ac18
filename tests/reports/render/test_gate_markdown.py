"""``gate.md``: an alert, counts, what calls for a reader; and nothing that a name would have it do."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.render.gate_markdown import MARKER, gate_markdown

LARGEST_COMMENT = 65_536  # characters, on GitHub


def rendered(text: str) -> str:
    """Markdown as a reader of GitHub's flavour makes HTML of it."""
    return MarkdownIt("gfm-like", {"linkify": False}).render(text)


def test_the_first_line_is_the_hidden_marker(measured: Judgement) -> None:
    assert gate_markdown(measured).splitlines()[0] == MARKER == "<!-- loaderbench gate -->"


@pytest.mark.parametrize(
    ("words", "more", "alert"),
    [
        (["regressed", "failed", "improved"], {}, "CAUTION"),
        (["failed", "improved"], {}, "WARNING"),
        (["unproven"], {"moved": ("control[sleep]",)}, "WARNING"),
        (["inconclusive", "improved"], {}, "WARNING"),
        ([], {}, "WARNING"),
        (["improved", "unchanged"], {}, "TIP"),
        (["unchanged", "new"], {}, "NOTE"),
    ],
)
def test_the_alert_is_the_gravest_word(
    held: Callable[..., Judgement], row: Callable[..., Row], words: list[Any], more: dict[str, Any], alert: str
) -> None:
    rows = [row(word, f"epoch[{word}]") for word in words]
    assert re.findall(r"^> \[!(\w+)\]$", gate_markdown(held(*rows, **more)), re.MULTILINE) == [alert]


def test_faults_stand_in_the_alert(held: Callable[..., Judgement]) -> None:
    assert "> - no case was compared" in gate_markdown(held())


def test_counts_are_a_table_of_one_row(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    text = gate_markdown(held(row("regressed"), row("unchanged", "epoch[b]"), row("unchanged", "epoch[c]")))
    assert "| regressed | unchanged |\n| --- | --- |\n| 1 | 2 |" in text


def test_what_calls_for_a_reader_is_open_and_the_rest_is_folded(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    text = gate_markdown(held(row("regressed", "epoch[slow]"), row("unchanged", "epoch[same]"), row("new", "n", "")))
    shown, folded = text.split("<details><summary>1 new, 1 unchanged</summary>")
    assert "slow" in shown
    assert "same" not in shown
    assert "same" in folded.split("</details>")[0]


def test_it_says_machine_noise_floor_sides_and_the_command(measured: Judgement) -> None:
    text = gate_markdown(measured).replace("\u202f", " ")
    assert "Imaginary 8-Core" in text
    assert re.search(r"Noise floor: a change of [\d.]+ % would be found in 95 of 100 comparisons", text)
    assert "**working tree** against **origin/main (1234abcd)**" in text
    assert text.endswith("```sh\nloaderbench gate --base origin/main\n```\n")


def test_a_command_that_is_not_known_is_left_out(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert "```" not in gate_markdown(held(row("unchanged"), command=()))


def test_the_command_is_whole_however_long_it_is(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    words = ("gate", *(f"--dataset=my.data:Train{number}" for number in range(60)))
    assert "loaderbench " + " ".join(words) in gate_markdown(held(row("unchanged"), command=words))


def test_a_comment_holds_it_however_many_rows_there_are(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    rows = [row(word, f"epoch[{'|' * 200}{n}]") for n in range(300) for word in ("regressed", "unchanged")]
    text = gate_markdown(held(*rows))
    assert len(text) < LARGEST_COMMENT
    assert re.search(r"^\d+ more rows in report.html.$", text, re.MULTILINE)


def test_hostile_names_do_nothing_in_markdown(hostile: Judgement) -> None:
    html = rendered(gate_markdown(hostile))
    assert "<img" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert html.count("<table>") == 3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=80), why=st.text(max_size=80))
def test_any_case_name_leaves_the_tables_their_rows(
    held: Callable[..., Judgement], row: Callable[..., Row], name: str, why: str
) -> None:
    html = rendered(gate_markdown(held(row("inconclusive", f"epoch[{name}", why=why), row("regressed", "epoch[b]"))))
    assert html.count("<tr>") == 2 + 3  # counts; a heading and two rows
    assert html.count("<td>") == 2 + 2 * 8


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_command_is_one_line_of_its_block(
    held: Callable[..., Judgement], row: Callable[..., Row], words: list[str]
) -> None:
    html = rendered(gate_markdown(held(row("unchanged"), command=tuple(words))))
    assert html.count("<pre>") == 1
    assert html.rstrip().endswith("</code></pre>")
    assert html.split('<code class="language-sh">')[1].count("\n") == 2
