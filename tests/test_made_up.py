"""A setting and a metric that do not exist, each registered in one place, appear wherever a reader may look."""

import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

MADE_UP = """
from loaderbench.reports.vocabulary import Metric, Setting, register

register(Setting(
    name="mixing", help="how strongly samples are mixed", kind="whole", least=1, default=3, phrase="mixing={}",
    has_column=True,
))
register(Metric(
    "mixed_share", "share mixed", "share", "higher", "Of the samples, how many were mixed.", in_table=True,
    figure="Mixing",
))
"""
BENCH = """
from loaderbench.benches.harness.measuring.clock import Epoch

class Mixed(Epoch):
    def __init__(self, dataset, loader, *, device, mixing):
        super().__init__(dataset, loader, device=device)
        self.mixing = mixing

    def after(self):
        return {**super().after(), "mixed_share": self.mixing / 10}

def bench_mixing(measure, dataset, loader, device, mixing):
    measure(Mixed(dataset, loader, device=device, mixing=mixing))
"""
REPORT = "import made_up, sys; from loaderbench.benches.cli.main import main; sys.exit(main(['report', 'run']))"
PLUGINS = ("-p", "made_up", "-p", "loaderbench.benches.harness.plugin", "--import-mode=importlib")


@pytest.fixture(scope="module")
def project(places: Callable[[str], Any]) -> Any:
    """A user's folder with the vocabulary's addition, a bench that uses it, its run and its report."""
    place = places("made_up").write(made_up=MADE_UP, bench_mixing=BENCH)
    brief = (
        "--dataset",
        "images",
        "--collate-fn",
        "default",
        "--num-workers",
        "0",
        "--batch-size",
        "64",
        "--rounds",
        "2",
        "--round-time",
        "0",
    )
    command = [sys.executable, "-m", "pytest", *PLUGINS, "bench_mixing.py", *brief, "--mixing", "1,2,4"]
    ended = place.call([*command, "--run-dir", "run"])
    assert ended.ret == 0, ended.out
    assert place.call([sys.executable, "-c", REPORT]).ret == 0
    return place


def test_it_is_in_the_help_of_the_command_line(project: Any) -> None:
    command = [sys.executable, "-m", "pytest", *PLUGINS, "--help"]
    printed = project.call(command).out
    assert "--mixing" in printed
    assert "How strongly samples are mixed: whole numbers" in " ".join(printed.split())


def test_it_is_in_the_record_and_in_the_names_of_cases(project: Any) -> None:
    record = (project.folder / "run" / "run.json").read_text()
    assert "mixing=4" in record
    assert '"mixing":4' in record
    assert '"mixed_share":[0.4,0.4]' in record


def test_it_is_in_the_frame(project: Any) -> None:
    frame = pd.read_csv(project.folder / "run" / "records.csv")
    rounds = frame[~frame["warmup"]]
    assert sorted(set(zip(rounds["mixing"], rounds["mixed_share"], strict=True))) == [(1, 0.1), (2, 0.2), (4, 0.4)]


@pytest.mark.parametrize("output", ["report.md", "report.html"])
def test_it_is_in_the_table_of_cases(project: Any, output: str) -> None:
    content = (project.folder / "run" / output).read_text()
    assert "mixing" in content
    assert "share mixed" in content


def test_it_is_on_the_axes_of_a_figure_and_in_the_page(project: Any) -> None:
    figures = [path.read_text() for path in (project.folder / "run" / "figures").glob("*.svg")]
    assert [figure for figure in figures if "share mixed" in figure and "mixing" in figure]
    assert "Of the samples, how many were mixed." in (project.folder / "run" / "report.html").read_text()
