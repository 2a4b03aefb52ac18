"""The smallest setting that ties with the best; and the plain word where the rounds cannot tell."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loaderbench.reports.documents.document import Callout
from loaderbench.reports.documents.verdict import verdict
from loaderbench.reports.stats.recommendation import Recommendation, choose, recommend
from loaderbench.reports.stats.summary import summarise
from loaderbench.reports.wording import loader_call

Document = dict[str, Any]
STEP = 410.0


class Bench:
    """Cases with rounds as wanted: rates of each, samples per second."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.cases: list[Document] = []

    def epoch(self, rates: list[float], *, workers: int, **more: Any) -> "Bench":
        return self._add(
            "epoch", {"seconds": [1000 / rate for rate in rates], "samples": [1000] * len(rates)}, workers, more
        )

    def training(
        self, rates: list[float], *, loader: float, step: float = STEP, stall: float = 0.02, workers: int, **more: Any
    ) -> "Bench":
        n, seconds = len(rates), [1000 / rate for rate in rates]
        jitter = np.linspace(0.99, 1.01, n) if n > 1 else np.ones(1)
        rounds = {
            "seconds": seconds, "samples": [1000] * n, "wait_s": [stall * second for second in seconds],
            "loader_seconds": (1000 / loader * jitter).tolist(), "loader_samples": [1000] * n,
            "step_seconds": (1000 / step * jitter).tolist(), "step_samples": [1000] * n,
        }  # fmt: skip
        return self._add("training", rounds, workers, more)

    def _add(self, bench: str, rounds: Mapping[str, list[float]], workers: int, more: Mapping[str, Any]) -> "Bench":
        settings = {"dataset": "images", "device": "cpu", "num_workers": workers, "batch_size": 32, **more}
        extra = {"bench": bench, "settings": settings, "facts": {}, "rounds": rounds, "warmup": {}}
        name = f"bench_{bench}[{len(self.cases)}]"
        self.cases.append({"name": name, "extra_info": extra})
        return self

    def document(self, **block: Any) -> Document:
        return self.source.document(self.cases, **block)


@pytest.fixture
def bench(synthetic: Callable[..., Any]) -> Bench:
    return Bench(synthetic())


@pytest.fixture
def recommended(cases_of: Callable[..., pd.DataFrame]) -> Callable[[Bench], Recommendation]:
    return lambda bench: recommend(cases_of(bench.document()))[0]


@pytest.fixture
def judged(records_of: Callable[..., Any]) -> Callable[..., Callout]:
    def callout(bench: Bench, **block: Any) -> Callout:
        records = records_of(bench.document(**block))
        return verdict(recommend(summarise(records.frame))[0], records.runs[-1])

    return callout


def around(rate: float, spread: float = 0.01, n: int = 5) -> list[float]:
    return (rate * np.exp(spread * np.linspace(-1.4, 1.4, n))).tolist()


def test_fewer_workers_win_where_they_tie(bench: Bench, recommended: Callable[[Bench], Recommendation]) -> None:
    bench.epoch(around(500), workers=0).epoch(around(995), workers=1).epoch(around(1000), workers=2)
    assert recommended(bench).headline.setting == "num_workers=1"


def test_more_workers_win_where_they_are_faster(bench: Bench, recommended: Callable[[Bench], Recommendation]) -> None:
    bench.epoch(around(500), workers=0).epoch(around(800), workers=1).epoch(around(1000), workers=2)
    assert recommended(bench).headline.setting == "num_workers=2"


def test_a_slowdown_nobody_would_start_a_process_for_is_a_tie(
    bench: Bench, recommended: Callable[[Bench], Recommendation]
) -> None:
    bench.epoch(around(990, 1e-5), workers=0).epoch(around(1000, 1e-5), workers=1)
    assert recommended(bench).headline.setting == "num_workers=0"


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ({"prefetch_factor": 2}, {"prefetch_factor": 8}),
        ({"pin_memory": False}, {"pin_memory": True}),
        ({"persistent_workers": False}, {"persistent_workers": True}),
        ({"start_method": "fork"}, {"start_method": "spawn"}),
        ({"num_workers": 1, "prefetch_factor": 8}, {"num_workers": 2, "prefetch_factor": 2}),
    ],
    ids=str,
)
def test_of_settings_that_tie_the_cheaper_is_chosen(
    bench: Bench, cases_of: Callable[..., pd.DataFrame], smaller: Document, larger: Document
) -> None:
    for settings in (larger, smaller):
        bench.epoch(around(1000), workers=settings.get("num_workers", 2), **{**settings, "zeal": "same"})
    for case, settings in zip(bench.cases, (larger, smaller), strict=True):
        case["extra_info"]["settings"] |= settings
    chosen = choose(cases_of(bench.document())).chosen
    assert {name: chosen[name] for name in smaller} == smaller


