"""Markdown, terminal and tables: short, whole, and deaf to what hostile names would have them do."""

import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from loaderbench.reports.documents.report import Report, assemble
from loaderbench.reports.records.frame import read
from loaderbench.reports.render import terminal
from loaderbench.reports.render.markdown import summary
from loaderbench.reports.render.outputs import outputs
from loaderbench.reports.text import markdown, plain
from loaderbench.reports.units import quantity

HOSTILE = "a|b `x` <img src=x> [click](http://evil) **bold** @team\n# head\x1b[2J[red]r[/red] _em_ $x$ \u202e"

FORMULAS = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=1"&"2')


def rendered(text: str) -> str:
    """Markdown as a reader of GitHub's flavour makes HTML of it."""
    return MarkdownIt("gfm-like", {"linkify": False}).render(text)


def printed(report: Report, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False)
    console.print(terminal.results(report))
    console.print(terminal.verdicts(report))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def hostile(synthetic: Callable[..., Any], report_of: Callable[..., Report]) -> Report:
    entry = {"name": HOSTILE, "bench": HOSTILE, "settings": {}, "reason": HOSTILE, "phase": "call"}
    document = synthetic().run(2, failed=[entry], machine={"cpu_model": HOSTILE})
    for case in document["benchmarks"]:
        case["extra_info"]["settings"] |= {"dataset": HOSTILE, "collate_fn": HOSTILE}
    return report_of(document)


@pytest.mark.parametrize(
    "text",
    [
        "*a* _b_ __c__",
        "# head",
        "1. one",
        "- dash",
        "`code`",
        "[a](b)",
        "<b>x</b>",
        "a | b",
        "&amp;",
        "~~x~~",
        "\\*",
        "![a](b)",
    ],
)
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    shown = rendered(markdown(text)).removeprefix("<p>").removesuffix("</p>\n")
    assert shown == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_hostile_names_do_nothing_in_markdown(hostile: Report) -> None:
    html = rendered(summary(hostile))
    assert "<img" not in html
    assert "<a " not in html
    assert "<em>" not in html
    assert "\x1b" not in html
    assert html.count("<h1>") == 1


def test_hostile_names_do_not_add_cells_to_a_row(hostile: Report) -> None:
    rows = [line for line in summary(hostile).splitlines() if line.startswith("| ")]
    table = rows[rows.index(next(row for row in rows if row.startswith("| bench"))) :]
    assert {row.count(" | ") for row in table} == {table[0].count(" | ")}


def test_markdown_has_verdict_call_and_table(realistic: Report) -> None:
    text = summary(realistic)
    assert "## images · cuda: Loading is not your bottleneck" in text
    assert "```python\nDataLoader(\n" in text
    assert "60 of 149 cases" in text
    assert "killed by signal" in text


def test_markdown_fits_a_step_summary_however_many_cases_there_are(realistic: Report) -> None:
    many = pd.concat([realistic.cases] * 70, ignore_index=True)
    object.__setattr__(report := Report(**{name: getattr(realistic, name) for name in Report.__slots__}), "cases", many)
    assert len(summary(report).encode()) < 100_000  # GitHub takes 1 MiB


def test_hostile_names_do_nothing_on_a_terminal(hostile: Report) -> None:
    text = printed(hostile)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[red]r[/red]" in text


def test_the_terminal_shows_result_verdict_call_and_failure(realistic: Report) -> None:
    text = printed(realistic)
    assert "images/s" in text
    assert "Loading is not your bottleneck" in text
    assert "DataLoader(dataset, batch_size=" in text
    assert "failed: bench_epoch[text-workers=64]: DataLoader worker" in text


def test_the_terminal_lists_the_best_of_each_bench_and_says_how_many_are_left(realistic: Report) -> None:
    text = printed(realistic)
    assert "slower cases" in text
    assert len(text.splitlines()) < 120


def test_the_terminal_tells_of_memory_what_the_loader_adds(realistic: Report) -> None:
    added = realistic.cases.loc[realistic.cases["bench"] == "memory", "added_pss_bytes"].min()
    assert f"memory added {quantity(added, 'bytes')}" in printed(realistic)


def test_a_narrow_terminal_loses_no_figure(realistic: Report) -> None:
    assert "images/s" in printed(realistic, width=80)


def test_plain_text_is_one_line_that_prints() -> None:
    shown = plain("a\r\nb\x00\u2028\x9b31m" + "c" * 1000)
    assert shown.isprintable()
    assert len(shown) < 400


