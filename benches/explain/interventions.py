"""Causes: known pitfalls of loading, each with the same loader without it.

What cannot be tried on the loader at hand says why: nothing is claimed that was not run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from loaderbench.benches.explain.batches import ArraysAgain, answers_for_many, fault_of, whole_batches
from loaderbench.benches.explain.candidates import TIMEOUT_S, Loading, Suspect, Untried
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.system.devices import available
from loaderbench.datasets.pytree import LeafCounts, count_leaves
from loaderbench.datasets.recipes.transport import Packed, Reused, to_arrays
from loaderbench.datasets.recipes.worker_init import keep_memory, one_thread, thread_pools

DEEPER = 4  # times the prefetch_factor
_FEW = 2  # tensors of a batch that are not worth packing


Finding = Suspect | Untried


def causes(loading: Loading) -> Iterator[Finding]:
    """Every known cause, to be tried or not."""
    for name, look in CAUSES.items():
        found = look(loading)
        yield Untried(cause=name, why=found) if isinstance(found, str) else replace(found, cause=name)


def _suspect(
    loading: Loading, evidence: str, change: str, *, base: Mapping[str, Any] | None = None, **changed: Any
) -> Suspect:
    """The same loader with some arguments changed, both with workers that live on."""
    steady = _steady(replace(loading.config, **(base or {})))
    return Suspect(cause="", evidence=evidence, change=change, base=steady, other=_steady(replace(steady, **changed)))


def _steady(config: LoaderConfig) -> LoaderConfig:
    return replace(config, persistent_workers=config.num_workers > 0)


_NO_WORKERS = "nothing crosses from a worker: num_workers is 0"


def _workers(loading: Loading) -> Suspect | str:
    count = loading.config.num_workers
    if count >= loading.cpus:
        return f"num_workers is {count}, and {loading.cpus} CPUs can be used"
    changed: dict[str, Any] = {"num_workers": loading.cpus, "timeout": TIMEOUT_S}
    evidence = f"num_workers is {count}, and {loading.cpus} CPUs can be used"
    return _suspect(loading, evidence, f"num_workers={loading.cpus}", **changed)


def _fetched(loading: Loading) -> Suspect | str:
    dataset, config = loading.subject.dataset, loading.config
    if loading.subject.is_stream:
        return "a stream has no indices"
    if not answers_for_many(dataset, loading.collate_fn):
        if callable(getattr(loading.subject.source, "__getitems__", None)):  # a part of it, a Subset, always has it
            return "it has __getitems__ already"
        return "dataset[[0, 1, …]] is not what collate_fn makes of those samples"
    if config.sampler is not None or config.batch_sampler is not None:
        return "the sampler is the user's own"
    size = config.batch_size or 1
    return _suspect(
        loading,
        f"dataset[[0, 1, …]] is a batch; it is asked {size} times for each",
        "sampler=BatchSampler(RandomSampler(dataset), batch_size, drop_last), batch_size=None, collate_fn=None",
        batch_size=None,
        shuffle=False,
        sampler=partial(whole_batches, shuffle=config.shuffle, size=size, drop_last=config.drop_last),
        drop_last=False,
        collate_fn=None,
    )


def _packed(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return _NO_WORKERS
    if loading.parts.tensors < _FEW:
        return f"a batch has {loading.parts.tensors} tensor"
    if fault := fault_of(loading.batch):
        return fault
    return _suspect(
        loading,
        f"{loading.parts.tensors} tensors a batch, each sent by itself",
        "collate_fn=Packed(collate_fn), of loaderbench.datasets.recipes.transport; or return one tensor of each dtype",
        collate_fn=Packed(loading.collate_fn),
    )


def _arrayed(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return _NO_WORKERS
    objects = _loose(loading.parts)
    if not objects:
        return "a batch has none"
    try:
        after = count_leaves(to_arrays(loading.batch))
    except (TypeError, ValueError) as error:
        return f"its lists cannot become arrays: {type(error).__name__}: {str(error)[:100]}"
    if objects <= _loose(after):
        return f"the {objects} of a batch are in no lists"
    return _suspect(
        loading,
        f"{loading.parts.strings} strings and {loading.parts.objects} other objects a batch, each pickled by itself",
        "return arrays: what making them costs is not counted here. Arrayed(collate_fn), of "
        "loaderbench.datasets.recipes.transport, makes them of a batch",
        collate_fn=ArraysAgain(loading.collate_fn),
    )


def _loose(parts: LeafCounts) -> int:
    """Objects that are neither tensors nor arrays."""
    return parts.objects + parts.strings


def _reused(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return _NO_WORKERS
    if not loading.parts.tensors:
        return "a batch has no tensors"
    if fault := fault_of(loading.batch):
        return fault
    slots = loading.prefetch + (loading.config.num_workers + 1 if loading.subject.is_stream else 2)
    many = loading.parts.tensors >= _FEW  # what is gained by packing them is another cause's
    found = _suspect(
        loading,
        f"{loading.parts.bytes / 1e6:.3g} MB a batch, in a new file of shared memory each",
        f"collate_fn=Reused(collate_fn, slots={slots}), of loaderbench.datasets.recipes.transport, and "
        "persistent_workers=True; who keeps a batch copies it",
        base={"collate_fn": Packed(loading.collate_fn)} if many else {},
        collate_fn=Reused(loading.collate_fn, slots),
    )
    return replace(found, builds_on="many tensors a batch" if many else "")


def _threads(loading: Loading) -> Suspect | str:
    workers = loading.config.num_workers
    if not workers:
        return "no workers that would share the CPUs: num_workers is 0"
    many = {name: threads for name, threads in thread_pools().items() if threads > 1}
    if not many:
        return "every pool of threads has one"
    held = ", ".join(f"{name} {threads}" for name, threads in many.items())
    return _suspect(
        loading,
        f"{workers} workers × threads of {held}, on {loading.cpus} CPUs",
        "worker_init_fn=one_thread, of loaderbench.datasets.recipes.worker_init; or "
        "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
        worker_init_fn=one_thread,
    )


def _allocator(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return "it would change this process for good: num_workers is 0"
    return _suspect(
        loading,
        "malloc gives freed memory back, and faults it in again",
        "worker_init_fn=keep_memory, of loaderbench.datasets.recipes.worker_init; or MALLOC_MMAP_THRESHOLD_=1073741824 "
        "MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864",
        worker_init_fn=keep_memory,
    )


def _persistent(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return "no workers: num_workers is 0"
    if loading.config.persistent_workers:
        return "on already"
    config = loading.config
    return Suspect(
        cause="",
        evidence="workers are started anew for each epoch",
        change="persistent_workers=True",
        base=config,
        other=_steady(config),
        at_start=True,
    )


def _start_method(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return "no workers: num_workers is 0"
    now = str(loading.config.multiprocessing_context or torch.multiprocessing.get_start_method())
    if now == "fork":
        return "workers are forked already"
    if "fork" not in torch.multiprocessing.get_all_start_methods():
        return "this system cannot fork"
    if loading.config.persistent_workers:
        return f"workers start once, by {now}"
    config = loading.config
    return Suspect(
        cause="",
        evidence=f"{now}: each worker imports torch, and is sent the dataset",
        change='multiprocessing_context="fork", where no thread and no CUDA has been started yet',
        base=config,
        other=replace(config, multiprocessing_context="fork"),
        at_start=True,
    )


def _in_order(loading: Loading) -> Suspect | str:
    if loading.config.num_workers < 2:  # noqa: PLR2004 - one worker's batches have one order
        return f"num_workers is {loading.config.num_workers}"
    if not loading.config.in_order:
        return "off already"
    return _suspect(
        loading,
        f"{loading.blocked:.0%} of a pass is waiting while a later batch is ready",
        "in_order=False: batches then come as they are ready, not as the sampler drew them",
        in_order=False,
    )


def _prefetch(loading: Loading) -> Suspect | str:
    if not loading.config.num_workers:
        return "no workers: num_workers is 0"
    deeper = DEEPER * loading.prefetch
    return _suspect(
        loading,
        f"prefetch_factor is {loading.prefetch}: {loading.prefetch * loading.config.num_workers} batches may be ahead",
        f"prefetch_factor={deeper}",
        prefetch_factor=deeper,
    )


def _pinned(loading: Loading) -> Suspect | str:
    if len(available()) == 1:
        return "no accelerator here"
    if loading.device == "cpu":
        return "batches stay on the CPU"
    if loading.config.pin_memory:
        return "on already"
    return _suspect(
        loading,
        "batches are copied to the device from pageable memory",
        "pin_memory=True, and batch.to(device, non_blocking=True)",
        pin_memory=True,
    )


CAUSES: Mapping[str, Callable[[Loading], Suspect | str]] = {
    "too few workers": _workers,
    "samples asked for one by one": _fetched,
    "many tensors a batch": _packed,
    "Python objects in a batch": _arrayed,
    "new shared memory for each batch": _reused,
    "threads of the workers": _threads,
    "memory given back by malloc": _allocator,
    "workers started each epoch": _persistent,
    "how workers start": _start_method,
    "batches wait for a slower one": _in_order,
    "little prefetched": _prefetch,
    "pageable batches": _pinned,
}
