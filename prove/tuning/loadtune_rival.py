"""loadtune, which tune is compared with live only: it reads loaders of its own making, chosen by rules.

It looks for the throughput of a training loop, without the time in which a loader starts anew; its workers are always
persistent, at most as many as there are CPUs. It has no budget: it reads so many batches of each loader, once.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch

from loaderbench.benches.tune.factors import torchs_values, values_of
from prove.tuning.datasets import TunedDataset
from prove.tuning.replay import Grid

WARM_UP = 4  # batches that are not timed, of each loader
FEWEST_BATCHES = 16
MOST_TRIALS = 6  # beside the first, of torch's defaults: loadtune's own default


def answer(dataset: TunedDataset, grid: Grid, budget_s: float, batch_s: float) -> str:
    """Return the setting of the grid that is nearest to what loadtune recommends, about `budget_s` spent.

    A batch takes `batch_s` in one process. Raises what loadtune raises: it cannot read a stream, as it always shuffles.
    """
    loadtune: Any = import_module("loadtune")
    loaders = 1 + min(MOST_TRIALS, len(import_module("loadtune.knobs").worker_candidates(os.cpu_count() or 1)))
    workload = loadtune.Workload(
        name=dataset.name,
        make_dataset=lambda: dataset.make(dataset.samples),
        make_model=lambda: torch.nn.Linear(1, 1),
        train_step=lambda *_: 0.0,
        make_optimizer=lambda model: torch.optim.SGD(model.parameters()),
        default_batch_size=dataset.batch_size,
        collate_fn=dataset.collate_fn,
    )
    batches = max(FEWEST_BATCHES, round(budget_s / loaders / batch_s) - WARM_UP)
    tuned = loadtune.tune(workload, steps=batches, warmup=WARM_UP, max_trials=MOST_TRIALS, verbose=False)
    return nearest(grid, tuned.best.knobs if tuned.best is not None and tuned.speedup > 1 else None)


def nearest(grid: Grid, knobs: Any) -> str:
    """Return the setting of the grid that is nearest to loadtune's `knobs`; None are torch's defaults."""
    usual = torchs_values(values_of(grid.config, 0))
    if knobs is None:
        return grid.space().candidate(usual).name
    values = {
        **usual,
        "num_workers": _nearest(knobs.num_workers, grid.choices["num_workers"]),
        "persistent_workers": knobs.persistent_workers,
        "prefetch_factor": _nearest(
            knobs.prefetch_factor or usual["prefetch_factor"], grid.choices.get("prefetch_factor", (2,))
        ),
    }
    return grid.space().candidate(values).name


def _nearest(number: int, numbers: Sequence[int]) -> int:
    return min(numbers, key=lambda other: abs(other - number))
