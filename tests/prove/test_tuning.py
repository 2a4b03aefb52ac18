"""Methods of tuning, replayed on made-up measurements: what is recommended, what it cost, and what is said of it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loaderbench.benches.tune.trial import TrialTimes
from loaderbench.reports.tune.tune_record import TuneLimits
from prove.scope import Scope
from prove.tuning import measured as measured_grids
from prove.tuning.datasets import DATASETS
from prove.tuning.loadtune_rival import nearest
from prove.tuning.methods import random_search
from prove.tuning.replay import (
    Answered,
    Grid,
    Measurements,
    Method,
    Outcome,
    Replay,
    covered,
    replays,
    run,
    tune,
)
from prove.tuning.replayed import LITTLE, in_true_order

SHARE = 0.15
BEST = "workers=2 · persistent"


def made_up(spread: float, turns: int = 8) -> Measurements:
    """What a decode-bound loader on two cores might show: starting workers costs, more than two do not help."""
    grid, rng = DATASETS[1].grid(), np.random.default_rng(1)
    costs = []
    for setting in grid.settings.values():
        workers = setting.values["num_workers"]
        started = 0.0 if setting.values["persistent_workers"] else 0.05 * workers
        costs.append(1.0 if not workers else {1: 1.1, 2: 0.6, 4: 0.65}[workers] + started)
    noise = rng.normal(0, 0.1, (turns, 1)) + rng.normal(0, spread, (turns, len(costs)))
    shape = (turns, len(costs))
    memory = np.broadcast_to([1e8 * (1 + one.values["num_workers"]) for one in grid.settings.values()], shape)
    return Measurements(grid=grid, costs=np.array(costs) * np.exp(noise), seconds=np.full(shape, 0.4), pss_bytes=memory)


def test_every_grid_has_at_most_48_settings_and_torch_s_defaults_are_one() -> None:
    assert len(DATASETS) == len({dataset.name for dataset in DATASETS}) == 12
    for dataset in DATASETS:
        assert 20 <= len(dataset.grid().settings) <= 48
        assert "workers=0" in dataset.grid().settings
    assert len(DATASETS[0].grid(short=True).settings) == 4


def test_tune_ends_near_the_best_in_its_share_of_the_time() -> None:
    measured = made_up(0.01)
    for answer in replays(measured, tune, times=3, share=SHARE):
        assert measured.regret(answer.recommended) <= 0.03
        assert answer.spent_s <= SHARE * measured.grid_s + 1e-9


def test_where_the_budget_holds_no_trial_the_user_s_own_setting_is_kept() -> None:
    measured = made_up(0.01)
    answer = run(tune(measured.grid, 0.1, 1), Replay(measured=measured, seed=1).outcome)
    assert answer == Answered(recommended="workers=0")
    assert measured.regret(answer.recommended) > 0


@pytest.mark.parametrize("method", [tune, random_search])
def test_a_method_measures_settings_of_the_grid_and_recommends_one_that_it_measured(
    method: Callable[[Grid, float, int], Method],
) -> None:
    measured, asked = made_up(0.05), []
    replay = Replay(measured=measured, seed=1)

    def outcome(name: str, moment: int) -> Outcome:
        asked.append(name)
        return replay.outcome(name, moment)

    answer = run(method(measured.grid, 10.0, 1), outcome)
    assert answer.recommended in asked
    assert set(asked) <= measured.places.keys()


def test_what_is_recommended_keeps_the_limits() -> None:
    measured = made_up(0.01)
    answer = run(
        tune(measured.grid, 30.0, 1, TuneLimits(memory_bytes=2.5e8)), Replay(measured=measured, seed=1).outcome
    )
    assert measured.pss_bytes[0, measured.places[answer.recommended]] <= 2.5e8


def test_a_replay_has_the_truth_in_the_mean_and_the_spread_of_the_measurements() -> None:
    measured = made_up(0.05, turns=30)
    replay, place = Replay(measured=measured, seed=1), measured.places[BEST]
    logs = [math.log(replay.outcome(BEST, moment).cost) for moment in range(3000)]
    assert np.mean(logs) == pytest.approx(measured.truth[place], abs=0.01)
    assert np.std(logs) == pytest.approx(math.hypot(0.1, 0.05), rel=0.25)


def test_trials_of_one_moment_have_its_slowness_in_common() -> None:
    measured = made_up(0.0)
    replay = Replay(measured=measured, seed=1)
    ratios = [replay.outcome(BEST, moment).cost / replay.outcome("workers=0", moment).cost for moment in range(20)]
    assert np.ptp(ratios) == pytest.approx(0, abs=1e-9)


def test_an_interval_covers_where_the_truth_lies_between_its_ends() -> None:
    measured = made_up(0.0)
    ratio = math.exp(measured.truth[measured.places["workers=0"]] - measured.truth[measured.places[BEST]])
    answers = [
        Answered(recommended=BEST, intervals=(("workers=0", low * ratio, 1.1 * ratio),)) for low in (0.9, 0.99, 1.05)
    ]
    assert covered(measured, answers) == (2, 3)


def test_a_method_s_answer_is_what_it_returns() -> None:
    def method() -> Iterator[tuple[str, int]]:
        shown = yield "workers=0", 0
        return Answered(recommended="workers=0", spent_s=shown.seconds)  # type: ignore[return-value]

    assert run(method(), lambda *_: Outcome(cost=1.0, seconds=2.0)).spent_s == 2.0  # type: ignore[arg-type]


def test_an_order_by_the_true_costs_is_one_of_all_that_would_be_tried_anyway() -> None:
    measured = made_up(0.01)
    costs = dict(zip(measured.places, measured.truth, strict=True))
    usual, ordered = measured.grid.space(), replace(measured.grid, true_costs=costs).space()
    for space in (usual, ordered):
        space.first(space.usual, [space.usual])
    names, in_order = (
        [one.name for one in space.further({"workers=0": 0.0, BEST: -0.5}, BEST, BEST)] for space in (usual, ordered)
    )
    assert sorted(names) == sorted(in_order)
    known = [costs[name] for name in in_order if name in costs]
    assert known == sorted(known)


@pytest.mark.parametrize("share", [SHARE, LITTLE])
def test_no_order_of_trials_ends_nearer_to_the_best_than_the_fixed_one(share: float) -> None:
    """Why none is predicted: even an order by the true costs would gain nothing."""
    measured = made_up(0.05)
    usual, ordered = (
        fmean(measured.regret(one.recommended) for one in replays(measured, method, times=3, share=share))
        for method in (tune, in_true_order(measured))
    )
    assert usual <= ordered + 0.01


def test_a_grid_that_was_interrupted_goes_on_after_its_last_turn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROVE_TUNE_GRIDS", str(tmp_path))
    dataset, scope, blocks = DATASETS[0], Scope(folder=tmp_path / "unused"), list[int]()
    shown = TrialTimes(epoch_s=1.0, sample_s=0.1, first_batch_s=0.1, cpu_s=1.0, pss_bytes=1e8, shm_bytes=0.0, passes=1)

    def trial(_: object, __: object, name: str, block: int) -> tuple[TrialTimes, float]:
        if len(blocks) == interrupted_at:
            raise KeyboardInterrupt
        blocks.append(block)
        return shown, 1.0

    monkeypatch.setattr(measured_grids, "_trial", trial)
    settings = len(dataset.grid().settings)
    interrupted_at = 2 * settings + 3
    with pytest.raises(KeyboardInterrupt):
        measured_grids.measure_grid(dataset, scope)
    interrupted_at = -1
    measured_grids.measure_grid(dataset, scope)
    assert blocks.count(1) == blocks.count(2) == settings
    assert blocks[interrupted_at] == measured_grids.LEAST_TURNS == len(measured_grids.read_grid(dataset, scope).costs)


@pytest.mark.parametrize(
    ("knobs", "name"),
    [
        (None, "workers=0"),
        ({"num_workers": 2, "persistent_workers": True, "prefetch_factor": None}, BEST),
        ({"num_workers": 3, "persistent_workers": True, "prefetch_factor": 8}, "workers=2 · prefetch=8 · persistent"),
    ],
)
def test_what_loadtune_recommends_is_the_nearest_setting_of_the_grid(knobs: dict[str, Any] | None, name: str) -> None:
    grid = DATASETS[1].grid()
    assert nearest(grid, None if knobs is None else SimpleNamespace(**knobs)) == name
    assert name in grid.settings
