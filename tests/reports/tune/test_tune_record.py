"""The record of a tuning: written, read, refused; and the answer that is worked out from it."""

import re
from pathlib import Path

import msgspec
import pytest
from made_up_tunings import made_up_tuning

from loaderbench.reports.records.json_files import MalformedError
from loaderbench.reports.tune.answer import TuneAnswer
from loaderbench.reports.tune.tune_record import Tuned, TuneLimits


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    tuned = made_up_tuning()
    (tmp_path / Tuned.file_name()).write_bytes(msgspec.json.encode(tuned))
    assert Tuned.read(tmp_path) == tuned


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"schema": 7}, "has schema 7; this loaderbench reads schema 1"),
        ({"recommended": "workers=99"}, "'workers=99' is none of the settings"),
        ({"budget_s": "much"}, "budget_s: expected float, got str"),
    ],
    ids=["schema", "unknown", "text"],
)
def test_a_record_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, facts: dict[str, object], words: str
) -> None:
    document = msgspec.to_builtins(made_up_tuning()) | facts
    (tmp_path / Tuned.file_name()).write_bytes(msgspec.json.encode(document))
    with pytest.raises(MalformedError, match=re.escape(words)):
        Tuned.read(tmp_path)


def test_the_gain_is_the_cost_of_a_baseline_over_that_of_the_recommended_one() -> None:
    answer = TuneAnswer(tuned=made_up_tuning())
    (gain,) = answer.gains  # torch's defaults are the user's own setting here
    assert gain.over == "torch's defaults"
    assert gain.ratio.low < 2.0 < gain.ratio.high
    assert answer.open_ones == []


def test_settings_stand_in_the_order_of_what_they_cost() -> None:
    summaries = TuneAnswer(tuned=made_up_tuning()).summaries
    assert [one.setting.name for one in summaries] == ["workers=2", "workers=4", "workers=0"]
    assert summaries[0].pss_bytes == 2e8
    assert summaries[0].busy_cpus == pytest.approx(2.0, rel=0.01)


def test_another_objective_compares_what_it_makes_small() -> None:
    answer = TuneAnswer(tuned=made_up_tuning(objective="first-batch"))
    assert [one.cost_s for one in answer.summaries] == pytest.approx([0.1] * 3)


@pytest.mark.parametrize(
    ("limit_bytes", "words"),
    [
        (1.9e8, "more than --max-memory"),
        (2.01e8, "of --max-memory"),
        (2.1e8, ""),
    ],
    ids=["above", "close", "below"],
)
def test_a_trial_close_to_a_limit_has_exceeded_it_as_the_next_one_may(limit_bytes: float, words: str) -> None:
    trial = next(one for one in made_up_tuning().trials if one.pss_bytes == 2e8)
    said = TuneLimits(memory_bytes=limit_bytes).exceeded_by(trial)
    assert words in said
    assert bool(said) is bool(words)
