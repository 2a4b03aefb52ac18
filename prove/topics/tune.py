"""How far from the best is what ``loaderbench tune`` recommends? Twelve datasets of known cost, each with its grid.

The grid of a dataset is measured once, thoroughly: turn after turn around all its settings, in drawn order, for
`GRID_S` seconds. It is kept as a file (in the folder that `PROVE_TUNE_GRIDS` names, if it is set: one that is there is
used again). Every method then replays these measurements, and runs live once, within a share of the grid's time. Regret
is what the recommended setting costs over the best one of the grid, by the mean of all turns.
"""

import json
import os
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median
from time import monotonic

import numpy as np
import torch

from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.loading.subject import Subject, subject_of
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.tune.measuring import Trials
from loaderbench.benches.tune.trial import TrialTimes
from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.tune.tune_record import TuneLimits
from loaderbench.reports.units import percent, quantity
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope
from prove.tuning.datasets import DATASETS, TunedDataset
from prove.tuning.methods import installed
from prove.tuning.replay import Answered, Grid, Measurements, Outcome, Replay, covered, replays, run, tune

GRID_S, LEAST_TURNS = 100.0, 5  # of a dataset: 20 minutes for all
SHARE = 0.15  # of the grid's time
REPLAYS = 1000
LIMITED = 100  # replays with a limit of memory, and with less noise
LIVE_SEED = 1000
CLOSE = 0.05

REGRET = f"tune: regret in {percent(SHARE)} of the grid's time, median of the replays of {len(DATASETS)} datasets"
MOSTLY = f"tune: replays with a regret of at most {percent(CLOSE)}"
SPENT = "tune: time over the grid's, mean"
COVERED = "tune: intervals that cover the truth"
SHOWN = f"tune: settings said to be shown as good that are within {percent(MARGIN)} of the best tried"
ABOVE = "tune: recommendations above a limit of memory"
LIVE = "tune: regret live, median of the datasets"


def measure(scope: Scope) -> Mapping[str, Measured]:
    """Measure the grids, replay and run live; return what the goals ask of tune."""
    asked = DATASETS[: scope.of(len(DATASETS), 1)]
    parts = [
        *((f"grid: {dataset.name}", partial(_measured_grid, dataset, scope)) for dataset in asked),
        *((f"live: {dataset.name}", partial(_run_live, dataset, scope)) for dataset in asked),
        ("replays", partial(_replay_all, asked, scope)),
    ]
    for _, work in scope.parts(parts, lambda part: part[0]):
        work()
    return _judged(asked, scope)


def _judged(asked: Sequence[TunedDataset], scope: Scope) -> Mapping[str, Measured]:
    """Return what the goals ask of tune, by the files of grids, replays and live runs."""
    grids = {dataset.name: _read(dataset, scope) for dataset in asked}
    answers = {dataset.name: _answers(dataset, "tune", scope) for dataset in asked}
    regrets = [grids[name].regret(one.recommended) for name, some in answers.items() for one in some]
    shown = [
        grids[name].regret(one.recommended, one.tried) for name, some in answers.items() for one in some if one.is_shown
    ]
    inside, intervals = map(sum, zip(*(covered(grids[name], some) for name, some in answers.items()), strict=True))
    spent = [one.spent_s / grids[name].grid_s for name, some in answers.items() for one in some]
    live = [grids[dataset.name].regret(_live(dataset, "tune", scope)) for dataset in asked]
    return {
        REGRET: Measured(value=median(regrets), note=f"{len(regrets)} replays"),
        MOSTLY: Measured(value=fmean(regret <= CLOSE for regret in regrets)),
        SPENT: Measured(value=fmean(spent), note=f"the most {percent(max(spent))}"),
        COVERED: Measured(value=inside / max(1, intervals), note=f"{intervals} intervals"),
        SHOWN: Measured(
            value=fmean(regret <= MARGIN for regret in shown) if shown else 1.0,
            note=f"shown in {percent(len(shown) / len(regrets))}",
        ),
        ABOVE: Measured(value=sum(_above(grid, scope.of(LIMITED, 2)) for grid in grids.values())),
        LIVE: Measured(value=median(live), note=f"the largest {percent(max(live))}"),
    }


