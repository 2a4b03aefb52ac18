"""Goals: which values meet them, what the table says, and what the exit code is."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.render.terminal import print_document
from prove.goals import Goal, Result, Topic, document, exit_code
from prove.scope import Measured, Scope

AT_MOST = Goal(what="error of a reading", unit="share", at_most=0.02)
AT_LEAST = Goal(what="causes found", unit="share", at_least=1.0)
BETWEEN = Goal(what="coverage", unit="share", at_least=0.93, at_most=0.97)


def result(fault: str = "", **values: float) -> Result:
    """A result of the three goals above: by default all are met."""
    met = {"error": 0.01, "found": 1.0, "coverage": 0.95, **values}
    goals = {"error": AT_MOST, "found": AT_LEAST, "coverage": BETWEEN}
    measured = {goals[name].what: Measured(value=value) for name, value in met.items()}
    topic = Topic(name="made up", goals=(AT_MOST, AT_LEAST, BETWEEN), measure=lambda _: measured)
    return Result(topic=topic, measured={} if fault else measured, fault=fault)


def table(*results: Result, short: bool = False) -> str:
    text = io.StringIO()
    print_document(document(results, ["a machine"], short=short), Console(file=text, width=140))
    return text.getvalue().replace("\u202f", " ")


@pytest.mark.parametrize(
    ("goal", "value", "is_met"),
    [
        (AT_MOST, 0.02, True),
        (AT_MOST, 0.021, False),
        (AT_LEAST, 1.0, True),
        (AT_LEAST, 0.99, False),
        (BETWEEN, 0.95, True),
        (BETWEEN, 0.98, False),
        (BETWEEN, 0.92, False),
        (AT_MOST, math.nan, False),
    ],
)
def test_a_goal_is_met_within_its_bounds(goal: Goal, value: float, is_met: bool) -> None:
    assert goal.is_met(value) is is_met


def test_a_goal_says_its_bounds() -> None:
    texts = [goal.text.replace("\u202f", " ") for goal in (AT_MOST, AT_LEAST, BETWEEN)]
    assert texts == ["at most 2.0 %", "at least 100 %", "93 % to 97 %"]


def test_the_table_has_a_row_for_each_goal() -> None:
    rows = [line.split("  ") for line in table(result(error=0.5)).splitlines()]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["what", "goal", "measured", "met"] in rows
    assert ["error of a reading", "at most 2.0 %", "50 %", "no"] in rows
    assert ["coverage", "93 % to 97 %", "95 %", "yes"] in rows
    assert "1 goal missed: error of a reading" in table(result(error=0.5))
    assert "Every goal of this table is met." in table(result())


def test_what_could_not_be_measured_is_a_row_and_a_notice() -> None:
    text = table(result(fault="ValueError: no such dataset"))
    assert "made up: ValueError: no such dataset" in text
    assert "3 goals missed" in text


def test_the_table_is_written_for_the_docs() -> None:
    page = markdown(document([result()], ["a machine"], short=False)).replace("\u202f", " ")
    assert "| coverage | 93 % to 97 % | 95 % | yes |" in page


def test_a_missed_goal_is_exit_code_1() -> None:
    assert exit_code([result(), result()], short=False) == 0
    assert exit_code([result(), result(coverage=0.5)], short=False) == 1
    assert exit_code([result(fault="it failed")], short=False) == 1


def test_the_short_form_judges_no_value() -> None:
    assert exit_code([result(error=0.5)], short=True) == 0
    assert "no" not in table(result(error=0.5), short=True).split()


def test_the_short_form_asks_that_every_row_is_there_and_finite() -> None:
    assert exit_code([result(error=math.nan)], short=True) == 1
    assert exit_code([result(fault="it failed")], short=True) == 1
    unasked = result()
    assert exit_code(
        [Result(topic=unasked.topic, measured={**unasked.measured, "else": Measured(value=1.0)})], short=True
    )


def test_the_short_form_measures_little() -> None:
    assert [Scope(folder=Path(), short=short).of(1000, 5) for short in (False, True)] == [1000, 5]
