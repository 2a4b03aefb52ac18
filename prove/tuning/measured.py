"""The grids and the live answers of each method: measured, and kept as files, so that what is there is used again.

They are in the folder that `PROVE_TUNE_GRIDS` names, if it is set; those of the short form, in a folder below it.
"""

import json
import os
import random
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch

from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.loading.subject import Subject, subject_of
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.tune.measuring import Trials
from loaderbench.benches.tune.trial import TrialTimes
from prove.scope import Scope
from prove.tuning import loadtune_rival
from prove.tuning.datasets import TunedDataset
from prove.tuning.methods import LOADTUNE, has_loadtune, installed
from prove.tuning.replay import Grid, Measurements, Outcome, Replay, run
from prove.tuning.replayed import SHARE

GRID_S, LEAST_TURNS = 85.0, 5  # of a dataset: 17 minutes for all
LIVE_SEED = 1000
PATIENCE = 4.0  # times its share of the grid's time: a rival that has no budget of its own is then ended
SHORT_S = 0.3  # that such a rival reads in the short form

Turn = dict[str, tuple[float, float, float]]
"""By setting: the seconds of an epoch, those of the trial, and the memory."""


def measure_grid(dataset: TunedDataset, scope: Scope) -> None:
    """Measure a grid turn after turn for `GRID_S`; its file is written after each, and goes on where one is there."""
    grid, path = dataset.grid(short=scope.short), _path(dataset, scope)
    turns = _turns(path, grid)
    least, seconds = scope.of(LEAST_TURNS, 2), scope.of(int(GRID_S), 0)
    subject = _subject(dataset)
    while len(turns) < least or sum(took for turn in turns for _, took, _ in turn.values()) < seconds:
        turns.append(_turn(grid, subject, len(turns) + 1))
        path.write_text(json.dumps(turns), encoding="utf-8")


def _turns(path: Path, grid: Grid) -> list[Turn]:
    """Return the turns that were measured before; none where they are of other settings."""
    turns: list[Turn] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return turns if all(turn.keys() == grid.settings.keys() for turn in turns) else []


def _turn(grid: Grid, subject: Subject, number: int) -> Turn:
    turn = {}
    rng = random.Random(20261127 + number)  # noqa: S311 - an order
    for name in rng.sample(list(grid.settings), len(grid.settings)):
        times, seconds = _trial(grid, subject, name, number)
        turn[name] = (times.epoch_s, seconds, times.pss_bytes)
    return turn


def _subject(dataset: TunedDataset) -> Subject:
    return subject_of(dataset.make(dataset.samples))


def _trial(grid: Grid, subject: Subject, name: str, block: int) -> tuple[TrialTimes, float]:
    """Measure a trial; return what it showed, and the seconds that it took."""
    trials = Trials(
        subject=subject, consumer=Consumer(device=torch.device("cpu")), space=grid.space(), passes=grid.passes
    )
    began = monotonic()
    times = in_child(lambda: trials.read(grid.settings[name], block))
    return times, monotonic() - began


def _path(dataset: TunedDataset, scope: Scope, what: str = ".json") -> Path:
    kept = os.environ.get("PROVE_TUNE_GRIDS")
    folder = scope.folder if not kept else Path(kept) / "short" if scope.short else Path(kept)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{dataset.name}{what}"


def read_grid(dataset: TunedDataset, scope: Scope) -> Measurements:
    """Return what a grid showed."""
    grid = dataset.grid(short=scope.short)
    turns = _turns(_path(dataset, scope), grid)
    table = np.array([[turn[name] for name in grid.settings] for turn in turns])
    costs, seconds, pss_bytes = np.moveaxis(table, 2, 0)
    return Measurements(grid=grid, costs=costs, seconds=seconds, pss_bytes=pss_bytes)


def run_live(dataset: TunedDataset, scope: Scope) -> None:
    """Run every method once on the dataset itself, unless its answer is there; the short form replays."""
    measured, subject = read_grid(dataset, scope), _subject(dataset)

    def outcome(name: str, moment: int) -> Outcome:
        times, seconds = _trial(measured.grid, subject, name, moment + 1)
        return Outcome(cost=times.epoch_s, seconds=seconds, pss_bytes=times.pss_bytes)

    for seed, (name, method) in enumerate(installed().items(), start=LIVE_SEED):
        shown = Replay(measured=measured, seed=seed).outcome if scope.short else outcome
        path = _path(dataset, scope, f", {name}, live.txt")
        if not path.exists():
            answer = run(method(measured.grid, SHARE * measured.grid_s, seed), shown)
            path.write_text(answer.recommended, encoding="utf-8")
    path = _path(dataset, scope, f", {LOADTUNE}, live.txt")
    if has_loadtune() and not path.exists():
        path.write_text(_of_loadtune(dataset, measured, scope), encoding="utf-8")


def _of_loadtune(dataset: TunedDataset, measured: Measurements, scope: Scope) -> str:
    """Return its answer; "" where it has none."""
    budget_s = SHORT_S if scope.short else SHARE * measured.grid_s
    batch_s = float(np.exp(measured.truth[measured.places["workers=0"]])) / measured.grid.passes.batches
    timeout_s = max(60.0, PATIENCE * budget_s)
    try:
        answer: Any = in_child(
            lambda: loadtune_rival.answer(dataset, measured.grid, budget_s, batch_s), timeout_s=timeout_s
        )
    except Exception as error:  # noqa: BLE001 - another library may fail on a dataset in any way
        scope.say(f"loadtune has no answer for {dataset.name}: {type(error).__name__}: {error}".splitlines()[0])
        return ""
    return str(answer)


def live_answer(dataset: TunedDataset, method: str, scope: Scope) -> str:
    """Return what a method recommended live; "" where it had no answer."""
    return _path(dataset, scope, f", {method}, live.txt").read_text(encoding="utf-8")