def details(scope: Scope) -> Sequence[Table]:
    """Return all methods on all datasets, and every dataset with its grid."""
    asked = DATASETS[: scope.of(len(DATASETS), 1)]
    grids = {dataset.name: _read(dataset, scope) for dataset in asked}
    labels = ("method", "regret, median", "in 90 %", f"at most {percent(CLOSE)}", "live, median", "live, most")
    rows = []
    for method in installed():
        replayed = [grids[d.name].regret(one.recommended) for d in asked for one in _answers(d, method, scope)]
        live = [grids[dataset.name].regret(_live(dataset, method, scope)) for dataset in asked]
        share = fmean(regret <= CLOSE for regret in replayed)
        numbers = (median(replayed), float(np.quantile(replayed, 0.9)), share, median(live), max(live))
        rows.append((method, *map(percent, numbers)))
    for noise, words in ((0.5, "half"), (0.25, "a quarter")):
        quieter = [regret for grid in grids.values() for regret in _with_noise(grid, noise, scope.of(LIMITED, 1))]
        share = fmean(regret <= CLOSE for regret in quieter)
        of_quieter = (median(quieter), float(np.quantile(quieter, 0.9)), share)
        rows.append((f"tune, if trials varied {words} as much", *map(percent, of_quieter), "–", "–"))
    missing = {"Optuna: TPE, WilcoxonPruner"} - installed().keys()
    rows += [(f"{name} (not installed)", *("–" for _ in labels[1:])) for name in missing]
    return [_table(labels, rows), _of_datasets(asked, grids, scope)]


def _with_noise(measured: Measurements, noise: float, times: int) -> list[float]:
    """Return the regrets of replays in which trials vary less: is it noise that bounds them?"""
    answers = replays(measured, tune, times=times, share=SHARE, noise=noise)
    return [measured.regret(answer.recommended) for answer in answers]


def _of_datasets(asked: Sequence[TunedDataset], grids: Mapping[str, Measurements], scope: Scope) -> Table:
    labels = ("dataset", "settings", "turns", "grid", "best", "tune: median", "in 90 %", "cover", "live")
    rows = []
    for dataset in asked:
        grid, answers = grids[dataset.name], _answers(dataset, "tune", scope)
        regrets = [grid.regret(one.recommended) for one in answers]
        inside, intervals = covered(grid, answers)
        live = _live(dataset, "tune", scope)
        rows.append(
            (
                dataset.name,
                str(len(grid.places)),
                str(len(grid.costs)),
                quantity(grid.grid_s, "s"),
                min(grid.places, key=grid.regret),
                percent(median(regrets)),
                percent(float(np.quantile(regrets, 0.9))),
                percent(inside / max(1, intervals)),
                f"{percent(grid.regret(live))} ({live})",
            )
        )
    return _table(labels, rows)


