"""The known causes of slow loading: for each, whether the loader at hand may have it, and how it is taken away.

What cannot be applied to the loader is listed with the reason: nothing is claimed that was not run. A `promise` is a
first guess, from the baseline, of the share of a pass that a change may save: it decides what is tried first.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch.multiprocessing import get_all_start_methods, get_start_method

from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.batches import ConstantObjects, WholeBatches, loader_call
from loaderbench.benches.explain.interventions import (
    Change,
    Intervention,
    NotApplicableError,
    no_workers,
    per_batch,
    replacing,
    running,
)
from loaderbench.benches.explain.loaders import TIMEOUT_S
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.datasets.recipes.transport import Arrayed, Packed, Reused
from loaderbench.datasets.recipes.worker_init import InTurn, keep_memory, one_thread
from loaderbench.reports.explain.record import InterventionFacts, NotRun
from loaderbench.reports.units import percent, quantity

DEEPER = 4  # times the prefetch_factor
FEW_TENSORS = 2  # of a batch: fewer are not worth packing
MANY = 100  # tensors or objects in a batch: their number surely matters
LARGE_BYTES = 4e6  # of a batch: its memory surely matters
TOO_FEW, TOO_MANY, ANY_WORKERS = "too few workers", "too many workers", "workers where none would do"
MANY_TENSORS, NEW_MEMORY = "many tensors in a batch", "new shared memory for each batch"
NO_TRANSPORT = "nothing crosses from a worker"

Build = Callable[[str, Baseline], Intervention]


def interventions_of(baseline: Baseline) -> tuple[list[Intervention], list[NotRun]]:
    """Return the interventions that can be applied to the loader, and why the others cannot."""
    applicable: list[Intervention] = []
    not_run: list[NotRun] = []
    for cause, build in CAUSES.items():
        try:
            applicable.append(build(cause, baseline))
        except NotApplicableError as refusal:
            not_run.append(NotRun(cause=cause, reason=str(refusal)))
    return applicable, not_run


def _require_workers(baseline: Baseline, otherwise: str = "no workers") -> None:
    if not baseline.config.num_workers:
        raise NotApplicableError(f"{otherwise}: num_workers is 0")


def _require_rebuildable(baseline: Baseline) -> None:
    if refusal := baseline.look.batch.not_rebuilt:
        raise NotApplicableError(f"a batch cannot be put together again: {refusal}")


def _more_workers(cause: str, baseline: Baseline) -> Intervention:
    workers = baseline.config.num_workers
    evidence = f"num_workers is {workers}, and {baseline.cpus} CPUs can be used"
    if workers >= baseline.cpus:
        raise NotApplicableError(evidence)
    return per_batch(
        baseline,
        replacing(num_workers=baseline.cpus, timeout=TIMEOUT_S),
        needs_workers=False,
        excludes=(TOO_MANY, ANY_WORKERS),
        cause=cause,
        evidence=evidence,
        change=f"num_workers={baseline.cpus}",
        promise=baseline.waits("begin", "fetch", "collate") * (1 - max(1, workers) / max(2, baseline.cpus)),
    )


def _fewer_workers(cause: str, baseline: Baseline) -> Intervention:
    workers = baseline.config.num_workers
    if workers < 2:  # noqa: PLR2004 - fewer than one is none, which is another intervention
        raise NotApplicableError(f"num_workers is {workers}")
    fewer = baseline.cpus if workers > baseline.cpus else workers // 2
    return per_batch(
        baseline,
        replacing(num_workers=fewer),
        excludes=(TOO_FEW, ANY_WORKERS),
        cause=cause,
        evidence=f"num_workers is {workers}, and {baseline.cpus} CPUs can be used",
        change=f"num_workers={fewer}",
        promise=0.5 * _saved_without_workers(baseline),
    )


def _without_workers(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    facts = InterventionFacts(
        cause=cause,
        evidence=f"making the batches takes {percent(baseline.passes.making_share)} of a pass, over all workers",
        change="num_workers=0",
        call=loader_call(no_workers(baseline.config)),
        promise=_saved_without_workers(baseline),
        keeps_workers=not baseline.config.persistent_workers,
    )
    return Intervention(
        facts=facts,
        control=baseline.config,
        change=no_workers,
        advised=no_workers,
        needs_workers=False,
        excludes=(TOO_FEW, TOO_MANY),
    )


def _saved_without_workers(baseline: Baseline) -> float:
    """Return what making batches in the main process may save of a pass.

    What workers made side by side is then made in turn; nothing is sent, and no worker is waited for.
    """
    in_turn = 1 - baseline.passes.making_share - baseline.step_share
    return max(in_turn, 0.5 * baseline.waits("begin", "transport", "loop"), 0.0)


def _batched_indexing(cause: str, baseline: Baseline) -> Intervention:
    config = baseline.config
    if baseline.subject.is_stream:
        raise NotApplicableError("a stream has no indices")
    if not baseline.look.indexes_batches:
        if baseline.subject.is_batched:
            raise NotApplicableError("it has __getitems__ already")
        raise NotApplicableError("dataset[[0, 1, …]] is not what collate_fn makes of those samples")
    if config.sampler is not None or config.batch_sampler is not None:
        raise NotApplicableError("the sampler is the user's own")
    size = config.batch_size or 1
    change = replacing(
        sampler=WholeBatches(size, config.shuffle, config.drop_last),
        batch_size=None,
        shuffle=False,
        drop_last=False,
        collate_fn=None,
    )
    return per_batch(
        baseline,
        change,
        needs_workers=False,
        cause=cause,
        evidence=f"dataset[[0, 1, …]] is a batch; the loader indexes it {size} times instead",
        change="sampler=BatchSampler(RandomSampler(dataset), batch_size, drop_last), batch_size=None, collate_fn=None",
        promise=baseline.waits("fetch", "collate") * (1 - 1 / size),
    )


def _packing(config: LoaderConfig) -> LoaderConfig:
    return replace(config, collate_fn=Packed(config.batch_fn))


def _packed_tensors(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, NO_TRANSPORT)
    tensors = baseline.look.batch.leaves.tensors
    if tensors < FEW_TENSORS:
        raise NotApplicableError(f"a batch has {tensors} tensor")
    _require_rebuildable(baseline)
    return per_batch(
        baseline,
        _packing,
        cause=cause,
        evidence=f"{tensors} tensors in a batch, each sent by itself",
        change="collate_fn=Packed(collate_fn), of loaderbench.datasets.recipes.transport; or return one tensor of "
        "each dtype",
        promise=_sending(baseline) * min(1.0, tensors / MANY),
    )


def _sending(baseline: Baseline) -> float:
    """Return the share of a pass that sending batches may take: memory for them is taken while they are collated."""
    return baseline.waits("transport") + 0.5 * baseline.waits("collate", "loop")


def _arrays_for_objects(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, NO_TRANSPORT)
    batch = baseline.look.batch
    if not batch.objects:
        raise NotApplicableError("a batch has none")
    if batch.not_to_arrays:
        raise NotApplicableError(f"its lists cannot become arrays: {batch.not_to_arrays}")
    if batch.objects <= batch.objects_left:
        raise NotApplicableError(f"the {batch.objects} of a batch are in no lists")
    return per_batch(
        baseline,
        lambda config: replace(config, collate_fn=ConstantObjects(config.batch_fn)),
        advised=lambda config: replace(config, collate_fn=Arrayed(config.batch_fn)),
        cause=cause,
        evidence=f"{batch.leaves.strings} strings and {batch.leaves.objects} other objects in a batch, each pickled by "
        "itself",
        change="return arrays (the time to make them is not counted here). Arrayed(collate_fn), of "
        "loaderbench.datasets.recipes.transport, makes arrays of a batch's lists",
        promise=_sending(baseline) * min(1.0, batch.objects / MANY),
    )


def _reused_memory(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, NO_TRANSPORT)
    leaves = baseline.look.batch.leaves
    if not leaves.tensors:
        raise NotApplicableError("a batch has no tensors")
    _require_rebuildable(baseline)
    slots = baseline.prefetch_factor + (baseline.config.num_workers + 1 if baseline.subject.is_stream else 2)
    is_packed = leaves.tensors >= FEW_TENSORS  # what packing saves is another cause's
    return per_batch(
        baseline,
        lambda config: replace(config, collate_fn=Reused(_unpacked(config.batch_fn), slots)),
        advised=lambda config: replace(running(config), collate_fn=Reused(_unpacked(config.batch_fn), slots)),
        control={"collate_fn": Packed(baseline.config.batch_fn)} if is_packed else None,
        excludes=(MANY_TENSORS,),
        cause=cause,
        evidence=f"{quantity(leaves.bytes, 'bytes')} in a batch, in new files of shared memory",
        change=f"collate_fn=Reused(collate_fn, slots={slots}), of loaderbench.datasets.recipes.transport, and "
        "persistent_workers=True",
        caveat="Memory that is used again is overwritten: copy a batch that you keep.",
        builds_on=MANY_TENSORS if is_packed else "",
        promise=_sending(baseline) * min(1.0, leaves.bytes / LARGE_BYTES),
    )


def _unpacked(collate_fn: Callable[..., object]) -> Callable[..., object]:
    return collate_fn.collate_fn if isinstance(collate_fn, Packed) else collate_fn


def _initialising(function: Callable[[int], None]) -> Change:
    """Return the change that has each worker call `function` too, after what its user has it call."""

    def change(config: LoaderConfig) -> LoaderConfig:
        own = config.worker_init_fn
        if own is None:
            return replace(config, worker_init_fn=function)
        functions = own.functions if isinstance(own, InTurn) else (own,)
        return replace(config, worker_init_fn=InTurn(*functions, function))

    return change


def _one_thread(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, "no workers that would share the CPUs")
    pools = {name: threads for name, threads in baseline.look.thread_pools.items() if threads > 1}
    if not pools:
        raise NotApplicableError("every thread pool has one thread")
    threads = ", ".join(f"{name} {threads}" for name, threads in pools.items())
    return per_batch(
        baseline,
        _initialising(one_thread),
        cause=cause,
        evidence=f"{baseline.config.num_workers} workers × threads of {threads}, on {baseline.cpus} CPUs",
        change="worker_init_fn=one_thread, of loaderbench.datasets.recipes.worker_init; or "
        "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
        promise=baseline.waits("fetch", "collate") * baseline.passes.other_threads_share,
    )


def _kept_memory(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline, "it would change this process for good")
    return per_batch(
        baseline,
        _initialising(keep_memory),
        cause=cause,
        evidence="malloc returns freed memory to the system, and every page of it faults when it is used again: "
        f"{percent(baseline.passes.faults_share)} of a pass, by the number of faults",
        change="worker_init_fn=keep_memory, of loaderbench.datasets.recipes.worker_init; or "
        "MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864",
        promise=baseline.passes.faults_share,
    )


def _persistent_workers(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    if baseline.config.persistent_workers:
        raise NotApplicableError("persistent_workers is on already")
    facts = InterventionFacts(
        cause=cause,
        evidence="persistent_workers is off",
        change="persistent_workers=True",
        call=loader_call(running(baseline.config)),
        caveat=EPOCH_CAVEAT if baseline.look.sets_epoch else "",
        once_per_epoch=True,
        keeps_workers=True,
        promise=baseline.start_share,
    )
    return Intervention(facts=facts, control=baseline.config, change=running, advised=running)


EPOCH_CAVEAT = (
    "The dataset has set_epoch: workers that live on keep the copy of the dataset that they started with, and never "
    "hear of a later epoch, unless it is kept in shared memory (a torch tensor after share_memory_(), for example)."
)


def _forked_workers(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    method = str(baseline.config.multiprocessing_context or get_start_method())
    if method == "fork":
        raise NotApplicableError("workers are forked already")
    if "fork" not in get_all_start_methods():
        raise NotApplicableError("this system cannot fork")
    if baseline.config.persistent_workers:
        raise NotApplicableError(f"workers start once, by {method}")
    change = replacing(multiprocessing_context="fork")
    facts = InterventionFacts(
        cause=cause,
        evidence=f"{method}: each worker imports torch, and is sent the dataset",
        change='multiprocessing_context="fork", before any thread and CUDA is started',
        call=loader_call(change(baseline.config)),
        once_per_epoch=True,
        promise=0.9 * baseline.start_share,
    )
    return Intervention(facts=facts, control=baseline.config, change=change, advised=change)


def _out_of_order(cause: str, baseline: Baseline) -> Intervention:
    if baseline.config.num_workers < 2:  # noqa: PLR2004 - one worker's batches have one order
        raise NotApplicableError(f"num_workers is {baseline.config.num_workers}")
    if not baseline.config.in_order:
        raise NotApplicableError("in_order is off already")
    return per_batch(
        baseline,
        replacing(in_order=False),
        cause=cause,
        evidence=f"{percent(baseline.passes.blocked_share)} of a pass is waiting while a later batch is ready",
        change="in_order=False",
        caveat="Batches come as they are ready, not as the sampler drew them.",
        promise=baseline.passes.blocked_share,
    )


def _deeper_prefetching(cause: str, baseline: Baseline) -> Intervention:
    _require_workers(baseline)
    factor = baseline.prefetch_factor
    waits = baseline.waits("begin", "fetch", "collate", "transport")
    return per_batch(
        baseline,
        replacing(prefetch_factor=DEEPER * factor),
        cause=cause,
        evidence=f"prefetch_factor is {factor}: up to {factor * baseline.config.num_workers} batches are made ahead",
        change=f"prefetch_factor={DEEPER * factor}",
        promise=min(waits, baseline.step_share),
    )


def _pinned_memory(cause: str, baseline: Baseline) -> Intervention:
    if not baseline.look.has_accelerator:
        raise NotApplicableError("no accelerator here")
    if baseline.device == "cpu":
        raise NotApplicableError("batches stay on the CPU")
    if baseline.config.pin_memory:
        raise NotApplicableError("pin_memory is on already")
    return per_batch(
        baseline,
        replacing(pin_memory=True),
        needs_workers=False,
        cause=cause,
        evidence="batches are copied to the device from pageable memory",
        change="pin_memory=True, and batch.to(device, non_blocking=True)",
        promise=baseline.step_share * min(1.0, baseline.look.batch.leaves.bytes / LARGE_BYTES),
    )


CAUSES: Mapping[str, Build] = {  # in the order in which changes are made together
    TOO_FEW: _more_workers,
    TOO_MANY: _fewer_workers,
    "samples requested one by one": _batched_indexing,
    "Python objects in a batch": _arrays_for_objects,
    MANY_TENSORS: _packed_tensors,
    NEW_MEMORY: _reused_memory,
    "threads in each worker": _one_thread,
    "memory returned by malloc": _kept_memory,
    "workers started in every epoch": _persistent_workers,
    "start method of the workers": _forked_workers,
    "batches wait for a slower one": _out_of_order,
    "few batches prefetched": _deeper_prefetching,
    "pageable batches": _pinned_memory,
    ANY_WORKERS: _without_workers,
}
