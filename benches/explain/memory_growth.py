"""Memory growth: what the processes of a loader hold, epoch after epoch, with its workers alive throughout."""

import gc
from dataclasses import replace
from typing import Any

import msgspec

from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.storages import tensor_storages
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.system import processes
from loaderbench.datasets.recipes.compact import compact_lists
from loaderbench.reports.explain.record import LoaderMemory, MemoryReadings

EPOCHS = 12
PAIRS = 3  # of loaders: with lists, and with arrays
PAIR_EPOCHS = 2  # of each: a worker has then read most of what it ever reads


def loader_memory(baseline: Baseline) -> LoaderMemory:
    """Return what the loader's processes hold over its epochs; with its long Python lists, if any, in arrays too."""
    config = baseline.config
    readings = memory_readings(baseline.subject.dataset, config, EPOCHS)
    in_flight = baseline.prefetch_factor * config.num_workers + 1 if config.num_workers else 0
    memory = LoaderMemory(readings=readings, expected_shm_bytes=in_flight * tensor_storages(baseline.batch).bytes)
    try:
        return _with_lists_compared(memory, baseline)
    except Exception:  # noqa: BLE001 - a user's dataset may refuse arrays for its lists in any way
        return memory


def _with_lists_compared(memory: LoaderMemory, baseline: Baseline) -> LoaderMemory:
    """Return `memory` with readings of fresh pairs of loaders: long lists as they are, and in arrays."""
    as_given = baseline.subject.dataset
    compacted, names = compact_lists(as_given)
    if not names or not baseline.config.num_workers:
        return memory
    in_lists: list[MemoryReadings] = []
    in_arrays: list[MemoryReadings] = []
    for _ in range(PAIRS):
        in_lists.append(memory_readings(as_given, baseline.config, PAIR_EPOCHS))
        in_arrays.append(memory_readings(compacted, baseline.config, PAIR_EPOCHS))
    return msgspec.structs.replace(memory, lists=names, in_lists=tuple(in_lists), in_arrays=tuple(in_arrays))


def memory_readings(dataset: Any, config: LoaderConfig, epochs: int) -> MemoryReadings:
    """Return what this process and its workers hold: at the first batch, then at the end of each epoch.

    Shared memory is also read at batches 1, 2, 4, 8 … of the first epoch: its peak is the highest of these.
    """
    config = replace(config, persistent_workers=config.num_workers > 0)
    gc.collect()
    before = processes.memory()
    readings: list[processes.Memory] = []
    peak_shm_bytes = 0
    with NoStrays():
        loader = config.build(dataset)
        for epoch in range(epochs):
            for number, _ in enumerate(loader):
                if epoch == 0 and number & (number - 1) == 0:
                    memory = processes.memory()
                    peak_shm_bytes = max(peak_shm_bytes, memory.shm_bytes - before.shm_bytes)
                    if number == 0:
                        readings.append(memory)
            readings.append(processes.memory())
        del loader
        gc.collect()
    return MemoryReadings(
        before_pss_bytes=before.pss_bytes,
        pss_bytes=tuple(memory.pss_bytes for memory in readings),
        uss_bytes=tuple(memory.uss_bytes for memory in readings),
        peak_shm_bytes=peak_shm_bytes,
    )
