"""Two loaders in turns, where a whole explanation would take too long, or needs a device."""

import random
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate

from loaderbench.benches.explain.ab_passes import PAIRS, Consumer, block
from loaderbench.benches.explain.candidates import Loading, Suspect, Untried, config_of
from loaderbench.benches.explain.interventions import causes
from loaderbench.benches.harness.subject import DatasetChoice
from loaderbench.benches.harness.system.devices import available
from loaderbench.datasets.pytree import count_leaves


@pytest.fixture
def loading() -> Loading:
    """A loader of 32 samples that cost nothing, whose one worker is spawned in each epoch."""
    asked = '{"samples": 32, "sleep_s": 0}'
    sources = DatasetChoice(dataset_args=asked, samples="all", pass_s=0.1, least_samples=1)
    batch = torch.arange(8)
    return Loading(
        subject=sources.subject("loaderbench.datasets.synthetic.known_cost:Sleeping"),
        config=config_of(
            num_workers=1,
            batch_size=8,
            collate_fn=default_collate,
            shuffle=True,
            multiprocessing_context="spawn",
        ),
        batch=batch,
        parts=count_leaves(batch),
        waits={},
        blocked=0.0,
        cpus=2,
        samples=32,
        device=available()[-1],
    )


def found(loading: Loading, cause: str) -> Suspect | Untried:
    (only,) = (each for each in causes(loading) if each.cause == cause)
    return only


def told(loading: Loading, suspect: Any) -> dict[str, list[float]]:
    consumer = Consumer(device=torch.device(loading.device))
    return block(suspect, loading.subject, consumer, random.Random(1))


def test_forking_a_worker_takes_less_than_spawning_one(loading: Loading) -> None:
    passes = told(loading, found(loading, "how workers start"))
    assert max(passes["other_s"]) < min(passes["base_s"])


def test_batches_are_pinned_where_an_accelerator_takes_them(loading: Loading) -> None:
    suspect = found(loading, "pageable batches")
    if isinstance(suspect, Untried):
        pytest.skip(f"pinning was not tried: {suspect.why}")
    assert suspect.other.pin_memory
    assert len(told(loading, suspect)["other_s"]) == PAIRS
