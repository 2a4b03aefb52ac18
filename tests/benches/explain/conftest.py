"""A baseline that nobody measured: a loader of samples that cost nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate

from loaderbench.benches.explain.baseline.baseline import Baseline, FirstBatchFacts, FirstPasses
from loaderbench.benches.explain.baseline.batch_facts import batch_facts_of
from loaderbench.benches.explain.baseline.sending import SendingCosts
from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.harness.loading.subject import Subject

LOADER = {"num_workers": 1, "batch_size": 8, "collate_fn": default_collate, "shuffle": True}
FIRST_BATCH: dict[str, Any] = {
    "sending": SendingCosts(by_packing=0.5, by_arrays=0.1, by_used_memory=0.4), "indexes_batches": False,
    "sets_epoch": False, "thread_pools": {"openblas": 2}, "has_accelerator": False,
}  # fmt: skip
PASSES: dict[str, Any] = {
    "time_shares": {"wait_fetch_s": 0.5, "step_s": 0.5}, "blocked_share": 0.1, "making_share": 0.5,
    "other_threads_share": 0.1, "faults_share": 0.1, "batches": 4, "samples": 32, "pass_s": 0.01, "start_s": 0.01,
    "is_cut": False,
}  # fmt: skip
Changed = dict[str, Any] | None


@pytest.fixture
def baseline(subject: Subject) -> Callable[..., Baseline]:
    """A baseline of one worker and a batch of two tensors, with these facts and these arguments changed.

    `first_batch` and `passes` are facts of what was seen first.
    """

    def make(
        *, batch: Any = None, config: Changed = None, first_batch: Changed = None, passes: Changed = None, **facts: Any
    ) -> Baseline:
        seen = batch_facts_of((torch.arange(8), torch.arange(8)) if batch is None else batch)
        made = Baseline(
            subject=subject,
            config=loader_config(**(LOADER | (config or {}))),
            first_batch=FirstBatchFacts(**{"batch": seen, **FIRST_BATCH, **(first_batch or {})}),
            passes=FirstPasses(**PASSES | (passes or {})),
            cpus=2,
            samples=32,
            is_whole=True,
            device="cpu",
        )
        return replace(made, **facts)

    return make
