"""Interventions on how batches are made, sent and delivered."""

from collections.abc import Callable
from dataclasses import replace

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.baseline.batch_facts import ConstantObjects, WholeBatches
from loaderbench.benches.explain.interventions.intervention import (
    Intervention,
    NotApplicableError,
    per_batch,
    replacing,
    require_workers,
    running,
)
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.datasets.recipes.transport import FEW_TENSORS, Arrayed, Packed, Reused, fewest_slots
from loaderbench.reports.stats.conventions import MARGIN
from loaderbench.reports.units import count, percent, quantity

DEEPER = 4  # times the prefetch_factor
REFILLS = 2  # times that all that is prefetched is made, in a pass that shows what it saves
MANY_TENSORS = "many tensors in a batch"
NO_TRANSPORT = "no batch is sent by a worker"


def batched_indexing(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: a whole batch of indices in one call; raises NotApplicableError."""
    config = baseline.config
    if baseline.subject.is_stream:
        raise NotApplicableError("a stream has no indices")
    if not baseline.first_batch.indexes_batches:
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
        possible_gain=baseline.making_wait * (1 - 1 / size),
    )


def _packing(config: LoaderConfig) -> LoaderConfig:
    return replace(config, collate_fn=Packed(config.batch_fn))


def packed_tensors(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: the tensors of a batch packed; raises NotApplicableError."""
    require_workers(baseline, NO_TRANSPORT)
    tensors = baseline.first_batch.batch.leaves.tensors
    if tensors < FEW_TENSORS:
        raise NotApplicableError(f"a batch has {count(tensors, 'tensor')}")
    _require_rebuildable(baseline)
    evidence = f"{tensors} tensors in a batch, each sent by itself"
    if transposed := baseline.first_batch.batch.transposed:
        evidence += (
            f"; {transposed} of them are what torch's collate function makes of lists of numbers, one for each place "
            "in a list: return an array or a tensor in the place of a list"
        )
    return per_batch(
        baseline,
        _packing,
        cause=cause,
        evidence=evidence,
        change="collate_fn=Packed(collate_fn), of loaderbench.datasets.recipes.transport; or return one tensor of "
        "each dtype",
        possible_gain=baseline.sending_wait * baseline.first_batch.sending.by_packing,
    )


def arrays_for_objects(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: arrays in place of a batch's Python objects; raises NotApplicableError."""
    require_workers(baseline, NO_TRANSPORT)
    batch = baseline.first_batch.batch
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
        possible_gain=baseline.sending_wait * baseline.first_batch.sending.by_arrays,
    )


def reused_memory(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: shared memory that is used again; raises NotApplicableError."""
    require_workers(baseline, NO_TRANSPORT)
    leaves = baseline.first_batch.batch.leaves
    if not leaves.tensors:
        raise NotApplicableError("a batch has no tensors")
    _require_rebuildable(baseline)
    workers, is_stream = baseline.config.num_workers, baseline.subject.is_stream
    slots = fewest_slots(baseline.prefetch_factor, workers, is_stream=is_stream)
    is_packed = leaves.tensors >= FEW_TENSORS  # what packing saves is another cause's
    return per_batch(
        baseline,
        lambda config: replace(config, collate_fn=Reused(_unpacked(config.batch_fn), slots)),
        advised=lambda config: replace(running(config), collate_fn=Reused(_unpacked(config.batch_fn), slots)),
        in_both={"collate_fn": Packed(baseline.config.batch_fn)} if is_packed else None,
        excludes=(MANY_TENSORS,),
        cause=cause,
        evidence=f"{quantity(leaves.bytes, 'bytes')} in a batch, in new files of shared memory",
        change=f"collate_fn=Reused(collate_fn, slots={slots}), of loaderbench.datasets.recipes.transport, and "
        "persistent_workers=True",
        caveat="Memory that is used again is overwritten: copy a batch that you keep.",
        builds_on=MANY_TENSORS if is_packed else "",
        possible_gain=baseline.sending_wait * baseline.first_batch.sending.by_used_memory,
    )


def _unpacked(collate_fn: Callable[..., object]) -> Callable[..., object]:
    return collate_fn.collate_fn if isinstance(collate_fn, Packed) else collate_fn


def out_of_order(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: batches as they are ready; raises NotApplicableError."""
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
        possible_gain=baseline.passes.blocked_share,
    )


def deeper_prefetching(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: more batches prefetched; raises NotApplicableError."""
    require_workers(baseline)
    factor, workers = baseline.prefetch_factor, baseline.config.num_workers
    waits = baseline.making_wait + baseline.waits("transport")
    possible_gain = min(waits, max(baseline.step_share, baseline.passes.blocked_share))
    return per_batch(
        baseline,
        replacing(prefetch_factor=DEEPER * factor),
        cause=cause,
        evidence=f"prefetch_factor is {factor}: up to {factor * workers} batches are made ahead",
        change=f"prefetch_factor={DEEPER * factor}",
        possible_gain=possible_gain,
        fewest_batches=REFILLS * DEEPER * factor * workers if possible_gain >= MARGIN else 0,
    )


def pinned_memory(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: pinned memory; raises NotApplicableError."""
    if not baseline.first_batch.has_accelerator:
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
        possible_gain=baseline.step_share,
    )


def _require_rebuildable(baseline: Baseline) -> None:
    if refusal := baseline.first_batch.batch.not_rebuilt:
        raise NotApplicableError(f"a batch cannot be put together again: {refusal}")
