"""Preflight: what a loader will need of the machine, and what the machine has, before anything runs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from loaderbench.reports.units import count

Level = Literal["fine", "note", "wrong"]

IDLE_DESCRIPTORS = 64  # files, pipes and sockets of a process that loads nothing yet
KEEPS_OPEN = 0.5  # files that each sample leaves open: fewer may be of shards, of which there are not many
LARGE_PICKLE = 100 << 20  # bytes sent to all workers together that are worth a note
NO_WORKERS = "there are no workers"
NEARLY = 0.5  # of a limit: worth a note, as later batches may be larger than the first


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What a loader will do, from its arguments, its dataset and its first batch."""

    num_workers: int
    prefetch_factor: int
    start_method: str
    storages: int  # of a batch's tensors: each takes a descriptor in every process that has it
    storage_bytes: int  # of a batch: what goes to shared memory
    pickled_bytes: int | None  # of the dataset; None where it cannot be pickled
    pickle_error: str | None
    object_bytes: int = 0  # of all else in a batch, pickled
    open_files: float = 0.0  # that each sample of a batch leaves open
    samples: int | None = None  # of the dataset
    shared_by_name: bool = False  # by the sharing strategy "file_system", without a descriptor for each tensor
    batch_error: str | None = None  # why a batch cannot be sent by a worker, or received
    import_error: str | None = None  # what the user's module does when a spawned worker imports it
    worker_error: str | None = None  # what a worker raised
    kept: tuple[int, int] | None = None  # samples in the first batch, and those that it was made of; None: not known
    repeated: tuple[int, int] | None = None  # of a stream: samples that two workers both delivered, of how many

    @property
    def batches(self) -> int:
        """Return how many batches exist at once: all that workers may have made, and the one in use."""
        return self.num_workers * self.prefetch_factor + 1

    @property
    def is_pickled(self) -> bool:
        """Return whether workers are sent the dataset by pickle."""
        return bool(self.num_workers) and self.start_method != "fork"

    @property
    def fails_to_start(self) -> bool:
        """Return whether workers would not deliver a batch for what is known without having started one."""
        return bool(self.batch_error or (self.is_pickled and (self.pickle_error or self.import_error)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the machine has."""

    shm_bytes: int | None  # free in /dev/shm; None where there is none
    memory_bytes: float  # available, under the control group's limit too
    descriptors: int  # that a process may have open
    cpus: int  # that this process may use, under affinity and quota
    cpus_affinity: int  # what torch's own warning goes by


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One need of the loader, its limit, and what to do where they do not agree."""

    name: str
    level: Level
    needed: float | None
    limit: float | None
    unit: str  # bytes; "" of a count
    why: str
    remedy: str = ""  # where the level is not fine


def findings(demand: Demand, limits: Limits) -> Iterator[Finding]:
    """Yield every need of the loader, in the order of the documentation."""
    yield _shared_memory(demand, limits)
    yield _descriptors(demand, limits)
    yield from _open_files(demand, limits)
    yield _memory(demand, limits)
    yield _cpus(demand, limits)
    yield _pickle(demand)
    if demand.kept is not None:
        yield from _left_out(*demand.kept)
    yield from _faults(demand)
    if demand.repeated is not None:
        yield _stream(*demand.repeated)


def _finding(name: str, level: Level, remedy: str, **facts: float | str | None) -> Finding:
    return Finding(name=name, level=level, remedy="" if level == "fine" else remedy, **facts)  # type: ignore[arg-type]


def _level(needed: float, limit: float | None) -> Level:
    if limit is None:
        return "fine"
    if needed > limit:
        return "wrong"
    return "note" if needed > NEARLY * limit else "fine"


def _shared_memory(demand: Demand, limits: Limits) -> Finding:
    needed = demand.batches * demand.storage_bytes if demand.num_workers else 0
    return _finding(
        "shared memory",
        _level(needed, limits.shm_bytes),
        "fewer workers, a smaller prefetch_factor or batch, or a larger /dev/shm (docker run --shm-size): a worker "
        "that finds it full dies of SIGBUS",
        needed=needed,
        limit=limits.shm_bytes,
        unit="bytes",
        why=f"{demand.batches} batches at once in /dev/shm: num_workers × prefetch_factor, and one in use"
        if demand.num_workers
        else f"no batch is sent: {NO_WORKERS}",
    )


def _descriptors(demand: Demand, limits: Limits) -> Finding:
    are_sent = demand.num_workers and not demand.shared_by_name
    needed = IDLE_DESCRIPTORS + (demand.batches * demand.storages if are_sent else 0)
    kind = "each a descriptor while its batch waits behind a slower one"
    if not demand.num_workers:
        kind = f"which are not sent: {NO_WORKERS}"
    elif demand.shared_by_name:
        kind = "none of them a descriptor: they are shared by name, by the strategy file_system"
    return _finding(
        "file descriptors",
        _level(needed, limits.descriptors),
        "pack a batch's tensors into few, raise `ulimit -n`, or "
        'torch.multiprocessing.set_sharing_strategy("file_system")',
        needed=needed,
        limit=limits.descriptors,
        unit="",
        why=f"{count(demand.storages, 'tensor')} in a batch, {kind}",
    )


def _open_files(demand: Demand, limits: Limits) -> Iterator[Finding]:
    """Yield what files need that samples leave open, where that may be more than a process can have."""
    needed = IDLE_DESCRIPTORS + demand.open_files * (demand.samples or math.inf)
    if demand.open_files >= KEEPS_OPEN and needed > limits.descriptors:
        yield _finding(
            "open files",
            "note",
            "close each file once it is read: else a pass may end with 'Too many open files'",
            needed=needed if math.isfinite(needed) else None,
            limit=limits.descriptors,
            unit="",
            why=f"every sample leaves {demand.open_files:.2g} open, as far as two batches show",
        )


def _memory(demand: Demand, limits: Limits) -> Finding:
    copies = demand.num_workers if demand.is_pickled else 0
    copies_text = {0: "no copies", 1: "one copy"}.get(copies, f"{copies} copies")
    batches = f"{demand.batches} batches" if demand.num_workers else "one batch"
    needed = copies * (demand.pickled_bytes or 0) + demand.batches * (demand.storage_bytes + demand.object_bytes)
    return _finding(
        "memory",
        _level(needed, limits.memory_bytes),
        "fewer workers, or keep on disk (np.memmap, Arrow) what every worker would have in memory",
        needed=needed,
        limit=limits.memory_bytes,
        unit="bytes",
        why=f"{copies_text} of the dataset in workers, and {batches}; the memory of the processes themselves is not "
        "counted",
    )


def _cpus(demand: Demand, limits: Limits) -> Finding:
    quota = "" if limits.cpus == limits.cpus_affinity else f"; torch warns only above {limits.cpus_affinity}"
    return _finding(
        "CPUs",
        "note" if demand.num_workers > limits.cpus else "fine",
        f"num_workers={limits.cpus} at most, unless workers wait for a disk or a network",
        needed=demand.num_workers,
        limit=limits.cpus,
        unit="",
        why=f"workers, beside CPUs under affinity and quota{quota}",
    )


def _pickle(demand: Demand) -> Finding:
    method, size = demand.start_method, demand.pickled_bytes
    level: Level = "fine"
    remedy = ""
    if demand.pickle_error:
        level = "wrong" if demand.is_pickled else "note"
        remedy = (
            f"workers started by {'spawn and forkserver' if method == 'fork' else method} are sent the dataset by "
            'pickle: open files and connections in the worker, not in __init__, or start workers by "fork"'
        )
    elif demand.is_pickled and size is not None and size * demand.num_workers > LARGE_PICKLE:
        level = "note"
        remedy = "each worker reads all of it before its first batch: keep the data on disk, send its path"
    sent = f"sent to each worker under spawn and forkserver; here workers start by {method}"
    return _finding("pickle", level, remedy, needed=size, limit=None, unit="bytes", why=demand.pickle_error or sent)


def _left_out(kept: int, read: int) -> Iterator[Finding]:
    """Yield a note where a batch has fewer samples than it was made of."""
    if kept < read:
        yield _finding(
            "batch size",
            "note",
            "samples that are left out are loaded all the same, and counted in every throughput: leave them out of the "
            "dataset, by their indices",
            needed=read,
            limit=kept,
            unit="",
            why="samples that the first batch was made of, beside those that it has: the collate_fn leaves samples out",
        )


def _faults(demand: Demand) -> Iterator[Finding]:
    """Yield what was seen to go wrong, or would under another start method."""
    never = "a worker's batch never arrives, and the loop waits for it for ever"
    imports = demand.start_method if demand.is_pickled else "spawn and forkserver"
    faults = (
        ("batch", demand.batch_error, f"{never}: let the collate_fn return tensors, arrays, numbers and texts"),
        ("import", demand.import_error, f"workers started by {imports} import the dataset's module anew"),
        (
            "workers",
            demand.worker_error,
            "the first batch was made without workers: a later sample fails, or any that a worker reads",
        ),
    )
    for name, why, remedy in faults:
        if why is not None:
            level: Level = "note" if name == "import" and not demand.is_pickled else "wrong"
            yield Finding(name=name, level=level, needed=None, limit=None, unit="", why=why, remedy=remedy)


def _stream(both: int, read: int) -> Finding:
    level: Level = "fine"
    if both:
        level = "wrong" if 2 * both > read else "note"
    return _finding(
        "stream",
        level,
        "split the stream by torch.utils.data.get_worker_info(), in __iter__ or in a --worker-init-fn: every worker "
        "repeats it, and an epoch is num_workers times as long as it should be",
        needed=both,
        limit=read,
        unit="",
        why="samples that one worker delivered first and another one delivered too",
    )