def test_the_ratio_to_the_best_comes_with_its_interval(
    bench: Bench, recommended: Callable[[Bench], Recommendation]
) -> None:
    bench.epoch(around(990, 0.02), workers=0).epoch(around(1000, 0.02), workers=1)
    choice = recommended(bench).headline
    assert 0.95 < choice.low < choice.ratio < 1 < choice.high < 1.05


def test_the_best_ties_with_itself_exactly(bench: Bench, recommended: Callable[[Bench], Recommendation]) -> None:
    bench.epoch(around(500), workers=0).epoch(around(1000), workers=1)
    choice = recommended(bench).headline
    assert (choice.low, choice.ratio, choice.high) == (1, 1, 1)


def test_full_training_counts_for_more_than_the_loader_alone(
    bench: Bench, recommended: Callable[[Bench], Recommendation]
) -> None:
    bench.epoch(around(1000), workers=0).epoch(around(4000), workers=2)
    bench.training(around(400), loader=1000, workers=0).training(around(400), loader=4000, workers=2)
    found = recommended(bench)
    assert (found.bench, found.headline.setting) == ("training", "num_workers=0")


def test_batch_sizes_are_not_traded_for_workers(bench: Bench, recommended: Callable[[Bench], Recommendation]) -> None:
    bench.epoch(around(500), workers=0).epoch(around(800), workers=1)
    bench.epoch(around(900), workers=0, batch_size=256).epoch(around(1000), workers=1, batch_size=256)
    found = recommended(bench)
    assert [choice.chosen["batch_size"] for choice in found.choices] == [256, 32]
    assert [choice.setting for choice in found.choices] == ["num_workers=1", "num_workers=1"]


def test_datasets_and_devices_are_judged_apart(bench: Bench, cases_of: Callable[..., pd.DataFrame]) -> None:
    bench.epoch(around(1000), workers=0).epoch(around(1000), workers=0, dataset="text")
    bench.epoch(around(1000), workers=0, device="cuda")
    found = recommend(cases_of(bench.document()))
    assert [(each.dataset, each.device) for each in found] == [("images", "cpu"), ("images", "cuda"), ("text", "cpu")]


