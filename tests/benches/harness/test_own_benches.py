"""Benches of the user's own, from any folder; and settings and metrics that the vocabulary learns of."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loaderbench.reports.vocabulary import METRICS, SETTINGS, Metric, Setting, register

Suite = Callable[..., pytest.RunResult]

DOCUMENT = Path(__file__).parents[3] / "docs" / "own-benches.md"
MINE = ("--dataset", "mine:Numbers", "--rounds", "1", "--round-time", "0", "--run-dir", "run")


def cases(pytester: pytest.Pytester) -> dict[str, Any]:
    record = json.loads((pytester.path / "run" / "run.json").read_text())
    return {case["name"]: case["extra_info"] for case in record["benchmarks"]}


def test_ten_lines_make_a_bench_in_any_folder(suite: Suite, pytester: pytest.Pytester) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    pytester.makepyfile(bench_sorted=example)
    suite("bench_sorted.py", *MINE, "--start-method", "fork").assert_outcomes(passed=3)
    measured = cases(pytester)
    assert set(measured) == {
        "bench_sorted[mine.Numbers-workers=0-batch=8]",
        "bench_sorted[mine.Numbers-workers=1-batch=8]",
        "bench_sorted[mine.Numbers-workers=0-batch=16]",
    }
    assert all(case["rounds"]["samples"] == [20] for case in measured.values())


HEATED = """
from contextlib import nullcontext


class Heated(nullcontext):
    steady = True

    def __init__(self, oven_heat):
        super().__init__(self)
        self.oven_heat = oven_heat

    def before(self, passes):
        pass

    def run(self, passes):
        pass

    def after(self):
        return {"seconds": 1.0, "crust_mm": self.oven_heat / 100}


def bench_crust(measure, oven_heat):
    measure(Heated(oven_heat))
"""


@pytest.fixture
def made_up() -> Iterator[None]:
    register(Setting(name="oven_heat", help="degrees of the oven", kind="whole", default=200, phrase="heat={}"))
    register(Metric("crust_mm", "crust", "", "higher"))
    yield
    del SETTINGS["oven_heat"], METRICS["crust_mm"]


@pytest.mark.usefixtures("made_up")
def test_a_new_setting_has_an_option_a_place_in_the_name_and_a_column(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_crust=HEATED)
    suite("--help").stdout.fnmatch_lines(["*--oven-heat=LIST*Degrees of the oven*"])
    suite("bench_crust.py", *MINE[2:], "--oven-heat", "180,220").assert_outcomes(passed=2)
    measured = cases(pytester)
    assert set(measured) == {"bench_crust[heat=180]", "bench_crust[heat=220]"}
    assert [measured[f"bench_crust[heat={heat}]"]["settings"]["oven_heat"] for heat in (180, 220)] == [180, 220]


@pytest.mark.usefixtures("made_up")
def test_a_setting_that_nothing_sweeps_has_its_default(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_crust=HEATED)
    suite("bench_crust.py", *MINE[2:]).assert_outcomes(passed=1)
    (case,) = cases(pytester).values()
    assert case["settings"] == {"oven_heat": 200}


@pytest.mark.usefixtures("made_up")
def test_a_new_metric_is_a_column_of_the_record(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(bench_crust=HEATED)
    suite("bench_crust.py", *MINE[2:])
    (case,) = cases(pytester).values()
    assert case["rounds"]["crust_mm"] == [2.0]
