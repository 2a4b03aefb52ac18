"""Topics in processes of their own: what comes of those that end, fail, die and are interrupted."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from prove.goals import Goal, Result, Topic
from prove.measuring import Measuring
from prove.scope import Measured, Scope

FIRST, SECOND = Goal(what="first", unit="", at_least=1), Goal(what="second", unit="", at_least=1)


def topic(
    name: str, measure: Callable[[Scope], Mapping[str, Measured]], *, is_arithmetic: bool = False, minutes: float = 1.0
) -> Topic:
    return Topic(name=name, goals=(FIRST, SECOND), measure=measure, is_arithmetic=is_arithmetic, minutes=minutes)


def both(_: Scope) -> Mapping[str, Measured]:
    return {"first": Measured(value=1.0), "second": Measured(value=0.0)}


def fails(scope: Scope) -> Mapping[str, Measured]:
    scope.keep({"first": Measured(value=1.0)})
    raise ValueError("no such\ndataset")


def dies(scope: Scope) -> Mapping[str, Measured]:
    scope.keep({"first": Measured(value=1.0)})
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def interrupts(scope: Scope) -> Mapping[str, Measured]:
    """Have Ctrl-C pressed in the process that waits for this one, once the first value is known."""
    for _ in scope.parts(("a", "b")):
        scope.keep({"first": Measured(value=1.0)})
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
    return {}


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is not ignored, as it is in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def measured(folder: Path, *topics: Topic, short: bool = False) -> tuple[list[Result], list[list[Result]]]:
    """The results, and those that were kept after each topic."""
    kept: list[list[Result]] = []
    return Measuring(topics=topics, scope=Scope(folder=folder, short=short), keep=kept.append).run(), kept


def test_what_each_topic_measured_is_kept_at_once(tmp_path: Path) -> None:
    results, kept = measured(tmp_path, topic("one", both), topic("two", both))
    assert [result.measured for result in results] == [both(Scope(folder=tmp_path))] * 2
    assert [[result.is_whole for result in after] for after in kept] == [[True, False], [True, True]]
    assert [goal.what for goal in results[0].missed] == ["second"]


def test_a_topic_that_fails_is_a_fault_in_one_line_and_the_others_are_measured(tmp_path: Path) -> None:
    (failed, other), _ = measured(tmp_path, topic("one", fails), topic("two", both))
    assert failed.fault == "ValueError: no such dataset"
    assert failed.value_of(FIRST).value == 1.0
    assert failed.missed == [SECOND]
    assert not other.fault


def test_a_topic_whose_process_dies_keeps_what_it_reported(tmp_path: Path) -> None:
    ((died, other), _) = measured(tmp_path, topic("one", dies), topic("two", both))
    assert (died.fault, died.is_whole) == ("its process ended with exit code -9", False)
    assert died.value_of(FIRST).value == 1.0
    assert other.is_whole


def test_ctrl_c_ends_what_is_measured_and_keeps_what_is_known(tmp_path: Path, ctrl_c: None) -> None:
    (done, cut, unmeasured), _ = measured(tmp_path, topic("one", both), topic("two", interrupts), topic("three", both))
    assert (done.fault, cut.fault, unmeasured.fault) == ("", "interrupted", "not measured")
    assert cut.value_of(FIRST).value == 1.0
    assert cut.missed == unmeasured.missed == []


def test_a_topic_says_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def with_line(scope: Scope) -> Mapping[str, Measured]:
        scope.say("a command failed")
        return both(scope)

    measured(tmp_path, topic("one", with_line))
    errors = capsys.readouterr().err
    assert "one: a command failed" in errors
    assert "1 goal of 2 missed" in errors


@pytest.mark.parametrize(
    ("kinds", "short", "at_once"), [((True, True), False, 2), ((True, False), False, 1), ((False, False), True, 2)]
)
def test_only_what_reads_no_clock_or_judges_no_value_is_measured_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: Sequence[bool], short: bool, at_once: int
) -> None:
    monkeypatch.setattr("prove.measuring.usable_cpus", lambda: 2)
    topics = [topic(str(number), both, is_arithmetic=is_one) for number, is_one in enumerate(kinds)]
    measuring = Measuring(topics=topics, scope=Scope(folder=tmp_path, short=short))
    monkeypatch.setattr("prove.measuring._begun", lambda topic, _: type("Begun", (), {"topic": topic})())
    most: list[int] = []
    monkeypatch.setattr(Measuring, "_receive", lambda self: (most.append(len(self.running)), self.running.clear()))
    measuring.run()
    assert max(most) == at_once