def test_wide_intervals_are_open_and_not_ties(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.epoch(around(900, 0.3), workers=0).epoch(around(1000, 0.3), workers=1)
    callout = judged(bench)
    assert (
        "num_workers=1 was the fastest, and the rounds cannot tell whether a smaller setting does" in callout.sentence
    )
    assert any(doubt.startswith("num_workers=0 may do as well") for doubt in callout.doubts)
    assert "--num-workers 0,1,2 --rounds" in callout.command


def test_an_open_setting_comes_with_its_own_interval(
    bench: Bench, recommended: Callable[[Bench], Recommendation]
) -> None:
    bench.epoch(around(1000), workers=2).epoch(around(500), workers=1).epoch(around(900, 0.3), workers=0)
    (undecided,) = recommended(bench).headline.undecided.to_dict("records")
    assert undecided["num_workers"] == 0
    assert undecided["ratio"] == pytest.approx(0.9)
    assert undecided["low"] < undecided["ratio"] < undecided["high"]


def test_a_larger_setting_that_surely_ties_is_taken_while_smaller_ones_are_open(
    bench: Bench, judged: Callable[..., Callout]
) -> None:
    bench.epoch(around(1000, 0.4), workers=0).epoch(around(990), workers=1).epoch(around(1010), workers=2)
    sentence = judged(bench).sentence
    assert "num_workers=1 ties with the best, and the rounds cannot tell whether a smaller setting does" in sentence


def test_one_round_tells_nothing_and_says_so(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.epoch([900.0], workers=0).epoch([1000.0], workers=1)
    callout = judged(bench)
    assert "One round only" in " ".join(callout.doubts)
    assert "--rounds 7" in callout.command


def test_more_rounds_are_asked_for_the_wider_the_interval(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.epoch(around(950, 0.15, n=8), workers=0).epoch(around(1000, 0.02, n=8), workers=1)
    narrow = int(shlex.split(judged(bench).command)[shlex.split(judged(bench).command).index("--rounds") + 1])
    assert 16 <= narrow <= 50


def test_the_only_setting_is_called_that(bench: Bench, judged: Callable[..., Callout]) -> None:
    callout = judged(bench.epoch(around(1000), workers=0))
    assert "num_workers=0 is the only setting that was tried" in callout.sentence
    assert "--num-workers 0,1,2,8" in callout.command


def test_the_best_at_the_edge_of_the_sweep_asks_for_more_workers(bench: Bench, judged: Callable[..., Callout]) -> None:
    callout = judged(bench.epoch(around(500), workers=1).epoch(around(1000), workers=2))
    assert "num_workers=2 is the most that was tried, and the best: more may be better." in callout.doubts
    assert "--num-workers 2,4" in callout.command


def test_all_processors_in_use_is_no_edge(bench: Bench, judged: Callable[..., Callout]) -> None:
    callout = judged(bench.epoch(around(500), workers=1).epoch(around(1000), workers=8))
    assert not any("more may be better" in doubt for doubt in callout.doubts)


def test_a_fast_loader_is_not_the_bottleneck(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.training(around(280), loader=800, stall=0.3, workers=0).training(around(400), loader=1540, workers=1)
    bench.training(around(401), loader=1600, workers=2)
    callout = judged(bench)
    assert callout.headline == "Loading is not your bottleneck"
    assert callout.sentence.replace("\u202f", " ") == (
        "The loader alone delivers 1 540 images/s, the step alone uses 410: loading is not your bottleneck; "
        "the smallest setting that ties with the best is num_workers=1."
    )
    assert not callout.doubts


def test_a_slow_loader_is_the_bottleneck(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.training(around(100), loader=120, stall=0.7, workers=0).training(
        around(200), loader=210, stall=0.5, workers=8
    )
    callout = judged(bench)
    assert callout.headline == "Loading is your bottleneck"
    assert "(the step waits 50\u202f% of the time)" in callout.sentence


def test_a_fast_loader_that_takes_turns_with_the_step_is_told_apart(
    bench: Bench, judged: Callable[..., Callout]
) -> None:
    callout = judged(bench.training(around(300), loader=800, stall=0.35, workers=0))
    assert callout.headline == "The loader is fast enough, yet the step waits"


def test_equal_loader_and_step_are_too_close_to_call(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.training(around(300), loader=411, workers=0).training(around(400), loader=411, workers=8)
    callout = judged(bench)
    assert callout.headline == "Loader and step are too close to call"
    assert callout.command


def test_without_training_the_step_is_asked_for(bench: Bench, judged: Callable[..., Callout]) -> None:
    bench.epoch(around(500), workers=0).epoch(around(1000), workers=8)
    callout = judged(bench)
    assert callout.headline == "The loader was measured, the training step was not"
    assert callout.command.endswith("-k bench_training")


def test_the_next_command_carries_the_users_own_model_and_arguments(
    bench: Bench, judged: Callable[..., Callout]
) -> None:
    bench.epoch(around(1000), workers=0, dataset="my.data:Train")
    command = ["-q", "--dataset", "my.data:Train", "--dataset-args", '{"root": "/my data"}', "--model=my.model:Net"]
    words = shlex.split(judged(bench, command=command).command)
    assert words[:3] == ["loaderbench", "run", "--dataset"]
    assert words[words.index("--dataset-args") + 1] == '{"root": "/my data"}'
    assert "--model=my.model:Net" in words


def test_the_next_command_quotes_what_a_shell_would_obey(bench: Bench, judged: Callable[..., Callout]) -> None:
    callout = judged(bench.epoch(around(1000), workers=0, dataset="x; rm -rf $HOME"))
    assert shlex.split(callout.command)[3] == "x; rm -rf $HOME"


def test_nothing_measured_is_nothing_recommended(synthetic: Callable[..., Any], cases_of: Callable[..., Any]) -> None:
    source = synthetic()
    document = source.document([source.case("fidelity", {"quantity": "busy"}, 3)])
    assert recommend(cases_of(document)) == []


def test_the_call_has_the_switches_of_the_chosen_case(bench: Bench, judged: Callable[..., Callout]) -> None:
    settings = {"pin_memory": True, "persistent_workers": True, "prefetch_factor": 4, "shuffle": True}
    call = judged(bench.epoch(around(1000), workers=2, **settings)).code.code
    assert re.findall(r"(\w+)=True", call) == ["shuffle", "pin_memory", "persistent_workers"]
    assert "prefetch_factor=4," in call


def test_of_many_batch_sizes_the_fastest_are_kept(bench: Bench, recommended: Callable[[Bench], Recommendation]) -> None:
    for batch in range(1, 41):
        bench.epoch(around(1000 + batch), workers=0, batch_size=batch)
    found = recommended(bench)
    assert [choice.chosen["batch_size"] for choice in found.choices] == list(range(40, 16, -1))


def test_the_call_is_code_that_can_be_run() -> None:
    row = {
        "batch_size": 64.0, "num_workers": 2.0, "collate_fn": "my.data:collate", "pin_memory": True,
        "prefetch_factor": 4.0, "persistent_workers": True, "start_method": "spawn", "sampling": "shuffle",
    }  # fmt: skip
    names = {"DataLoader": lambda *_, **named: named, "dataset": None, "collate": "ours"}
    assert eval(loader_call(row, "fork"), names) == {
        "batch_size": 64, "shuffle": True, "num_workers": 2, "collate_fn": "ours", "pin_memory": True,
        "multiprocessing_context": "spawn", "prefetch_factor": 4, "persistent_workers": True,
    }  # fmt: skip


def test_a_hostile_collate_fn_stays_a_text_in_the_call() -> None:
    call = loader_call({"batch_size": 1, "num_workers": 0, "collate_fn": "x), print('owned')  #"})
    names = {"DataLoader": lambda *_, **named: named, "dataset": None}
    assert eval(call, names)["collate_fn"] == "x), print('owned')  #"
