"""What ``loaderbench check`` reads: the demand of a loader, from its first batches, and the limits of this machine.

All samples are read in other processes (see `in_child`).
"""

import gc
import resource
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing.reduction import ForkingPickler
from typing import Any

import psutil
import torch
from torch.utils.data import IterableDataset, get_worker_info

from loaderbench.benches.check.imports import import_fault
from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.loading.case_loader import cut
from loaderbench.benches.harness.loading.first_batch import TIMEOUT_S, first_batch, silence_warnings
from loaderbench.benches.harness.loading.loader import LoaderConfig, in_process
from loaderbench.benches.harness.loading.storages import Storages, pickling_fault, tensor_storages, unpickling_fault
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.delivery import SamplerAudit
from loaderbench.benches.harness.system import machine, processes
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.control_groups import memory_left
from loaderbench.datasets.pytree import fingerprint, rows_of
from loaderbench.reports.check.preflight import Demand, Limits

UNLIMITED = 1 << 62  # bytes: more than any machine has
LEAST_SAMPLES = 1024  # of a map-style dataset, from which a shuffled first batch is drawn
COMPARED_SAMPLES = 64  # of each of two workers
LARGEST_SENT = 0.5  # of the free shared memory: a larger batch is not sent to see whether it arrives


@dataclass(frozen=True, kw_only=True, slots=True)
class _SentBatch:
    storages: Storages
    fault: str | None  # why it cannot be sent or received
    open_files: float  # that each sample of a batch leaves open
    kept: tuple[int, int] | None  # see `Demand`


def demand_of(subject: Subject, config: LoaderConfig, *, imports: bool = True) -> Demand:
    """Return what the loader will do; raises RefusedError where it makes no batch.

    `imports` says whether the dataset's module is imported anew, as spawned workers do: that takes seconds.
    """
    if not subject.is_stream:
        subject, config = cut(subject, config, max(LEAST_SAMPLES, 2 * (config.batch_size or 1)))
    free = limits().shm_bytes
    batch = in_child(partial(_first_batch, subject, config, free_bytes=UNLIMITED if free is None else free))
    silence_warnings()
    method = str(config.multiprocessing_context or torch.multiprocessing.get_start_method())
    demand = Demand(
        num_workers=config.num_workers,
        prefetch_factor=config.batches_per_worker,
        start_method=method,
        storages=batch.storages.count,
        storage_bytes=batch.storages.bytes,
        object_bytes=batch.storages.object_bytes,
        open_files=batch.open_files,
        kept=batch.kept,
        samples=subject.properties.length,
        pickled_bytes=subject.properties.pickled_bytes,
        pickle_error=subject.properties.pickle_error or _collate_fn_fault(config),
        shared_by_name=torch.multiprocessing.get_sharing_strategy() == "file_system",
        batch_error=batch.fault if config.num_workers else None,
        import_error=import_fault(subject.name.partition(":")[0]) if imports and ":" in subject.name else None,
    )
    if not config.num_workers or demand.fails_to_start or config.is_as_is:
        return demand
    return _with_workers(demand, subject, config)


def _first_batch(subject: Subject, config: LoaderConfig, *, free_bytes: int) -> _SentBatch:
    """Return what a worker would send of its first batch, and whether that arrives; raises RefusedError."""
    before = _descriptors()
    counting = CountingCollate(config.batch_fn)
    batch = first_batch(subject, config if config.is_as_is else replace(config, collate_fn=counting))
    are_opened = _descriptors() > before
    fault = pickling_fault(batch)
    storages = Storages(count=0, bytes=0) if fault else tensor_storages(batch)
    if fault is None and storages.bytes < LARGEST_SENT * free_bytes:
        fault = unpickling_fault(batch)
    rows = rows_of(batch)
    return _SentBatch(
        storages=storages,
        fault=fault,
        open_files=_open_files(subject, config) if are_opened else 0.0,
        kept=None if rows is None or counting.samples is None else (rows, counting.samples),
    )


class CountingCollate:
    """A collate function that knows of how many samples its batch was made; None of what is no list of them."""

    def __init__(self, collate_fn: Callable[[Any], Any]) -> None:
        self.collate_fn = collate_fn
        self.samples: int | None = None

    def __call__(self, samples: Any) -> Any:
        """Return the batch."""
        self.samples = len(samples) if isinstance(samples, list) else None
        return self.collate_fn(samples)


def _descriptors() -> int:
    """Return how many file descriptors are open, without those of garbage, which could be closed between two counts."""
    gc.collect()
    return psutil.Process().num_fds()


def _open_files(subject: Subject, config: LoaderConfig) -> float:
    """Return how many files a sample leaves open, of a second batch: the first one may open what all share."""
    with suppress(Exception):  # only the first batch is known to be readable
        batches = iter(in_process(config).build(subject.dataset))
        next(batches)
        before = _descriptors()
        next(batches)
        return max(0, _descriptors() - before) / (config.batch_size or 1)
    return 0.0


def _collate_fn_fault(config: LoaderConfig) -> str | None:
    try:
        ForkingPickler.dumps(config.collate_fn)
    except Exception as error:  # noqa: BLE001 - pickling an object of the user's may raise anything
        return f"collate_fn: {reason(error)}"
    return None


def _with_workers(demand: Demand, subject: Subject, config: LoaderConfig) -> Demand:
    """Return `demand` with what two workers show: an error, or a stream's samples that both deliver."""
    workers = replace(config, num_workers=min(2, config.num_workers), timeout=TIMEOUT_S, pin_memory=False)
    is_compared = subject.is_stream and workers.num_workers > 1
    try:
        if is_compared:
            return replace(demand, repeated=in_child(partial(repeated_samples, subject.dataset, workers)))
        in_child(as_case_failure()(partial(_read_batches, subject.dataset, workers)))
    except Exception as error:  # noqa: BLE001 - a user's dataset may raise anything
        return replace(demand, worker_error=reason(error))
    return demand


def _read_batches(dataset: Any, config: LoaderConfig) -> None:
    """Read a batch of each worker; what is drawn is kept, so that a failure can be put down to a sample."""
    is_stream = isinstance(dataset, IterableDataset)
    loader = config.build(dataset) if is_stream else SamplerAudit(config, dataset).loader
    for _ in islice(loader, config.num_workers):
        pass


def limits() -> Limits:
    """Return what this machine has now."""
    return Limits(
        shm_bytes=shutil.disk_usage(processes.SHARED_MEMORY).free if processes.SHARED_MEMORY.exists() else None,
        memory_bytes=min(psutil.virtual_memory().available, memory_left()),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        cpus=machine.usable_cpus(),
        cpus_affinity=machine.affinity(),
    )


def repeated_samples(dataset: Any, config: LoaderConfig) -> tuple[int, int]:
    """Return how many of the first samples of two workers both delivered, and how many the one with fewer delivered."""
    loader = replace(config, batch_size=None, drop_last=False, num_workers=2, collate_fn=_fingerprinted).build(dataset)
    delivered: dict[int, set[bytes]] = {0: set(), 1: set()}
    for worker, sample in islice(loader, 2 * COMPARED_SAMPLES):
        delivered[worker].add(sample)
    return len(delivered[0] & delivered[1]), min(map(len, delivered.values()))


def _fingerprinted(sample: Any) -> tuple[int, bytes]:
    """Return which worker made a sample, and a hash of its content."""
    worker = get_worker_info()
    return (worker.id if worker else 0), fingerprint(sample)
