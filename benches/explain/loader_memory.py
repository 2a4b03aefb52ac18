"""Memory growth: what the processes of a loader hold, epoch after epoch, with its workers alive throughout.

Each loader is read in a process forked for it, so that none finds pages that another has written to.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

import msgspec

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.system import processes
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.processes import NoStrays
from loaderbench.datasets.recipes.compact import collections_of, compact, compacted
from loaderbench.reports.explain.explain_record import LoaderMemory, MemoryReadings

EPOCHS = 12
PAIRS = 3  # of loaders: with objects, and with arrays
PAIR_EPOCHS = 2  # of each: a worker has then read most of what it ever reads
LEAST_S = 0.5  # for the passes of one loader, whatever the budget has left
OVERHEAD_S = 15.0  # of one loader beside its passes, at most: forks, workers, arrays made of objects, readings
PAIRS_SHARE = 0.6  # of the time, where the dataset has many Python objects


def loader_memory(baseline: Baseline, *, most_s: float) -> LoaderMemory:
    """Return what the loader's processes hold over its epochs; with the dataset's Python objects in arrays too.

    It takes `most_s` seconds, about, with as many epochs and pairs of loaders as fit; what could not be read is left
    out. In less time than a batch takes nothing is read.
    """
    until = perf_counter() + most_s
    collections = collections_of(baseline.subject.dataset) if baseline.config.num_workers else {}
    has_time = most_s > baseline.passes.batch_s
    pairs = _pairs(baseline, PAIRS_SHARE * most_s) if collections and has_time else []
    in_flight = baseline.prefetch_factor * baseline.config.num_workers + 1 if baseline.config.num_workers else 0
    memory = LoaderMemory(
        expected_shm_bytes=in_flight * baseline.first_batch.batch.storage_bytes,
        collections=tuple(collections),
        in_objects=tuple(in_objects for in_objects, _ in pairs),
        in_arrays=tuple(in_arrays for _, in_arrays in pairs),
    )
    if not has_time:
        return memory
    with suppress(Exception):  # a loader that was read before may fail now, or take too long
        readings = _readings(baseline, _as_given, EPOCHS, until - perf_counter())
        return msgspec.structs.replace(memory, readings=readings)
    return memory


def _pairs(baseline: Baseline, most_s: float) -> list[tuple[MemoryReadings, MemoryReadings]]:
    """Return readings of fresh pairs of loaders: Python objects as they are, and in arrays; one pair at least."""
    until, pair_s = perf_counter() + most_s, 0.0
    pairs: list[tuple[MemoryReadings, MemoryReadings]] = []
    with suppress(Exception):  # a user's dataset may refuse arrays for its objects in any way
        while len(pairs) < PAIRS and (not pairs or perf_counter() + pair_s <= until):
            began = perf_counter()
            reading_s = (until - began) / 2 / (PAIRS - len(pairs))
            in_objects = _readings(baseline, _in_objects, PAIR_EPOCHS, reading_s)
            pairs.append((in_objects, _readings(baseline, compact, PAIR_EPOCHS, reading_s)))
            pair_s = perf_counter() - began
    return pairs


def _as_given(dataset: Any) -> Any:
    return dataset


def _in_objects(dataset: Any) -> Any:
    """Return `dataset` as it is, each of its objects read once in this process: as making arrays of them does too."""
    for collection in collections_of(dataset).values():
        compacted(collection)
    return dataset


def _readings(baseline: Baseline, prepare: Callable[[Any], Any], epochs: int, most_s: float) -> MemoryReadings:
    """Return the readings of a loader of the dataset as `prepare` returns it, in a process of its own."""
    most_s = max(LEAST_S, most_s)
    dataset, config = baseline.subject.dataset, baseline.config
    return in_child(
        lambda: memory_readings(prepare(dataset), config, epochs, most_s), timeout_s=2 * most_s + OVERHEAD_S
    )


def memory_readings(dataset: Any, config: LoaderConfig, epochs: int, most_s: float) -> MemoryReadings:
    """Return what this process and its workers hold: at the first batch, then at the end of each epoch.

    An epoch that does not end within an `epochs`-th of `most_s` is left there, and none begins after `most_s`. Shared
    memory is also read at batches 1, 2, 4, 8 … of the first epoch: its peak is the highest of these.
    """
    config = replace(config, persistent_workers=config.num_workers > 0)
    gc.collect()
    before = processes.memory()
    epoch_s, until = most_s / epochs, perf_counter() + most_s
    with NoStrays():
        loader = config.build(dataset)
        of_batches = [processes.memory() for number in _batches_within(loader, epoch_s) if number & (number - 1) == 0]
        readings = [*of_batches[:1], processes.memory()]
        for _ in range(epochs - 1):
            if perf_counter() > until:
                break
            deque(_batches_within(loader, epoch_s), maxlen=0)
            readings.append(processes.memory())
        del loader
        gc.collect()
    return MemoryReadings(
        before_pss_bytes=before.pss_bytes,
        pss_bytes=tuple(memory.pss_bytes for memory in readings),
        uss_bytes=tuple(memory.uss_bytes for memory in readings),
        peak_shm_bytes=max([0, *(memory.shm_bytes - before.shm_bytes for memory in of_batches)]),
    )


def _batches_within(loader: Any, most_s: float) -> Iterator[int]:
    """Yield the number of each batch of a pass; end after `most_s` seconds, if that is sooner."""
    began = perf_counter()
    for number, _ in enumerate(loader):
        yield number
        if perf_counter() - began > most_s:
            return
