"""What a report says, on each output: the verdicts, the best cases, every case, short enough for where it goes."""

import html
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_documents import HOSTILE, figure_of
from made_up_runs import without_figures
from rich.console import Console

from loaderbench.reports.documents.document import Callout, Document, DrawnFigure, Section, Table, walk
from loaderbench.reports.documents.report.report_document import Report, assemble, report_document
from loaderbench.reports.explain.ranking import rank
from loaderbench.reports.records.frame import Records
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.terminal import print_document
from loaderbench.reports.render.webpage import page
from loaderbench.reports.units import quantity


def printed(document: Document, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_document(document, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def document(realistic: Report) -> Document:
    return report_document(
        replace(realistic, figures=(replace(figure_of("a"), name="a"), replace(figure_of("b"), name="b")))
    )


def cases_of(document: Document) -> Table:
    return next(part for part in walk(document.parts) if isinstance(part, Table) and part.name == "cases")


def column(table: Table, label: str) -> list[str]:
    place = [column.label for column in table.columns].index(label)
    return [row[place].text for row in table.rows]


def test_each_dataset_has_a_callout_with_its_call(document: Document) -> None:
    callouts = [part for part in document.parts if isinstance(part, Callout)]
    assert [callout.subject for callout in callouts] == ["images · cuda", "text · cuda", "tokens · cuda"]
    for callout in callouts:
        assert callout.code
        assert callout.code.code.startswith("DataLoader(")
        assert [bar.label for bar in callout.bars] == ["loader alone", "step alone", "both", "waiting"]
        assert max(bar.share for bar in callout.bars) == 1.0


def test_every_figure_is_in_a_section_of_the_page_alone(document: Document) -> None:
    figures = [part for part in walk(document.parts) if isinstance(part, DrawnFigure)]
    assert {figure.name for figure in figures} == {"a", "b"}
    sections = [part.title for part in document.parts if isinstance(part, Section) and "html" in part.on]
    assert len(set(sections)) == len(sections)
    assert "![" not in markdown(document)


def test_all_cases_are_listed_failed_ones_first_with_their_reasons(document: Document, realistic: Report) -> None:
    table = cases_of(document)
    assert len(table.rows) == len(realistic.cases) + 2
    assert table.kinds[0] == "failed"
    assert table.kinds[-1] == "skipped"
    reasons = column(table, "reason")
    assert reasons[0] == "DataLoader worker (pid 4242) is killed by signal: Killed."
    assert reasons[-1] == "needs an accelerator"


def test_no_column_is_empty(document: Document) -> None:
    table = cases_of(document)
    assert all(any(column(table, head.label)) for head in table.columns)


def test_what_is_the_same_in_all_cases_is_said_once_above_them(
    synthetic: Callable[..., Any], records_of: Callable[..., Records]
) -> None:
    source, settings = synthetic(), {"dataset": "text", "batch_size": 2, "sampling": "shuffle", "pin_memory": False}
    cases = [source.case("epoch", {**settings, "num_workers": workers}, 3) for workers in (0, 1)]
    skipped = {"name": "x", "bench": "epoch", "settings": {}, "reason": "needs an accelerator"}
    report = report_document(without_figures(records_of(source.document(cases, skipped=[skipped]))))
    same = "bench epoch · dataset text · batch_size 2 · sampling shuffle · pin_memory False · n 3"
    assert f"The same in all cases: {same}." in html.unescape(page(report))
    labels = [head.label for head in cases_of(report).columns]
    assert labels[:2] == ["num_workers", "throughput"]
    assert {"status", "reason"} <= set(labels)


def test_a_case_alone_is_in_the_table_and_not_above_it(
    synthetic: Callable[..., Any], records_of: Callable[..., Records]
) -> None:
    source = synthetic()
    case = source.case("epoch", {"dataset": "text", "batch_size": 2, "num_workers": 0}, 3)
    report = report_document(without_figures(records_of(source.document([case]))))
    assert column(cases_of(report), "dataset") == ["text"]
    assert "The same in all cases" not in markdown(report)


def test_cases_are_sorted_by_throughput_as_numbers(document: Document) -> None:
    table = cases_of(document)
    place = [head.label for head in table.columns].index(table.sort)
    assert table.columns[place].number
    assert all(isinstance(row[place].number, float) for row in table.rows if row[place].text)


def test_the_terminal_has_result_verdict_call_and_failure(document: Document) -> None:
    text = printed(document)
    for words in (
        "images/s", "Loading is not your bottleneck", "DataLoader(dataset, batch_size=", "more cases",
        "failed: bench_epoch[text-workers=64]: DataLoader worker",
    ):  # fmt: skip
        assert words in text
    assert len(text.splitlines()) < 120


def test_the_terminal_says_of_memory_what_the_loader_adds(document: Document, realistic: Report) -> None:
    added = realistic.cases.loc[realistic.cases["bench"] == "memory", "added_pss_bytes"].min()
    assert f"memory added {quantity(added, 'bytes')}" in printed(document)


def test_markdown_has_verdict_call_and_the_first_cases(document: Document) -> None:
    text = markdown(document)
    assert "> [!TIP]\n> **images · cuda: Loading is not your bottleneck**" in text
    assert "```python\nDataLoader(" in text
    assert "<details><summary>All 149 cases</summary>" in text
    assert "killed by signal" in text
    assert "89 more rows on the HTML page." in text


def test_markdown_fits_a_step_summary_however_many_cases_there_are(realistic: Report) -> None:
    many = replace(realistic, cases=pd.concat([realistic.cases] * 20, ignore_index=True))
    assert len(markdown(report_document(many)).encode()) < 100_000  # GitHub takes 1 MiB


def test_what_was_explained_is_a_section_of_page_and_markdown(realistic: Report, explained: Callable[..., Any]) -> None:
    ranking = rank(explained({"transform": 0.4, "small": 0.1}))
    report = report_document(replace(realistic, explained=(ranking, ranking)))
    assert page(report).count('id="explained-') == 2
    assert "## What would make it faster" in markdown(report)
    assert "What would make it faster" not in printed(report)


def test_nothing_measured_is_a_document_that_says_so(
    synthetic: Callable[..., Any], records_of: Callable[..., Records]
) -> None:
    entry = {"name": "bench_epoch[x]", "bench": "epoch", "settings": {}, "reason": "it fell over", "phase": "call"}
    document = report_document(assemble(records_of(synthetic().document([], failed=[entry]))))
    assert "Nothing to recommend" in page(document)
    assert "failed: bench_epoch[x]: it fell over" in printed(document)
    assert column(cases_of(document), "reason") == ["it fell over"]


def test_a_run_of_hostile_names_is_shown_and_does_nothing(
    synthetic: Callable[..., Any], records_of: Callable[..., Records], opened: Callable[..., Any]
) -> None:
    run = synthetic().run(
        2,
        failed=[{"name": HOSTILE, "bench": HOSTILE, "settings": {}, "reason": HOSTILE, "phase": HOSTILE}],
        machine={"cpu_model": HOSTILE}, run=HOSTILE, command=["--model", HOSTILE], planned=1000, complete=False,
    )  # fmt: skip
    run["commit_info"] |= {"id": HOSTILE, "branch": HOSTILE}
    run["benchmarks"] = run["benchmarks"][::4]
    for case in run["benchmarks"]:
        case["name"] += HOSTILE
        case["extra_info"]["settings"] |= {"dataset": HOSTILE, "collate_fn": HOSTILE}
    document = report_document(assemble(records_of(run)))
    browser = opened(page(document))
    assert browser.find_elements("tag name", "img") == []
    assert "</script><img" in browser.find_element("css selector", ".subject").text
    assert browser.get_log("browser") == []
    for text in (markdown(document), printed(document)):
        assert not re.search("[\x1b\u202e]", text)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_report_is_made_whatever_settings_and_columns_are_missing(
    synthetic: Callable[..., Any], records_of: Callable[..., Records], data: st.DataObject
) -> None:
    run = synthetic().run(2, device="cuda")
    run["benchmarks"] = run["benchmarks"][::5]
    every = sorted(run["benchmarks"][0]["extra_info"]["settings"])
    missing = data.draw(st.sets(st.sampled_from(every), max_size=3))
    columns = data.draw(
        st.sets(st.sampled_from(["seconds", "samples", "wait_s", "wait_p50_s", "step_seconds"]), max_size=2)
    )
    for case in run["benchmarks"]:
        for part, names in (("settings", missing), ("rounds", columns)):
            values = case["extra_info"][part]
            case["extra_info"][part] = {name: value for name, value in values.items() if name not in names}
    document = report_document(without_figures(records_of(run)))
    assert "</html>" in page(document)
    assert markdown(document)
    assert printed(document)


def test_the_slowest_samples_are_named_by_their_index(document: Document) -> None:
    (section,) = (part for part in document.parts if isinstance(part, Section) and part.title == "Slowest samples")
    (table,) = (part for part in section.parts if isinstance(part, Table))
    rows = [[cell.text.replace("\u202f", " ") for cell in row] for row in table.rows]
    assert rows == [["text", "41", "100 ms", "40 %"], ["text", "42", "50 ms", "20 %"]]


def test_a_first_pass_that_was_much_slower_is_said(realistic: Report) -> None:
    frame = realistic.records.frame
    is_first = frame["warmup"].astype(bool) & (frame["bench"] == "epoch")
    slow = frame.assign(seconds=frame["seconds"].where(~is_first, 1000.0), first_batch_s=0.001, batches=8.0)
    made = replace(realistic, records=replace(realistic.records, frame=slow))
    (notice,) = (line for line in report_document(made).notices if "its first pass" in line)
    assert "bench_epoch" in notice
    assert "other cases did" in notice
