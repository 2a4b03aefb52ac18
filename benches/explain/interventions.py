"""The interventions: for each known cause of slow loading, the same loader without it.

What cannot be applied to the loader at hand is listed with the reason: nothing is claimed that was not run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.batches import ConstantObjects, indexes_batches, refusal_to_rebuild, whole_batches
from loaderbench.benches.explain.loaders import TIMEOUT_S
from loaderbench.benches.harness.failures.wording import reason
from loaderbench.benches.harness.loader import LoaderConfig, worker_init
from loaderbench.benches.harness.system.devices import available
from loaderbench.datasets.pytree import LeafCounts, count_leaves
from loaderbench.datasets.recipes.transport import Packed, Reused, to_arrays
from loaderbench.datasets.recipes.worker_init import keep_memory, one_thread, thread_pools
from loaderbench.reports.explain.record import InterventionFacts, NotRun
from loaderbench.reports.units import quantity

DEEPER = 4  # times the prefetch_factor
FEW_TENSORS = 2  # of a batch: fewer are not worth packing
MANY_TENSORS = "many tensors in a batch"


class NotApplicableError(Exception):
    """An intervention cannot be applied to this loader; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervention:
    """One cause removed: the loader with it (control) and without it (treatment)."""

    facts: InterventionFacts
    control: LoaderConfig
    treatment: LoaderConfig


Build = Callable[[str, Baseline], Intervention]


def interventions_of(baseline: Baseline) -> tuple[list[Intervention], list[NotRun]]:
    """Return the interventions that can be applied to the loader, and why the others cannot."""
    applicable: list[Intervention] = []
    not_run: list[NotRun] = []
    for cause, build in INTERVENTIONS.items():
        try:
            applicable.append(build(cause, baseline))
        except NotApplicableError as refusal:
            not_run.append(NotRun(cause=cause, reason=str(refusal)))
    return applicable, not_run


def _running(config: LoaderConfig) -> LoaderConfig:
    """Return the loader with workers that live on: what is compared is then passes, not starts."""
    return replace(config, persistent_workers=config.num_workers > 0)


def _per_batch(
    baseline: Baseline, facts: InterventionFacts, *, control: Mapping[str, Any] | None = None, **treatment: Any
) -> Intervention:
    """Return an intervention that changes arguments; `control` are those that both loaders have changed."""
    config = _running(replace(baseline.config, **(control or {})))
    return Intervention(facts=facts, control=config, treatment=_running(replace(config, **treatment)))


def _require_workers(baseline: Baseline, otherwise: str = "no workers") -> None:
    if not baseline.config.num_workers:
        raise NotApplicableError(f"{otherwise}: num_workers is 0")


def _require_rebuildable(baseline: Baseline) -> None:
    if refusal := refusal_to_rebuild(baseline.batch):
        raise NotApplicableError(f"a batch cannot be put together again: {refusal}")


NO_TRANSPORT = "nothing crosses from a worker"


def _more_workers(cause: str, baseline: Baseline) -> Intervention:
    evidence = f"num_workers is {baseline.config.num_workers}, and {baseline.cpus} CPUs can be used"
    if baseline.config.num_workers >= baseline.cpus:
        raise NotApplicableError(evidence)
    facts = InterventionFacts(cause=cause, evidence=evidence, change=f"num_workers={baseline.cpus}")
    return _per_batch(baseline, facts, num_workers=baseline.cpus, timeout=TIMEOUT_S)


