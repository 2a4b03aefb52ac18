"""Memory growth: what the processes of a loader hold, epoch after epoch, with its workers alive throughout.

Each loader is read in a process forked for it, so that none finds pages that another has written to.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

import msgspec

from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.system import processes
from loaderbench.benches.harness.system.child import ChildError, in_child
from loaderbench.datasets.recipes.compact import collections_of, compact, compacted
from loaderbench.reports.explain.record import LoaderMemory, MemoryReadings

EPOCHS = 12
PAIRS = 3  # of loaders: with objects, and with arrays
PAIR_EPOCHS = 2  # of each: a worker has then read most of what it ever reads
LEAST_S = 2.0  # for one look at what a loader adds, whatever the budget has left
PAIRS_SHARE = 0.6  # of the time, where the dataset has many Python objects


def loader_memory(baseline: Baseline, *, most_s: float) -> LoaderMemory | None:
    """Return what the loader's processes hold over its epochs; with the dataset's Python objects in arrays too.

    It takes `most_s` seconds, about, with as many epochs and pairs of loaders as fit; None where not one could be read.
    """
    until = perf_counter() + most_s
    collections = collections_of(baseline.subject.dataset) if baseline.config.num_workers else {}
    pairs_s = PAIRS_SHARE * most_s if collections else 0.0
    with suppress(ChildError):
        readings = _readings(baseline, _as_given, EPOCHS, most_s - pairs_s)
        in_flight = baseline.prefetch_factor * baseline.config.num_workers + 1 if baseline.config.num_workers else 0
        expected_shm_bytes = in_flight * baseline.look.batch.storage_bytes
        memory = LoaderMemory(readings=readings, expected_shm_bytes=expected_shm_bytes, collections=tuple(collections))
        return _with_objects_compared(memory, baseline, until) if collections else memory
    return None


def _with_objects_compared(memory: LoaderMemory, baseline: Baseline, until: float) -> LoaderMemory:
    """Return `memory` with readings of fresh pairs of loaders: Python objects as they are, and in arrays."""
    in_objects: list[MemoryReadings] = []
    in_arrays: list[MemoryReadings] = []
    pair_s = 0.0
    with suppress(Exception):  # a user's dataset may refuse arrays for its objects in any way
        while len(in_arrays) < PAIRS and (not in_arrays or perf_counter() + pair_s <= until):
            began = perf_counter()
            left_s = (until - began) / 2 / (PAIRS - len(in_arrays))
            pair = [_readings(baseline, prepare, PAIR_EPOCHS, left_s) for prepare in (_in_objects, compact)]
            in_objects.append(pair[0])
            in_arrays.append(pair[1])
            pair_s = perf_counter() - began
    return msgspec.structs.replace(memory, in_objects=tuple(in_objects), in_arrays=tuple(in_arrays))


def _as_given(dataset: Any) -> Any:
    return dataset


def _in_objects(dataset: Any) -> Any:
    """Return `dataset` as it is, each of its objects read once in this process: as making arrays of them does too."""
    for collection in collections_of(dataset).values():
        compacted(collection)
    return dataset


def _readings(baseline: Baseline, prepare: Callable[[Any], Any], epochs: int, most_s: float) -> MemoryReadings:
    """Return the readings of a loader of the dataset as `prepare` returns it, in a process of its own."""
    most_s = max(LEAST_S / 4, most_s)
    dataset, config = baseline.subject.dataset, baseline.config
    return in_child(lambda: memory_readings(prepare(dataset), config, epochs, most_s), timeout_s=2 * most_s + LEAST_S)


def memory_readings(dataset: Any, config: LoaderConfig, epochs: int, most_s: float) -> MemoryReadings:
    """Return what this process and its workers hold: at the first batch, then at the end of each epoch.

    An epoch that does not end within an `epochs`-th of `most_s` is left there. Shared memory is also read at batches
    1, 2, 4, 8 … of the first epoch: its peak is the highest of these.
    """
    config = replace(config, persistent_workers=config.num_workers > 0)
    gc.collect()
    before = processes.memory()
    readings: list[processes.Memory] = []
    peak_shm_bytes = 0
    with NoStrays():
        loader = config.build(dataset)
        for epoch in range(epochs):
            for number in _batches_within(loader, most_s / epochs):
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


def _batches_within(loader: Any, most_s: float) -> Iterator[int]:
    """Yield the number of each batch of a pass; end after `most_s` seconds, if that is sooner."""
    began = perf_counter()
    for number, _ in enumerate(loader):
        yield number
        if perf_counter() - began > most_s:
            return
