"""The recommendation in words: what limits training, which setting to use, what is open and what to run next."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from made_up_rates import RatedCases, around

from loaderbench.reports.documents.document import Callout
from loaderbench.reports.documents.report.recommendation import verdict_callout
from loaderbench.reports.stats.recommendation import recommend
from loaderbench.reports.stats.summary import summarise

Judged = Callable[..., Callout]


@pytest.fixture
def judged(records_of: Callable[..., Any]) -> Judged:
    def callout(rated: RatedCases, **block: Any) -> Callout:
        records = records_of(rated.document(**block))
        return verdict_callout(recommend(summarise(records.frame))[0], records.runs[-1])

    return callout


def test_wide_intervals_leave_a_smaller_setting_open(rated: RatedCases, judged: Judged) -> None:
    rated.epoch(around(900, 0.3), workers=0).epoch(around(1000, 0.3), workers=1)
    callout = judged(rated)
    assert (
        "the fastest was num_workers=1, and the rounds do not show whether a smaller setting is as good"
        in callout.sentence
    )
    assert any(doubt.startswith("num_workers=0 may be as good") for doubt in callout.doubts)
    assert callout.command.endswith("--num-workers 0,1,2 --budget 5m")


def test_a_setting_that_is_shown_is_taken_and_a_smaller_one_that_is_open_is_named(
    rated: RatedCases, judged: Judged
) -> None:
    rated.epoch(around(970, 0.004), workers=0).epoch(around(995, 0.004), workers=1).epoch(
        around(1000, 0.004), workers=2
    )
    callout = judged(rated)
    assert "num_workers=1 is the smallest setting shown to be within 3\u202f% of the best" in callout.sentence
    assert any(doubt.startswith("num_workers=0 may be as good") for doubt in callout.doubts)


def test_the_fastest_that_is_not_shown_to_be_as_good_as_a_larger_one_says_so(rated: RatedCases, judged: Judged) -> None:
    callout = judged(rated.epoch(around(1000, 0.1), workers=0).epoch(around(990, 0.1), workers=1))
    assert "the fastest was num_workers=0." in callout.sentence
    assert any(doubt.startswith("num_workers=1 may be faster") for doubt in callout.doubts)
    assert "--num-workers 0,1 " in callout.command


def test_one_round_tells_nothing_and_says_so(rated: RatedCases, judged: Judged) -> None:
    rated.epoch([900.0], workers=0).epoch([1000.0], workers=1)
    callout = judged(rated)
    assert "One round only" in " ".join(callout.doubts)
    assert callout.command.endswith("--budget 5m")


def test_more_time_is_asked_for_than_there_was(rated: RatedCases, judged: Judged) -> None:
    rated.epoch(around(950, 0.15), workers=0).epoch(around(1000, 0.02), workers=1)
    for given in (["--budget", "2m"], ["--budget=2m"]):
        assert judged(rated, command=given).command.endswith("--budget 480s")


def test_the_only_setting_is_called_that(rated: RatedCases, judged: Judged) -> None:
    callout = judged(rated.epoch(around(1000), workers=0))
    assert "num_workers=0 is the only setting that was tried" in callout.sentence
    assert "--num-workers 0,1,2,8" in callout.command


def test_the_best_at_the_edge_of_the_sweep_asks_for_more_workers(rated: RatedCases, judged: Judged) -> None:
    callout = judged(rated.epoch(around(500), workers=1).epoch(around(1000), workers=2))
    assert "num_workers=2 is the most that was tried, and the best: more may be better." in callout.doubts
    assert "--num-workers 2,4" in callout.command


def test_more_workers_are_not_asked_for_than_a_quota_leaves_cpus(rated: RatedCases, judged: Judged) -> None:
    rated.epoch(around(500), workers=1).epoch(around(1000), workers=2)
    callout = judged(rated, machine={"cpus_affinity": 8, "cpus_quota": 2.5})
    assert not any("more may be better" in doubt for doubt in callout.doubts)


def test_all_processors_in_use_is_no_edge(rated: RatedCases, judged: Judged) -> None:
    callout = judged(rated.epoch(around(500), workers=1).epoch(around(1000), workers=8))
    assert not any("more may be better" in doubt for doubt in callout.doubts)


def test_a_fast_loader_is_not_the_bottleneck(rated: RatedCases, judged: Judged) -> None:
    rated.training(around(280), loader=800, stall=0.3, workers=0).training(around(400), loader=1540, workers=1)
    rated.training(around(401), loader=1600, workers=2)
    callout = judged(rated)
    assert callout.headline == "Loading is not your bottleneck"
    assert callout.sentence.replace("\u202f", " ") == (
        "The loader alone delivers 1 540 images/s, the step alone uses 410: loading is not your bottleneck; "
        "num_workers=1 is the smallest setting shown to be within 3 % of the best."
    )
    assert not callout.doubts


def test_a_slow_loader_is_the_bottleneck(rated: RatedCases, judged: Judged) -> None:
    rated.training(around(100), loader=120, stall=0.7, workers=0).training(
        around(200), loader=210, stall=0.5, workers=8
    )
    callout = judged(rated)
    assert callout.headline == "Loading is your bottleneck"
    assert "(the step waits 50\u202f% of the time)" in callout.sentence


def test_a_fast_loader_that_takes_turns_with_the_step_is_told_apart(rated: RatedCases, judged: Judged) -> None:
    callout = judged(rated.training(around(300), loader=800, stall=0.35, workers=0))
    assert callout.headline == "The loader is fast enough, yet the step waits"


def test_equal_loader_and_step_are_too_close_to_call(rated: RatedCases, judged: Judged) -> None:
    rated.training(around(300), loader=411, workers=0).training(around(400), loader=411, workers=8)
    callout = judged(rated)
    assert callout.headline == "Loader and step are too close to call"
    assert callout.command


def test_without_training_the_step_is_asked_for(rated: RatedCases, judged: Judged) -> None:
    rated.epoch(around(500), workers=0).epoch(around(1000), workers=8)
    callout = judged(rated)
    assert callout.headline == "The loader was measured, the training step was not"
    assert callout.command.startswith("loaderbench run --dataset images")


def test_of_a_users_dataset_whose_setting_is_shown_the_model_is_asked_for(rated: RatedCases, judged: Judged) -> None:
    for workers, rate in ((0, 1000), (8, 100)):
        rated.epoch(around(rate), workers=workers, dataset="my.data:Train")
    assert judged(rated).command == "loaderbench run --dataset my.data:Train --model my.model:Net"


def test_the_next_command_carries_the_users_own_model_and_arguments(rated: RatedCases, judged: Judged) -> None:
    rated.epoch(around(1000), workers=0, dataset="my.data:Train")
    command = ["-q", "--dataset", "my.data:Train", "--dataset-args", '{"root": "/my data"}', "--model=my.model:Net"]
    words = shlex.split(judged(rated, command=command).command)
    assert words[:3] == ["loaderbench", "run", "--dataset"]
    assert words[words.index("--dataset-args") + 1] == '{"root": "/my data"}'
    assert "--model=my.model:Net" in words


def test_the_next_command_gives_every_argument_of_the_loader_again(rated: RatedCases, judged: Judged) -> None:
    given = {"sampler": "my.data:sampler", "worker_init_fn": "my.data:init", "drop_last": True}
    callout = judged(rated.epoch(around(1000), workers=1, dataset="my.data:Train", **given))
    words = shlex.split(callout.command)
    for option, value in (("sampler", "my.data:sampler"), ("worker-init-fn", "my.data:init"), ("drop-last", "on")):
        assert words[words.index(f"--{option}") + 1] == value
    for argument in ("sampler=sampler(dataset)", "worker_init_fn=init", "drop_last=True"):
        assert f"    {argument},\n" in callout.code.code


def test_the_next_command_leaves_to_a_loader_of_the_user_s_own_what_was_not_varied(
    rated: RatedCases, judged: Judged
) -> None:
    rated.epoch(around(1000), workers=0, dataset="my.data:loader", collate_fn="my.data:loader.collate_fn")
    words = shlex.split(judged(rated, command=["--from-loader", "my.data:loader", "--batch-size", "32"]).command)
    assert words[words.index("--from-loader") + 1] == "my.data:loader"
    assert "--batch-size" in words
    assert not {"--dataset", "--collate-fn"} & set(words)


def test_the_next_command_quotes_what_a_shell_would_obey(rated: RatedCases, judged: Judged) -> None:
    callout = judged(rated.epoch(around(1000), workers=0, dataset="x; rm -rf $HOME"))
    assert shlex.split(callout.command)[3] == "x; rm -rf $HOME"


def test_the_call_has_the_switches_of_the_chosen_case(rated: RatedCases, judged: Judged) -> None:
    settings = {"pin_memory": True, "persistent_workers": True, "prefetch_factor": 4, "sampling": "shuffle"}
    call = judged(rated.epoch(around(1000), workers=2, **settings)).code.code
    assert re.findall(r"(\w+)=True", call) == ["shuffle", "pin_memory", "persistent_workers"]
    assert "prefetch_factor=4," in call