@pytest.fixture(scope="module")
def files(realistic: Report) -> dict[str, bytes]:
    return dict(outputs(realistic))


def test_every_figure_is_written_as_svg_and_png(files: dict[str, bytes], realistic: Report) -> None:
    for picture in realistic.pictures:
        assert files[f"figures/{picture.plot.name}.svg"].startswith(b"<?xml")
        assert files[f"figures/{picture.plot.name}.png"].startswith(b"\x89PNG")


def test_csv_and_parquet_hold_every_round_and_agree(files: dict[str, bytes], realistic: Report) -> None:
    table = pd.read_parquet(io.BytesIO(files["records.parquet"]))
    csv = pd.read_csv(io.BytesIO(files["records.csv"]))
    assert len(table) == len(csv) == len(realistic.records.frame)
    assert table["seconds"].tolist() == realistic.records.frame["seconds"].tolist()
    assert csv["seconds"].tolist() == pytest.approx(table["seconds"].tolist(), rel=1e-15)


def test_missing_is_empty_in_csv_and_null_in_parquet(files: dict[str, bytes], realistic: Report) -> None:
    missing = realistic.records.frame["wait_s"].isna().sum()
    assert missing > 0
    assert pd.read_csv(io.BytesIO(files["records.csv"]))["wait_s"].isna().sum() == missing
    assert pd.read_parquet(io.BytesIO(files["records.parquet"]))["wait_s"].isna().sum() == missing


@pytest.fixture(scope="module")
def formulas(synthetic: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Outputs of a report on datasets whose names are formulas to a spreadsheet."""
    document = synthetic().run(2)
    for case, dataset in zip(document["benchmarks"], FORMULAS, strict=False):
        case["extra_info"]["settings"] |= {"dataset": dataset, "=1+1": -1.5}
    folder = tmp_path_factory.mktemp("formulas")
    (folder / "run.json").write_text(json.dumps(document))
    return dict(outputs(assemble(read([folder]))))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_has_an_apostrophe_before_it_in_csv(
    formulas: dict[str, bytes], formula: str
) -> None:
    datasets = set(pd.read_csv(io.BytesIO(formulas["records.csv"]), lineterminator="\n")["dataset"])
    assert f"'{formula}" in datasets
    assert formula not in datasets


def test_a_column_s_name_that_a_spreadsheet_would_run_has_one_too(formulas: dict[str, bytes]) -> None:
    assert "'=1+1" in pd.read_csv(io.BytesIO(formulas["records.csv"])).columns


def test_numbers_below_zero_stay_numbers_in_csv(formulas: dict[str, bytes]) -> None:
    assert pd.read_csv(io.BytesIO(formulas["records.csv"]))["'=1+1"].dropna().unique().tolist() == [-1.5]


def test_other_texts_are_in_csv_as_they_are(formulas: dict[str, bytes], realistic: Report) -> None:
    assert "text" in set(pd.read_csv(io.BytesIO(formulas["records.csv"]))["dataset"])


def test_parquet_holds_texts_as_they_are(formulas: dict[str, bytes]) -> None:
    assert set(FORMULAS) <= set(pd.read_parquet(io.BytesIO(formulas["records.parquet"]))["dataset"])


def test_whole_numbers_stay_whole_beside_missing_ones(files: dict[str, bytes]) -> None:
    prefetch = pd.read_parquet(io.BytesIO(files["records.parquet"]))["prefetch_factor"]
    assert set(prefetch.dropna()) == {2}
    assert b",2.0," not in files["records.csv"].splitlines()[200]


def test_the_report_ends_with_its_page(files: dict[str, bytes]) -> None:
    assert list(files)[-1] == "report.html"


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_report_is_made_whatever_settings_and_columns_are_missing(
    synthetic: Callable[..., Any], report_of: Callable[..., Report], data: st.DataObject
) -> None:
    document = synthetic().run(2, device="cuda")
    document["benchmarks"] = document["benchmarks"][::5]
    every = sorted(document["benchmarks"][0]["extra_info"]["settings"])
    missing = data.draw(st.sets(st.sampled_from(every), max_size=3))
    columns = data.draw(
        st.sets(st.sampled_from(["seconds", "samples", "wait_s", "wait_p50_s", "step_seconds"]), max_size=2)
    )
    for case in document["benchmarks"]:
        for part, names in (("settings", missing), ("rounds", columns)):
            held = case["extra_info"][part]
            case["extra_info"][part] = {name: value for name, value in held.items() if name not in names}
    report = report_of(document)
    assert b"</html>" in dict(outputs(report))["report.html"]
    assert printed(report)
