"""What does the start of workers cost, and what does it grow with?

**Timed**, from ``iter(loader)``, on a dataset of `payload_mb` megabytes (held as ``bytes``, so that pickle copies
them) whose samples cost nothing. The way of the first batch, by stamps of its worker, adds up to ``first_batch_s``:

- ``ask_s`` (torch's queues), ``pickle_s`` (the dataset, in this process), ``process_s`` (a process and its
  interpreter start; of a fork, until it is there), ``main_s`` (the main module is imported again), ``imports_s`` (what
  the worker's loop and the dataset's class need, torch above all), ``unpickle_s`` (the dataset, as its bytes come
  through a pipe), ``init_s`` (until its first sample is asked for), ``first_fetch_s``, ``deliver_s``;
- ``start_s``: until ``iter(loader)`` returned, which is when the last worker has taken its dataset out of the pipe:
  this process starts one after the other;
- ``gap_s``: from the last batch of an epoch to the first of the next; ``shutdown_s``: what the ends of the workers
  take.

**The law** (SPDL's case study found it at another's company): under ``spawn`` and ``forkserver``, the default on
Linux from Python 3.14 on, the start grows with payload × workers; under ``fork`` it grows with neither.

    pytest benches/bench_payload.py --start-method fork,forkserver,spawn
"""

import pytest

from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import Measure
from loaderbench.benches.harness.tracing.startup import Start
from loaderbench.datasets.synthetic.known_cost import Payload

BATCHES = 2  # of each worker, in an epoch


@pytest.mark.parametrize("payload_mb", [0, 64])
@pytest.mark.sweep(num_workers=(1, 2), rounds=2)
def bench_payload(measure: Measure, payload_mb: int, num_workers: int, start_method: str) -> None:
    """Seconds to the first batch, to the next epoch's, and to the end of the workers."""
    if not num_workers:
        pytest.skip("no workers to start")
    dataset = Payload(samples=BATCHES * num_workers, payload_bytes=payload_mb * 1_000_000)
    config = LoaderConfig(num_workers=num_workers, multiprocessing_context=start_method, timeout=60)
    measure(Start(config=config, dataset=dataset), payload_bytes=dataset.payload_bytes)
