"""Whether a watch is right about a script whose waits are known, judged on made-up records."""

from pathlib import Path

import msgspec
import pytest
from made_up_watches import epoch, loader, steady, watched
from msgspec.structs import replace

from prove import traceml
from prove.scope import Scope
from prove.topics.watched_scripts import SCRIPT, SCRIPTS, details, error_of, is_right

STEADY = SCRIPTS["40% of each step"]
SECOND = SCRIPTS["two loaders, the second one slow"]


def test_a_right_verdict_names_outcome_reason_and_loader() -> None:
    assert is_right(watched(steady(0.4)), STEADY, first_line=31)
    assert not is_right(watched(steady(0.4)), STEADY, first_line=30)
    assert not is_right(watched(steady(0.0)), STEADY, first_line=31)
    assert not is_right(watched(), STEADY, first_line=31)


def test_of_two_loaders_the_slow_one_must_be_named() -> None:
    fast, slow = steady(0.0), replace(steady(0.4), name="train.py:32")
    assert is_right(watched(fast, slow), SECOND, first_line=31)
    assert not is_right(watched(replace(fast, name="train.py:32"), replace(slow, name="train.py:31")), SECOND, 31)


def test_a_straggler_is_told_from_a_slow_loader() -> None:
    waits = [0.1 if step % 20 == 10 else 0.0 for step in range(400)]
    known = SCRIPTS["a straggler in 20 batches"]
    assert is_right(watched(loader(epoch(waits, [0.01] * 400))), known, first_line=31)
    assert not is_right(watched(steady(1 / 3)), known, first_line=31)


def test_the_error_is_in_points_of_the_share() -> None:
    assert abs(error_of(watched(steady(0.41)), STEADY) - 0.01) < 1e-9
    assert error_of(watched(), STEADY) != error_of(watched(), STEADY)


def test_traceml_is_given_scripts_that_name_their_steps() -> None:
    script = traceml.with_steps(SCRIPT)
    compile(script, "known.py", "exec")
    assert "with traceml.trace_step(model):\n                spin(step_s)\n" in script
    with pytest.raises(ValueError, match="no line"):
        traceml.with_steps("pass\n")


def test_where_traceml_is_not_installed_its_rows_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traceml, "is_installed", lambda: False)
    for number in range(len(SCRIPTS)):
        (tmp_path / f"watch-{number}").mkdir()
        (tmp_path / f"watch-{number}" / "watch.json").write_bytes(msgspec.json.encode(watched(steady(0.4))))
    scripts, cost = details(Scope(folder=tmp_path, short=False))
    said = [cells[-1].text for cells in (*scripts.rows, *cost.rows)]
    assert said == ["TraceML is not installed"] * (len(SCRIPTS) + 1)
