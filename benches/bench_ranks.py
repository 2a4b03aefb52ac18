"""How fast do many ranks load together, and which of them holds the others back?

**Timed**: on each rank, from ``iter(loader)`` to its end, as in ``bench_epoch``: each rank loads its share of the
samples, with workers of its own, while all others load theirs. A rank's time is between two events of its host. Ranks
begin a pass together and exchange nothing within it.

**Read as** samples per second over all ranks: the samples that count, over the slowest rank's time. A sample that two
ranks load (the padding of DistributedSampler) counts once; where every rank loads all samples, none counts twice.
``rates_sum_per_s``, the sum of the ranks' own rates, hides a slow rank. ``straggler_cost`` is the share of the ranks'
time that is lost by waiting for the slowest.

``bench_ranks_training`` takes a training step with each batch, under DistributedDataParallel: waiting for data and
waiting for other ranks are separate.

**When more ranks help**: while cores, memory and storage have room for all their workers.

    pytest benches/bench_ranks.py --dataset images --nproc-per-node 1,2,4 --num-workers 1
    torchrun --nproc-per-node 4 -m pytest benches/bench_ranks.py --dataset my.data:Train
"""

from collections.abc import Callable

import pytest
import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.benches.harness.ranks.ranks import Ranks
from loaderbench.benches.harness.training.model_choice import Task


@pytest.mark.sweep(
    dataset=("images",),
    nproc_per_node=(1, 2),
    num_workers=(1,),
    batch_size="first",
    collate_fn="first",
    pin_memory=(False,),
    persistent_workers=(True,),
    rounds=3,
    expected_s=4.0,
)
def bench_ranks(measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device, ranks: Ranks) -> None:
    """Seconds of the slowest rank to read its share, all ranks at once."""
    measure(ranks.passes(dataset, loader, device))


@pytest.mark.sweep(
    dataset=("images",),
    nproc_per_node=(2,),
    num_workers=(1,),
    batch_size="first",
    collate_fn="first",
    pin_memory=(False,),
    persistent_workers=(True,),
    rounds=3,
    expected_s=7.0,
)
def bench_ranks_training(
    measure: Measure,
    dataset: Subject,
    loader: LoaderConfig,
    device: torch.device,
    ranks: Ranks,
    make_task: Callable[..., Task],
) -> None:
    """Seconds of the slowest rank to train on its share, all ranks in step."""
    measure(ranks.passes(dataset, loader, device, make_task))