def _batched_indexing(cause: str, baseline: Baseline) -> Intervention:
    dataset, config = baseline.subject.dataset, baseline.config
    if baseline.subject.is_stream:
        raise NotApplicableError("a stream has no indices")
    if not indexes_batches(dataset, baseline.collate_fn):
        if callable(getattr(baseline.subject.source, "__getitems__", None)):  # a Subset always has it
            raise NotApplicableError("it has __getitems__ already")
        raise NotApplicableError("dataset[[0, 1, …]] is not what collate_fn makes of those samples")
    if config.sampler is not None or config.batch_sampler is not None:
        raise NotApplicableError("the sampler is the user's own")
    size = config.batch_size or 1
    facts = InterventionFacts(
        cause=cause,
        evidence=f"dataset[[0, 1, …]] is a batch; the loader indexes it {size} times instead",
        change="sampler=BatchSampler(RandomSampler(dataset), batch_size, drop_last), batch_size=None, collate_fn=None",
    )
    sampler = partial(whole_batches, shuffle=config.shuffle, size=size, drop_last=config.drop_last)
    treatment: dict[str, Any] = {"batch_size": None, "shuffle": False, "drop_last": False, "collate_fn": None}
    return _per_batch(baseline, facts, sampler=sampler, **treatment)


def _packed_tensors(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, NO_TRANSPORT)
    if baseline.leaves.tensors < FEW_TENSORS:
        raise NotApplicableError(f"a batch has {baseline.leaves.tensors} tensor")
    _require_rebuildable(baseline)
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{baseline.leaves.tensors} tensors in a batch, each sent by itself",
        change="collate_fn=Packed(collate_fn), of loaderbench.datasets.recipes.transport; or return one tensor of "
        "each dtype",
    )
    return _per_batch(baseline, facts, collate_fn=Packed(baseline.collate_fn))


def _arrays_for_objects(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, NO_TRANSPORT)
    objects = _objects(baseline.leaves)
    if not objects:
        raise NotApplicableError("a batch has none")
    try:
        left = _objects(count_leaves(to_arrays(baseline.batch)))
    except (TypeError, ValueError) as error:
        raise NotApplicableError(f"its lists cannot become arrays: {reason(error)}") from error
    if objects <= left:
        raise NotApplicableError(f"the {objects} of a batch are in no lists")
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{baseline.leaves.strings} strings and {baseline.leaves.objects} other objects in a batch, each "
        "pickled by itself",
        change="return arrays (the time to make them is not counted here). Arrayed(collate_fn), of "
        "loaderbench.datasets.recipes.transport, makes arrays of a batch's lists",
    )
    return _per_batch(baseline, facts, collate_fn=ConstantObjects(baseline.collate_fn))


def _objects(leaves: LeafCounts) -> int:
    """Return how many leaves are neither tensors nor arrays."""
    return leaves.objects + leaves.strings


def _reused_memory(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, NO_TRANSPORT)
    if not baseline.leaves.tensors:
        raise NotApplicableError("a batch has no tensors")
    _require_rebuildable(baseline)
    extra = baseline.config.num_workers + 1 if baseline.subject.is_stream else 2
    slots = baseline.prefetch_factor + extra
    is_packed = baseline.leaves.tensors >= FEW_TENSORS  # what packing saves is another cause's
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{quantity(baseline.leaves.bytes, 'bytes')} in a batch, in new files of shared memory",
        change=f"collate_fn=Reused(collate_fn, slots={slots}), of loaderbench.datasets.recipes.transport, and "
        "persistent_workers=True; copy a batch that you keep",
        builds_on=MANY_TENSORS if is_packed else "",
    )
    control = {"collate_fn": Packed(baseline.collate_fn)} if is_packed else {}
    return _per_batch(baseline, facts, control=control, collate_fn=Reused(baseline.collate_fn, slots))


def _one_thread(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, "no workers that would share the CPUs")
    pools = {name: threads for name, threads in thread_pools().items() if threads > 1}
    if not pools:
        raise NotApplicableError("every thread pool has one thread")
    threads = ", ".join(f"{name} {threads}" for name, threads in pools.items())
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{baseline.config.num_workers} workers × threads of {threads}, on {baseline.cpus} CPUs",
        change="worker_init_fn=one_thread, of loaderbench.datasets.recipes.worker_init; or "
        "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
    )
    return _per_batch(baseline, facts, worker_init_fn=worker_init(baseline.config.worker_init_fn, one_thread))


