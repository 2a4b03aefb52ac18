"""Verdicts on loops whose waits are made up."""

import math

import numpy as np
import pytest
from made_up_watches import epoch, loader, steady

from loaderbench.reports.watch.loops import loop_times
from loaderbench.reports.watch.verdict import burst, judge, wait_share, waiting_parts, worst


@pytest.mark.parametrize(
    ("share", "outcome"),
    [(0.0, "not the bottleneck"), (0.02, "not the bottleneck"), (0.1, "bottleneck"), (0.8, "bottleneck")],
)
def test_a_steady_share_of_waiting_is_judged_by_its_interval(share: float, outcome: str) -> None:
    verdict = judge(steady(share))
    assert verdict.outcome == outcome
    assert math.isclose(verdict.waiting.share, share, abs_tol=1e-9)
    assert math.isclose(verdict.waiting.most_speedup, 1 / (1 - share))


def test_few_steps_are_unclear_and_have_no_interval() -> None:
    verdict = judge(steady(0.5, steps=6))
    assert verdict.outcome == "unclear"
    assert math.isnan(verdict.waiting.low)


def test_steps_that_differ_too_much_are_unclear() -> None:
    waits = [0.0] * 100
    waits[40] = 0.1
    assert judge(loader(epoch(waits, [0.01] * 100))).outcome == "unclear"


def test_a_loader_that_was_not_read_has_no_verdict() -> None:
    assert judge(loader()).outcome == "not read"
    assert worst([judge(loader())]) is None


def test_the_interval_covers_the_true_share_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        waits, others = random.exponential(0.004, 400), random.exponential(0.006, 400)
        interval = wait_share(loop_times(loader(epoch(waits.tolist(), others.tolist()))), num_workers=2)
        inside += interval.low <= 0.4 <= interval.high
    assert 180 <= inside <= 199


def test_an_interval_of_bursts_is_no_narrower_for_the_bursts() -> None:
    waits = [0.08 if step % 8 == 0 else 0.0 for step in range(320)]
    interval = wait_share(loop_times(loader(epoch(waits, [0.01] * 320))), num_workers=8)
    assert math.isclose(interval.share, 0.5)
    assert interval.high - interval.low < 1e-9  # each block has whole bursts


@pytest.mark.parametrize(
    ("epochs", "reason"),
    [
        ([epoch([0.005] * 200, [0.005] * 200)], "throughput"),
        ([epoch([0.0] * 10, [0.01] * 10, began=9.0 * n, start_s=0.2) for n in range(20)], "starts"),
        ([epoch([0.2 if step % 25 == 0 else 0.0 for step in range(1, 401)], [0.01] * 400)], "slow batches"),
    ],
)
def test_a_bottleneck_says_what_is_waited_for(epochs: list[object], reason: str) -> None:
    verdict = judge(loader(*epochs))  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.reason) == ("bottleneck", reason)


def test_the_parts_of_the_waiting_add_up_to_it() -> None:
    times = loop_times(loader(epoch([0.1, 0.0, 0.3, 0.0], [0.1] * 4, start_s=0.5, end_s=0.2)))
    assert math.isclose(sum(waiting_parts(times).values()), times.wait_s)


def test_of_few_batches_none_is_called_slow() -> None:
    assert waiting_parts(loop_times(loader(epoch([0.0, 9.0, 0.0], [0.1] * 3))))["slow batches"] == 0.0


def test_batches_in_bursts_are_one_in_as_many_as_there_are_workers() -> None:
    waits = [0.0, *([0.3, 0.0, 0.0] * 20)]
    times = loop_times(loader(epoch(waits, [0.1] * 61)))
    assert burst(times, 3) == pytest.approx(1.0)
    assert burst(times, 1) is None
    straggler = [0.0, 0.9, 0.0, *([0.01] * 60)]
    assert burst(loop_times(loader(epoch(straggler, [0.1] * 63))), 2) == pytest.approx(0.5, abs=0.02)
    assert burst(loop_times(steady(0.4)), 4) == pytest.approx(0.25)


def test_the_worst_loader_is_the_one_that_was_waited_for_the_longest() -> None:
    verdicts = [judge(steady(0.4, steps=500)), judge(steady(0.8, steps=20))]
    assert worst(verdicts) is verdicts[0]