def _table(labels: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    cells = tuple(tuple(Cell(text=text) for text in row) for row in rows)
    return Table(columns=tuple(Column(label=label) for label in labels), rows=cells)


# --- measuring


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


def _measured_grid(dataset: TunedDataset, scope: Scope) -> None:
    """Measure a grid turn after turn, and write its file, unless there is one."""
    path = _path(dataset, scope)
    if path.exists():
        return
    grid, subject = dataset.grid(short=scope.short), _subject(dataset)
    rng = random.Random(20261127)  # noqa: S311 - an order
    turns: list[dict[str, tuple[float, float, float]]] = []
    began = monotonic()
    least = scope.of(LEAST_TURNS, 2)
    while len(turns) < least or monotonic() - began < scope.of(int(GRID_S), 0):
        turn = {}
        for name in rng.sample(list(grid.settings), len(grid.settings)):
            times, seconds = _trial(grid, subject, name, len(turns) + 1)
            turn[name] = (times.epoch_s, seconds, times.pss_bytes)
        turns.append(turn)
    path.write_text(json.dumps(turns), encoding="utf-8")


def _path(dataset: TunedDataset, scope: Scope) -> Path:
    kept = os.environ.get("PROVE_TUNE_GRIDS")
    folder = Path(kept) if kept and not scope.short else scope.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{dataset.name}.json"


def _read(dataset: TunedDataset, scope: Scope) -> Measurements:
    turns = json.loads(_path(dataset, scope).read_text(encoding="utf-8"))
    grid = dataset.grid(short=scope.short)
    table = np.array([[turn[name] for name in grid.settings] for turn in turns])
    costs, seconds, pss_bytes = np.moveaxis(table, 2, 0)
    return Measurements(grid=grid, costs=costs, seconds=seconds, pss_bytes=pss_bytes)


# --- replays and live runs


def _replay_all(asked: Sequence[TunedDataset], scope: Scope) -> None:
    """Replay every method on every grid, on all cores; the answers are files too."""
    jobs = [(DATASETS.index(dataset), method) for dataset in asked for method in installed()]
    if scope.short:
        for job in jobs:
            _replay(scope, job)
        return
    files = Scope(folder=scope.folder)  # whom a scope reports to cannot be sent
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        list(pool.map(partial(_replay, files), jobs))


def _replay(scope: Scope, job: tuple[int, str]) -> None:
    dataset, method = DATASETS[job[0]], job[1]
    measured = _read(dataset, scope)
    answers = replays(measured, installed()[method], times=scope.of(REPLAYS, 5), share=SHARE)
    lines = [[one.recommended, one.is_shown, one.intervals, one.spent_s, one.tried] for one in answers]
    (scope.folder / f"{dataset.name}, {method}.json").write_text(json.dumps(lines), encoding="utf-8")


def _answers(dataset: TunedDataset, method: str, scope: Scope) -> list[Answered]:
    lines = json.loads((scope.folder / f"{dataset.name}, {method}.json").read_text(encoding="utf-8"))
    names = ("recommended", "is_shown", "intervals", "spent_s", "tried")
    return [Answered(**dict(zip(names, line, strict=True))) for line in lines]


def _run_live(dataset: TunedDataset, scope: Scope) -> None:
    """Run every method once on the dataset itself; the short form replays."""
    measured, subject = _read(dataset, scope), _subject(dataset)

    def outcome(name: str, moment: int) -> Outcome:
        times, seconds = _trial(measured.grid, subject, name, moment + 1)
        return Outcome(cost=times.epoch_s, seconds=seconds, pss_bytes=times.pss_bytes)

    for seed, (name, method) in enumerate(installed().items(), start=LIVE_SEED):
        shown = Replay(measured=measured, seed=seed).outcome if scope.short else outcome
        answer = run(method(measured.grid, SHARE * measured.grid_s, seed), shown)
        (scope.folder / f"{dataset.name}, {name}, live.txt").write_text(answer.recommended, encoding="utf-8")


def _live(dataset: TunedDataset, method: str, scope: Scope) -> str:
    return (scope.folder / f"{dataset.name}, {method}, live.txt").read_text(encoding="utf-8")


def _above(measured: Measurements, times: int) -> int:
    """Return how many of so many replays recommend what takes more than a limit half way up the grid's memory."""
    usual = np.median(measured.pss_bytes, axis=0)
    limit = TuneLimits(memory_bytes=float((usual.min() + usual.max()) / 2))
    method = partial(tune, limit=limit)
    answers = replays(measured, method, times=times, share=SHARE)
    named = [one.recommended for one in answers if one.recommended]
    return sum(bool(usual[measured.places[name]] > limit.memory_bytes) for name in named)


TOPIC = Topic(
    name="tune",
    goals=(
        Goal(what=REGRET, unit="share", at_most=0.03),
        Goal(what=MOSTLY, unit="share", at_least=0.9),
        Goal(what=SPENT, unit="share", at_most=SHARE),
        Goal(what=COVERED, unit="share", at_least=0.90, at_most=0.99),
        Goal(what=SHOWN, unit="share", at_least=0.95),
        Goal(what=ABOVE, unit="", at_most=0),
        Goal(what=LIVE, unit="share", at_most=0.03),
    ),
    measure=measure,
    details=details,
    minutes=35,
)
