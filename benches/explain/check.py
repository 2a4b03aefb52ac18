"""What ``loaderbench check`` reads: the demand of a loader, from its first batch, and the limits of this machine."""

import resource
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.utils.data import DataLoader, get_worker_info

from loaderbench.benches.explain.loaders import first_batch
from loaderbench.benches.explain.storages import tensor_storages
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system import machine
from loaderbench.datasets.pytree import fingerprint
from loaderbench.reports.explain.preflight import Demand, Limits

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where torch shares batches, not a temporary file
CONTROL_GROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 62  # bytes: more than any machine has
COMPARED_SAMPLES = 64  # of each of two workers
WAIT_S = 60.0  # for one of them


def demand_of(subject: Subject, config: LoaderConfig) -> Demand:
    """Return what the loader will do; raises RefusedError where it makes no batch."""
    storages = tensor_storages(first_batch(subject, config))
    method = config.multiprocessing_context or torch.multiprocessing.get_start_method()
    return Demand(
        num_workers=config.num_workers,
        prefetch_factor=config.prefetch_factor or 2,
        start_method=str(method),
        storages=storages.count,
        storage_bytes=storages.bytes,
        pickled_bytes=subject.properties.pickled_bytes,
        pickle_error=subject.properties.pickle_error,
        repeated=repeated_samples(subject.dataset, config) if subject.is_stream and config.num_workers > 1 else None,
    )


def limits() -> Limits:
    """Return what this machine has now."""
    return Limits(
        shm_bytes=shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.exists() else None,
        memory_bytes=min(psutil.virtual_memory().available, _control_group_memory()),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        cpus=machine.usable_cpus(),
        cpus_affinity=machine.affinity(),
    )


def _control_group_memory() -> int:
    """Return the bytes that the control group leaves; `UNLIMITED` where it sets no limit."""
    limit, used = CONTROL_GROUP / "memory.max", CONTROL_GROUP / "memory.current"
    if not limit.exists() or limit.read_text().strip() == "max":
        return UNLIMITED
    return max(0, int(limit.read_text()) - int(used.read_text()))


def repeated_samples(dataset: Any, config: LoaderConfig) -> tuple[int, int]:
    """Return how many of the first samples of two workers both delivered, and how many the one with fewer delivered."""
    loader: DataLoader[Any] = DataLoader(
        dataset, batch_size=None, num_workers=2, collate_fn=_fingerprinted, worker_init_fn=config.worker_init_fn,
        timeout=WAIT_S, prefetch_factor=2,
    )  # fmt: skip
    delivered: dict[int, set[bytes]] = {0: set(), 1: set()}
    for worker, sample in islice(loader, 2 * COMPARED_SAMPLES):
        delivered[worker].add(sample)
    return len(delivered[0] & delivered[1]), min(map(len, delivered.values()))


def _fingerprinted(sample: Any) -> tuple[int, bytes]:
    """Return which worker made a sample, and a hash of its content."""
    worker = get_worker_info()
    return (worker.id if worker else 0), fingerprint(sample)
