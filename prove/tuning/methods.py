"""What tune is compared with, at equal time: random search, Optuna's TPE with its WilcoxonPruner, and loadtune."""

import math
import random
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from statistics import fmean
from typing import Any

from loaderbench.benches.tune.factors import torchs_values, values_of
from prove.tuning.replay import Answered, Grid, Method, Methods, tune

OPTUNA, LOADTUNE = "Optuna: TPE, WilcoxonPruner", "loadtune"
INSTANCES = 4  # that a trial of Optuna's has at most: its pruner compares them, one by one
P_PRUNED = 0.1  # as Optuna's default


def random_search(grid: Grid, budget_s: float, seed: int) -> Method:
    """Measure the settings in drawn order, all of them again where there is time, and take the lowest mean."""
    rng = random.Random(seed)  # noqa: S311 - an order
    logs: dict[str, list[float]] = {}
    spent_s, moment, waiting = 0.0, 0, list[str]()
    while spent_s < budget_s:
        if not waiting:
            waiting = rng.sample(list(grid.settings), len(grid.settings))
        name = waiting.pop()
        outcome = yield name, moment
        moment += 1
        spent_s += outcome.seconds
        logs.setdefault(name, []).append(math.log(outcome.cost))
    return Answered(recommended=min(logs, key=lambda name: fmean(logs[name])), spent_s=spent_s)


def tpe(grid: Grid, budget_s: float, seed: int) -> Method:
    """Search with Optuna: a trial measures a setting up to `INSTANCES` times, and is pruned where it looks worse."""
    optuna = import_module("optuna")  # an extra: see `installed`
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the pruner is experimental
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=P_PRUNED)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    space, spent_s, moment = grid.space(), 0.0, 0
    names: dict[int, str] = {}
    while spent_s < budget_s:
        trial = study.ask()
        names[trial.number] = space.candidate(_suggested(trial, grid)).name
        logs: list[float] = []
        for instance in range(INSTANCES):
            outcome = yield names[trial.number], moment
            moment += 1
            spent_s += outcome.seconds
            logs.append(math.log(outcome.cost))
            trial.report(logs[-1], instance)
            if trial.should_prune() or spent_s >= budget_s:
                break
        study.tell(trial, fmean(logs))  # as its documentation does: a pruned trial has the mean of what it has
    return Answered(recommended=names[study.best_trial.number], spent_s=spent_s)


def _suggested(trial: Any, grid: Grid) -> Mapping[str, Any]:
    """Return the values that Optuna suggests for what the grid varies."""
    varied = {name: list(values) for name, values in grid.choices.items() if len(values) > 1}
    fixed = {name: values[0] for name, values in grid.choices.items() if len(values) == 1}
    usual = torchs_values(values_of(grid.config, 0))
    return {**usual, **fixed, **{name: trial.suggest_categorical(name, values) for name, values in varied.items()}}


def has_loadtune() -> bool:
    """Return whether loadtune is installed, which runs live only."""
    return find_spec("loadtune") is not None


def installed() -> Mapping[str, Methods]:
    """Return the methods that can be replayed, by their names; Optuna's only where it is installed."""
    methods: dict[str, Methods] = {"tune": tune, "random search": random_search}
    if find_spec("optuna") is not None:
        methods[OPTUNA] = tpe
    return methods
