"""Preflight: what a loader will need of the machine, beside what the machine has, before anything runs."""

import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

from loaderbench.benches.harness.system import machine
from loaderbench.datasets.pytree import tree_tensors

Level = Literal["fine", "note", "wrong"]

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where torch shares batches, not a temporary file
_GROUP = Path("/sys/fs/cgroup")
IDLE_DESCRIPTORS = 64  # what a process has open that loads nothing yet: its files, pipes and sockets
LARGE_PICKLE = 100 << 20  # bytes sent to each worker that are worth a word
NEARLY = 0.5  # of a limit: worth a word, as a dataset's later batches may be larger than its first


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What a loader will do, from its arguments, its dataset and its first batch."""

    num_workers: int
    prefetch_factor: int
    start_method: str  # "" where it was not asked for: the platform's own
    storages: int  # of a batch's tensors: each takes a descriptor in every process that holds it
    storage_bytes: int  # of a batch: what goes to shared memory
    pickled_bytes: int | None  # of the dataset; None where it cannot be pickled
    pickle_error: str | None
    repeated: tuple[int, int] | None = None  # of a stream: how many samples of how many two workers both delivered

    @property
    def in_flight(self) -> int:
        """Batches that exist at once: all that workers may have made, and the one in the consumer's hands."""
        return self.num_workers * self.prefetch_factor + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the machine has."""

    shm_bytes: int | None  # free in /dev/shm; None where there is none
    memory_bytes: int  # available, under the control group's limit too
    descriptors: int  # that a process may have open
    cpus: int  # that this process may use, under affinity and quota
    cpus_affinity: int  # what torch's own warning goes by
    start_method: str  # the platform's own

    @classmethod
    def here(cls) -> "Limits":
        """Those of this machine, now."""
        return cls(
            shm_bytes=shutil.disk_usage(_SHARED_MEMORY).free if Path(_SHARED_MEMORY).exists() else None,
            memory_bytes=min(psutil.virtual_memory().available, _group_memory()),
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            cpus=machine.usable_cpus(),
            cpus_affinity=machine.affinity(),
            start_method=str(machine.facts()["start_method"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at: a number, its limit, and what to do where they do not agree."""

    what: str
    level: Level
    number: float | None
    limit: float | None
    unit: str  # bytes, or nothing of a count
    why: str
    way_out: str = ""

    @property
    def remedy(self) -> str:
        """What to do, where there is something to be done."""
        return "" if self.level == "fine" else self.way_out


def findings(demand: Demand, limits: Limits) -> Iterator[Finding]:
    """Everything that can be told from numbers; the order is that of the list in the documentation."""
    yield _shared_memory(demand, limits)
    yield _descriptors(demand, limits)
    yield _memory(demand, limits)
    yield _cpus(demand, limits)
    yield _pickle(demand, limits)
    if demand.repeated is not None:
        yield _stream(demand.repeated)


def _level(number: float, limit: float) -> Level:
    return "wrong" if number > limit else "note" if number > NEARLY * limit else "fine"


def _shared_memory(demand: Demand, limits: Limits) -> Finding:
    needed = demand.in_flight * demand.storage_bytes if demand.num_workers else 0
    limit = limits.shm_bytes
    level = "fine" if limit is None else _level(needed, limit)
    return Finding(
        what="shared memory",
        level=level,
        number=needed,
        limit=limit,
        unit="bytes",
        why=f"{demand.in_flight} batches at once in {_SHARED_MEMORY}: num_workers × prefetch_factor, and one in use",
        way_out="fewer workers, a smaller prefetch_factor or batch, or a larger /dev/shm (docker run --shm-size): a "
        "worker that finds it full dies of SIGBUS",
    )


def _descriptors(demand: Demand, limits: Limits) -> Finding:
    needed = IDLE_DESCRIPTORS + (demand.in_flight * demand.storages if demand.num_workers else 0)
    level = _level(needed, limits.descriptors)
    return Finding(
        what="file descriptors",
        level=level,
        number=needed,
        limit=limits.descriptors,
        unit="",
        why=f"{demand.storages} tensors a batch, each a descriptor while its batch waits behind a slower one",
        way_out="pack a batch's tensors into few, raise `ulimit -n`, or "
        'torch.multiprocessing.set_sharing_strategy("file_system")',
    )


def _memory(demand: Demand, limits: Limits) -> Finding:
    copies = demand.num_workers if _is_spawned(demand, limits) else 0
    needed = copies * (demand.pickled_bytes or 0) + demand.in_flight * demand.storage_bytes
    level = _level(needed, limits.memory_bytes)
    return Finding(
        what="memory",
        level=level,
        number=needed,
        limit=limits.memory_bytes,
        unit="bytes",
        why=f"{copies or 'no'} copies of the dataset in workers, and {demand.in_flight} batches; processes themselves "
        "not counted",
        way_out="fewer workers, or keep on disk (np.memmap, Arrow) what every worker would hold",
    )


def _cpus(demand: Demand, limits: Limits) -> Finding:
    busy = demand.num_workers
    level: Level = "note" if busy > limits.cpus else "fine"
    quota = "" if limits.cpus == limits.cpus_affinity else f"; torch warns only above {limits.cpus_affinity}"
    return Finding(
        what="CPUs",
        level=level,
        number=busy,
        limit=limits.cpus,
        unit="",
        why=f"workers, beside CPUs under affinity and quota{quota}",
        way_out=f"num_workers={limits.cpus} at most, unless workers wait for a disk or a network",
    )


def _is_spawned(demand: Demand, limits: Limits) -> bool:
    return bool(demand.num_workers) and (demand.start_method or limits.start_method) != "fork"


def _pickle(demand: Demand, limits: Limits) -> Finding:
    spawned = _is_spawned(demand, limits)
    method = demand.start_method or limits.start_method
    size = demand.pickled_bytes
    level: Level = "fine"
    way_out = ""
    if demand.pickle_error:
        level = "wrong" if spawned else "note"
        way_out = (
            f"workers started by {method} are given the dataset by pickle: open files and connections in the worker, "
            'not in __init__, or start workers by "fork"'
        )
    elif spawned and size is not None and size * demand.num_workers > LARGE_PICKLE:
        level, way_out = (
            "note",
            "each worker reads all of it before its first batch: keep the data on disk, send its path",
        )
    return Finding(
        what="pickle",
        level=level,
        number=size,
        limit=None,
        unit="bytes",
        why=demand.pickle_error or f"sent to each worker under spawn and forkserver; here workers start by {method}",
        way_out=way_out,
    )


def _stream(repeated: tuple[int, int]) -> Finding:
    both, read = repeated
    level: Level = "wrong" if 2 * both > read else "note" if both else "fine"
    return Finding(
        what="stream",
        level=level,
        number=both,
        limit=read,
        unit="",
        why="samples that one worker delivered first and another one delivered too",
        way_out="split the stream in __iter__ by torch.utils.data.get_worker_info(): every worker repeats it, and an "
        "epoch is num_workers times as long as it should be",
    )


def storages(batch: Any) -> tuple[int, int]:
    """How many storages the tensors of `batch` have, and their bytes: a view is sent with all that it is a view of."""
    dense = [tensor for tensor in tree_tensors(batch) if tensor.layout is torch.strided]
    found = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in dense}
    return len(found), sum(found.values())


def _group_memory() -> int:
    """What the control group leaves, in bytes; more than any machine has where it sets no limit."""
    limit, used = _GROUP / "memory.max", _GROUP / "memory.current"
    if not limit.exists() or limit.read_text().strip() == "max":
        return 1 << 62
    return max(0, int(limit.read_text()) - int(used.read_text()))
