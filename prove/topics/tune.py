"""How far from the best is what ``loaderbench tune`` recommends? Twelve datasets of known cost, each with its grid.

The grid of a dataset is measured once, thoroughly: turn after turn around all its settings, in drawn order, for
`GRID_S` seconds. Every method runs live once, within a share of the grid's time, and then replays these measurements.
Regret is what the recommended setting costs over the best one of the grid, by the mean of all turns.

Grids and live answers are files, in the folder that `PROVE_TUNE_GRIDS` names, if it is set: what is there is used
again, and a grid that was interrupted goes on after its last turn.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from statistics import fmean, median

import numpy as np

from loaderbench.reports.documents.document import Cell, Column, Table
from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.units import percent, quantity
from prove.goals import Goal, Topic
from prove.scope import Measured, Scope
from prove.tuning.datasets import DATASETS, TunedDataset
from prove.tuning.measured import live_answer, measure_grid, read_grid, run_live
from prove.tuning.methods import LOADTUNE, OPTUNA, has_loadtune, installed
from prove.tuning.replay import Answered, covered
from prove.tuning.replayed import LIMITED, SHARE, above, all_replayed, variants

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
        *((f"grid: {dataset.name}", partial(measure_grid, dataset, scope)) for dataset in asked),
        *((f"live: {dataset.name}", partial(run_live, dataset, scope)) for dataset in asked),
        ("replays", partial(_replay_all, asked, scope)),
    ]
    for _, work in scope.parts(parts, lambda part: part[0]):
        work()
    return _judged(asked, scope)


def _judged(asked: Sequence[TunedDataset], scope: Scope) -> Mapping[str, Measured]:
    """Return what the goals ask of tune, by the files of grids, replays and live runs."""
    grids = {dataset.name: read_grid(dataset, scope) for dataset in asked}
    answers = {dataset.name: _answers(dataset, "tune", scope) for dataset in asked}
    regrets = [grids[name].regret(one.recommended) for name, some in answers.items() for one in some]
    shown = [
        grids[name].regret(one.recommended, one.tried) for name, some in answers.items() for one in some if one.is_shown
    ]
    inside, intervals = map(sum, zip(*(covered(grids[name], some) for name, some in answers.items()), strict=True))
    spent = [one.spent_s / grids[name].grid_s for name, some in answers.items() for one in some]
    live = [grids[dataset.name].regret(live_answer(dataset, "tune", scope)) for dataset in asked]
    return {
        REGRET: Measured(value=median(regrets), note=f"{len(regrets)} replays"),
        MOSTLY: Measured(value=fmean(regret <= CLOSE for regret in regrets)),
        SPENT: Measured(value=fmean(spent), note=f"the most {percent(max(spent))}"),
        COVERED: Measured(value=inside / max(1, intervals), note=f"{intervals} intervals"),
        SHOWN: Measured(
            value=fmean(regret <= MARGIN for regret in shown) if shown else 1.0,
            note=f"shown in {percent(len(shown) / len(regrets))}",
        ),
        ABOVE: Measured(value=sum(above(grids[dataset.name], _answers(dataset, LIMITED, scope)) for dataset in asked)),
        LIVE: Measured(value=median(live), note=f"the largest {percent(max(live))}"),
    }


def details(scope: Scope) -> Sequence[Table]:
    """Return all methods on all datasets, and every dataset with its grid."""
    asked = DATASETS[: scope.of(len(DATASETS), 1)]
    return [_of_methods(asked, scope), _of_datasets(asked, scope)]


def _of_methods(asked: Sequence[TunedDataset], scope: Scope) -> Table:
    grids = {dataset.name: read_grid(dataset, scope) for dataset in asked}
    labels = (
        "method",
        "replays",
        "regret, median",
        "in 90 %",
        f"at most {percent(CLOSE)}",
        "live, median",
        "live, most",
    )
    rows = []
    for name in (*installed(), *variants()):
        regrets = [grids[d.name].regret(one.recommended) for d in asked for one in _answers(d, name, scope)]
        share = fmean(regret <= CLOSE for regret in regrets)
        numbers = map(percent, (median(regrets), float(np.quantile(regrets, 0.9)), share))
        live = _live_words(asked, name, scope) if name in installed() else ("–", "–")
        rows.append((name, str(len(regrets)), *numbers, *live))
    if has_loadtune():
        rows.append((LOADTUNE, *("–" for _ in range(4)), *_live_words(asked, LOADTUNE, scope)))
    missing = [name for name, is_there in ((OPTUNA, OPTUNA in installed()), (LOADTUNE, has_loadtune())) if not is_there]
    rows += [(f"{name} (not installed)", *("–" for _ in labels[1:])) for name in missing]
    return _table(labels, rows)


def _live_words(asked: Sequence[TunedDataset], method: str, scope: Scope) -> tuple[str, str]:
    """Return the median and the largest regret of a method's live answers, and how many datasets it had none for."""
    answers = {dataset.name: live_answer(dataset, method, scope) for dataset in asked}
    regrets = [read_grid(dataset, scope).regret(answers[dataset.name]) for dataset in asked if answers[dataset.name]]
    if not regrets:
        return "no answer", "–"
    none = len(answers) - len(regrets)
    return percent(median(regrets)), percent(max(regrets)) + (f" (no answer: {none})" if none else "")


def _of_datasets(asked: Sequence[TunedDataset], scope: Scope) -> Table:
    labels = ("dataset", "settings", "turns", "grid", "best", "tune: median", "in 90 %", "cover", "live")
    rows = []
    for dataset in asked:
        grid, answers = read_grid(dataset, scope), _answers(dataset, "tune", scope)
        regrets = [grid.regret(one.recommended) for one in answers]
        inside, intervals = covered(grid, answers)
        live = live_answer(dataset, "tune", scope)
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


# --- replays


def _replay_all(asked: Sequence[TunedDataset], scope: Scope) -> None:
    """Replay everything on every grid, on all cores; the answers are files too."""
    jobs = [(DATASETS.index(dataset), name) for dataset in asked for name in all_replayed()]
    if scope.short:
        for job in jobs:
            _replay(scope, job)
        return
    files = Scope(folder=scope.folder)  # whom a scope reports to cannot be sent
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        list(pool.map(partial(_replay, files), jobs))


def _replay(scope: Scope, job: tuple[int, str]) -> None:
    dataset, name = DATASETS[job[0]], job[1]
    replayed = all_replayed()[name]
    if scope.short:  # a share of so small a grid's time may hold no trial
        replayed = replace(replayed, share=1.0)
    answers = replayed.answers(read_grid(dataset, scope), most=scope.of(replayed.times, 2))
    lines = [[one.recommended, one.is_shown, one.intervals, one.spent_s, one.tried] for one in answers]
    (scope.folder / f"{dataset.name}, {name}.json").write_text(json.dumps(lines), encoding="utf-8")


def _answers(dataset: TunedDataset, name: str, scope: Scope) -> list[Answered]:
    lines = json.loads((scope.folder / f"{dataset.name}, {name}.json").read_text(encoding="utf-8"))
    names = ("recommended", "is_shown", "intervals", "spent_s", "tried")
    return [Answered(**dict(zip(names, line, strict=True))) for line in lines]


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
    minutes=34,
)
