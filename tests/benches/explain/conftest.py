"""A baseline that nobody measured: a loader of samples that cost nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate

from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.loaders import loader_config
from loaderbench.benches.harness.subject import DatasetChoice, Subject
from loaderbench.datasets.pytree import count_leaves

SLEEPING = "loaderbench.datasets.synthetic.known_cost:Sleeping"


@pytest.fixture(scope="session")
def subject() -> Subject:
    """32 samples that cost nothing."""
    choice = DatasetChoice(dataset_args='{"samples": 32, "sleep_s": 0}', samples="all")
    return choice.subject(SLEEPING)


@pytest.fixture
def baseline(subject: Subject) -> Callable[..., Baseline]:
    """A baseline of one worker and a batch of two tensors, with these facts and these arguments changed."""

    def make(*, batch: Any = None, config: dict[str, Any] | None = None, **facts: Any) -> Baseline:
        batch = (torch.arange(8), torch.arange(8)) if batch is None else batch
        arguments = {"num_workers": 1, "batch_size": 8, "collate_fn": default_collate, "shuffle": True}
        made = Baseline(
            subject=subject,
            config=loader_config(**(arguments | (config or {}))),
            batch=batch,
            leaves=count_leaves(batch),
            time_shares={"wait_fetch_s": 0.5, "step_s": 0.5},
            blocked_share=0.1,
            cpus=2,
            samples=32,
            device="cpu",
        )
        return replace(made, **facts)

    return make