def _kept_memory(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, "it would change this process for good")
    facts = InterventionFacts(
        cause=cause,
        evidence="malloc returns freed memory to the system, and every page of it faults when it is used again",
        change="worker_init_fn=keep_memory, of loaderbench.datasets.recipes.worker_init; or "
        "MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864",
    )
    return _per_batch(baseline, facts, worker_init_fn=worker_init(baseline.config.worker_init_fn, keep_memory))


def _persistent_workers(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    if baseline.config.persistent_workers:
        raise NotApplicableError("persistent_workers is on already")
    facts = InterventionFacts(
        cause=cause,
        evidence="persistent_workers is off",
        change="persistent_workers=True",
        once_per_epoch=True,
        keeps_workers=True,
    )
    return Intervention(facts=facts, control=baseline.config, treatment=_running(baseline.config))


def _forked_workers(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    method = str(baseline.config.multiprocessing_context or torch.multiprocessing.get_start_method())
    if method == "fork":
        raise NotApplicableError("workers are forked already")
    if "fork" not in torch.multiprocessing.get_all_start_methods():
        raise NotApplicableError("this system cannot fork")
    if baseline.config.persistent_workers:
        raise NotApplicableError(f"workers start once, by {method}")
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{method}: each worker imports torch, and is sent the dataset",
        change='multiprocessing_context="fork", before any thread and CUDA is started',
        once_per_epoch=True,
    )
    treatment = replace(baseline.config, multiprocessing_context="fork")
    return Intervention(facts=facts, control=baseline.config, treatment=treatment)


def _out_of_order(cause: str, baseline: Baseline) -> Intervention:
    if baseline.config.num_workers < 2:  # noqa: PLR2004 - one worker's batches have one order
        raise NotApplicableError(f"num_workers is {baseline.config.num_workers}")
    if not baseline.config.in_order:
        raise NotApplicableError("in_order is off already")
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{baseline.blocked_share:.0%} of a pass is waiting while a later batch is ready",
        change="in_order=False: batches come as they are ready, not as the sampler drew them",
    )
    return _per_batch(baseline, facts, in_order=False)


def _deeper_prefetching(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    factor = baseline.prefetch_factor
    facts = InterventionFacts(
        cause=cause,
        evidence=f"prefetch_factor is {factor}: up to {factor * baseline.config.num_workers} batches are made ahead",
        change=f"prefetch_factor={DEEPER * factor}",
    )
    return _per_batch(baseline, facts, prefetch_factor=DEEPER * factor)


def _pinned_memory(cause: str, baseline: Baseline) -> Intervention:
    if len(available()) == 1:
        raise NotApplicableError("no accelerator here")
    if baseline.device == "cpu":
        raise NotApplicableError("batches stay on the CPU")
    if baseline.config.pin_memory:
        raise NotApplicableError("pin_memory is on already")
    facts = InterventionFacts(
        cause=cause,
        evidence="batches are copied to the device from pageable memory",
        change="pin_memory=True, and batch.to(device, non_blocking=True)",
    )
    return _per_batch(baseline, facts, pin_memory=True)


INTERVENTIONS: Mapping[str, Build] = {
    "too few workers": _more_workers,
    "samples requested one by one": _batched_indexing,
    MANY_TENSORS: _packed_tensors,
    "Python objects in a batch": _arrays_for_objects,
    "new shared memory for each batch": _reused_memory,
    "threads in each worker": _one_thread,
    "memory returned by malloc": _kept_memory,
    "workers started in every epoch": _persistent_workers,
    "start method of the workers": _forked_workers,
    "batches wait for a slower one": _out_of_order,
    "few batches prefetched": _deeper_prefetching,
    "pageable batches": _pinned_memory,
}
