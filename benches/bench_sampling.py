"""What does it cost to choose the samples, and to ask for them one by one?

**Timed** as in ``bench_epoch``: whole passes, no model. What differs is who decides which samples make a batch:

- ``sequential`` and ``shuffle``: torch's own samplers;
- ``weighted``: a ``sampler`` that draws with replacement (``WeightedRandomSampler``, equal weights);
- ``batches``: a ``batch_sampler`` that hands out whole batches in order;
- ``blocks``: one that shuffles contiguous blocks, for data that is read fastest in order;

``drop_last`` leaves the last incomplete batch out. ``fetch`` is ``getitems`` (one call of ``__getitems__`` for all
indices of a batch) or ``getitem`` (one call of ``__getitem__`` for each).

**When it matters**: while a sample costs less than a call. A row of a table is read in less time than the loader
needs to ask for it (pytorch#106704); with ``__getitems__`` it asks once a batch.

    pytest benches/bench_sampling.py --dataset table --num-workers 0
"""

import pytest
import torch

from loaderbench.benches.harness.cases.case_sets import distinct
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import Epoch
from loaderbench.benches.harness.measuring.rounds import Measure
from loaderbench.reports.vocabulary import SETTINGS


@pytest.mark.sweep(
    dataset=("table",),
    num_workers=(0,),
    batch_size=(256,),
    collate_fn="first",
    pin_memory=(False,),
    persistent_workers=(True,),
    sampling=distinct("shuffle", *SETTINGS["sampling"].choices),
    drop_last=(False, True),
    fetch=("getitems", "getitem"),
    rounds=3,
    expected_s=0.8,
)
def bench_sampling(measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device) -> None:
    """Seconds to read every sample that one way of choosing draws."""
    measure(Epoch(dataset, loader, device=device))
