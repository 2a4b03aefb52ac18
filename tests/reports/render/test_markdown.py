"""Markdown: every part is there, short enough for a comment, and no text does more than be read."""

import re
from dataclasses import replace

import pytest
from made_up_documents import HOSTILE, document_of
from markdown_it import MarkdownIt

from loaderbench.reports.documents.document import Cell, Code, Column, Document, Outputs, Section, Table, Text
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.text import escaped_markdown as escaped


def rendered(text: str) -> str:
    """Markdown as a reader of GitHub's flavour makes HTML of it."""
    return MarkdownIt("gfm-like", {"linkify": False}).render(text)


def test_a_column_of_numbers_is_set_to_the_right() -> None:
    columns = (Column(label="case"), Column(label="n", number=True))
    table = Table(columns=columns, rows=((Cell(text="a"), Cell(text="1")),))
    assert "| case | n |\n| --- | ---: |\n| a | 1 |" in markdown(Document(title="t", parts=(table,)))


@pytest.mark.parametrize(
    "text",
    ["*a* _b_ __c__", "# head", "1. one", "- dash", "`code`", "[a](b)", "<b>x</b>", "a | b", "&amp;", "~~x~~", "\\*"],
)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    shown = rendered(escaped(text)).removeprefix("<p>").removesuffix("</p>\n")
    assert shown == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_every_part_is_written(whole_document: Document) -> None:
    text = markdown(whole_document)
    for words in (
        "# title", "> [!WARNING]\n> - a notice", "> [!CAUTION]\n> **images: Loading is the bottleneck**\n> - a fault",
        "A sentence.", "| loader |\n| --- |\n| 7/s |", "```python\nDataLoader(\n    dataset,\n)\n```", "The call.",
        "- a doubt", "```sh\nloaderbench run x\n```", "<details><summary>details</summary>", "## Parts", "### inner",
        "**a paragraph**", "- an item", "| case 0<br>a note | training |  |", "![figure](figures/line.svg)",
        "- **term**: meaning", "footer",
    ):  # fmt: skip
        assert words in text


def test_hostile_texts_do_nothing(hostile_document: Document) -> None:
    html = rendered(markdown(hostile_document))
    assert html.count("<img") == 1  # the figure
    assert "<a " not in html
    assert "<em>" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert html.count("<h1>") == 1
    assert html.count("<li>") == 5  # notice, fault, doubt, item, term
    assert "@team" not in re.sub("<pre>.*?</pre>", "", html, flags=re.DOTALL)  # in code nobody is mentioned


def test_hostile_texts_add_no_cells_to_a_row(hostile_document: Document) -> None:
    html = rendered(markdown(hostile_document))
    assert len(re.findall("<th[ >]", html)) == 3 * 3 + 1
    assert len(re.findall("<td[ >]", html)) == 3 * 3 * 3 + 1


def test_code_cannot_end_its_fence() -> None:
    text = markdown(Document(title="t", parts=(Code(code="```\n# out"),)))
    assert "<h1>out" not in rendered(text)


def test_a_marker_cannot_end_its_comment() -> None:
    assert markdown(Document(title="t", marker="loaderbench --><b>")).startswith("<!-- loaderbench b -->\n\n# t\n")


def test_tables_without_end_still_fit_a_comment_and_say_what_is_left_out() -> None:
    text = markdown(document_of(lambda text: f"{text} {HOSTILE}", rows=10_000))
    assert len(text) < 120_000
    assert "more rows on the HTML page." in text


def test_the_first_rows_are_shown_where_a_table_says_how_many() -> None:
    table = next(part for part in document_of(str).parts[2].parts if isinstance(part, Table))
    text = markdown(Document(title="t", parts=(replace(table, most_rows={"markdown": 1}),)))
    assert "case 0" in text
    assert "case 1" not in text
    assert "2 more rows on the HTML page." in text


def test_parts_of_other_outputs_are_left_out() -> None:
    on: Outputs = frozenset({"html"})
    document = Document(
        title="t", parts=(Text(text="elsewhere", on=on), Section(title="hidden", parts=(), on=on), Text(text="here"))
    )
    assert markdown(document) == "# t\n\nhere\n"
