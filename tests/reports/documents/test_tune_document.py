"""What `loaderbench tune` says of made-up tunings."""

import re
from typing import Any

import msgspec
import pytest
from made_up_tunings import made_up_tuning

from loaderbench.reports.documents.tune_document import headline, tune_document
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.tune.answer import TuneAnswer
from loaderbench.reports.tune.tune_record import TriedSetting, TuneLimits


def words_of(**facts: Any) -> str:
    return markdown(tune_document(made_up_tuning(**facts)))


def test_the_call_stands_first_with_its_imports_and_the_gain_with_its_interval() -> None:
    words = words_of()
    assert "from torch.utils.data import DataLoader\nDataLoader(dataset, num_workers=2)" in words
    assert re.search(r"2\.00× \([\d.]+× to [\d.]+×\) as fast as torch's defaults \(workers=0\)", words)
    assert "throughput-against-costs" in words


def test_what_is_shown_is_told_from_what_is_best_so_far() -> None:
    shown, not_shown = (headline(TuneAnswer(tuned=made_up_tuning(is_shown=is_shown))) for is_shown in (True, False))
    assert "the smallest of 3 settings tried that is shown to be within" in shown
    assert "the best so far of 3 settings tried, but that is not shown yet" in not_shown


def test_where_all_others_were_lost_nothing_is_said_of_the_best() -> None:
    settings = [
        one if one.name == "workers=2" else msgspec.structs.replace(one, status="lost", reason="killed")
        for one in made_up_tuning().settings
    ]
    words = headline(TuneAnswer(tuned=made_up_tuning(settings=tuple(settings))))
    assert words.endswith("of 3 settings tried, all others were lost")


def with_status(status: str) -> tuple[TriedSetting, ...]:
    settings = made_up_tuning().settings
    return (*settings[:2], msgspec.structs.replace(settings[2], status=status, reason="killed by SIGKILL"))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"settings": with_status("open")}, "Still open after 12"),
        ({"settings": with_status("not pursued")}, "Still open after 12"),
        ({"settings": with_status("open"), "command": ("tune", "--fresh")}, "The same command without --fresh goes on"),
        ({"settings": with_status("open"), "command": ("tune", "--out=a")}, "a new folder beside this one (--out)"),
        ({"own": "workers=2"}, "This is your own setting"),
        ({"settings": with_status("lost")}, "Lost (killed by SIGKILL): workers=4"),
        ({}, "Not tried (shared memory: 9 GB of 8 GB): workers=64"),
        ({"interrupted": True}, "Interrupted: answered from what was measured until then."),
        ({"earlier": "runs/old-tune", "earlier_trials": 7}, "Started from 7 trials of runs/old-tune"),
        ({"is_length_known": False, "objective": "throughput"}, "epoch is: settings are compared once batches flow"),
        ({"is_length_known": False, "objective": "cpu"}, "epoch is: its CPU time is that of the part that is read"),
        ({"is_length_known": False}, "mine:Train: passes of 100 samples or more"),
        ({"limits": TuneLimits(memory_bytes=8e9, cpus=2)}, "memory at most 8"),
        ({"fixed": {"num_workers": 4, "in_order": True}}, "num_workers=4 fixed, in_order=on fixed"),
        ({"objective": "cpu"}, "s of CPU time for an epoch"),
        ({"objective": "cpu"}, "torch's defaults (workers=0) take 2.00×"),
    ],
)  # fmt: skip
def test_what_a_reader_must_know_is_said(facts: dict[str, Any], words: str) -> None:
    assert words in words_of(**facts)


def test_where_every_trial_was_lost_there_is_no_call() -> None:
    settings = tuple(msgspec.structs.replace(one, status="lost", reason="killed") for one in made_up_tuning().settings)
    words = words_of(settings=settings, recommended="", is_shown=False, trials=())
    assert "No setting could be measured" in words
    assert "DataLoader(" not in words
