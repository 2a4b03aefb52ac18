"""How fast is one pass over the dataset, with no model?

**Timed**: from ``iter(loader)`` to its end, every batch placed on the device. Workers are alive when the clock
starts (``persistent_workers``), so that nothing of their start is in the result: *steady*. With
``--persistent-workers off`` each pass starts and joins its workers inside the clock: *cold*.

**Read as** samples per second: total samples over total time of whole passes. Batches arrive in bursts of
``num_workers``, so a median of per-batch rates would hide the stalls between bursts.

**When more workers help**: while a sample costs more to make than to send to the main process. Images gain; a table
of numbers loses, because its rows are cheaper to index than to send through a queue.

    pytest benches/bench_epoch.py --dataset images --num-workers 0,1,2 --batch-size 32,256
"""

import pytest
import torch

from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import Epoch
from loaderbench.benches.harness.measuring.rounds import Measure


@pytest.mark.sweep(persistent_workers=(True,), expected_s=1.3)
def bench_epoch(measure: Measure, dataset: Subject, loader: LoaderConfig, device: torch.device) -> None:
    """Seconds to read every sample once and place it on the device."""
    measure(Epoch(dataset, loader, device=device))
