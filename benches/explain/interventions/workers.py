"""Interventions on the workers: how many there are, how they start, their threads and their memory."""

from collections.abc import Callable
from dataclasses import replace

from torch.multiprocessing import get_all_start_methods, get_start_method

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.baseline.loader_call import loader_call
from loaderbench.benches.explain.interventions.intervention import (
    Change,
    Intervention,
    NotApplicableError,
    per_batch,
    replacing,
    require_workers,
    running,
)
from loaderbench.benches.harness.loading.loader import without_workers, worker_init
from loaderbench.datasets.recipes.worker_init import keep_memory, one_thread
from loaderbench.reports.explain.explain_record import InterventionFacts
from loaderbench.reports.units import count, percent

TOO_FEW, TOO_MANY, ANY_WORKERS = "too few workers", "too many workers", "workers where none would do"


def more_workers(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: as many workers as there are CPUs; raises NotApplicableError."""
    workers = baseline.config.num_workers
    evidence = f"num_workers is {workers}, and {baseline.cpus} CPUs can be used"
    if workers >= baseline.cpus:
        raise NotApplicableError(evidence)
    timeout_s = baseline.config.timeout if workers else baseline.timeout_s  # a loader without workers has none
    return per_batch(
        baseline,
        replacing(num_workers=baseline.cpus, timeout=timeout_s),
        needs_workers=False,
        excludes=(TOO_MANY, ANY_WORKERS),
        cause=cause,
        evidence=evidence,
        change=f"num_workers={baseline.cpus}",
        possible_gain=baseline.making_wait * (1 - max(1, workers) / max(2, baseline.cpus)),
    )


def fewer_workers(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: half of the workers, or as many as there are CPUs; raises NotApplicableError."""
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
        possible_gain=(1 - fewer / workers) * _saved_without_workers(baseline),
    )


def in_the_main_process(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: no workers; raises NotApplicableError."""
    require_workers(baseline)
    facts = InterventionFacts(
        cause=cause,
        evidence=f"making the batches takes {percent(baseline.passes.making_share)} of a pass, over all workers",
        change="num_workers=0",
        call=loader_call(without_workers(baseline.config)),
        possible_gain=_saved_without_workers(baseline),
        keeps_workers=not baseline.config.persistent_workers,
    )
    return Intervention(
        facts=facts,
        with_cause=baseline.config,
        change=without_workers,
        advised=without_workers,
        needs_workers=False,
        excludes=(TOO_FEW, TOO_MANY),
    )


def _saved_without_workers(baseline: Baseline) -> float:
    """Return what making batches in the main process may save of a pass.

    What workers made side by side is then made in turn; nothing is sent, and no worker is waited for.
    """
    in_turn = 1 - baseline.passes.making_share - baseline.step_share
    return max(in_turn, baseline.waits("begin", "transport", "loop"))


def _initialising(function: Callable[[int], None]) -> Change:
    """Return the change that has each worker call `function` too, after what its user has it call."""
    return lambda config: replace(config, worker_init_fn=worker_init(config.worker_init_fn, function))


def one_thread_each(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: one thread in each worker; raises NotApplicableError."""
    require_workers(baseline, "no workers that would share the CPUs")
    pools = {name: threads for name, threads in baseline.first_batch.thread_pools.items() if threads > 1}
    if not pools:
        raise NotApplicableError("every thread pool has one thread")
    threads = ", ".join(f"{name} {threads}" for name, threads in pools.items())
    return per_batch(
        baseline,
        _initialising(one_thread),
        cause=cause,
        evidence=f"{count(baseline.config.num_workers, 'worker')} × threads of {threads}, on {baseline.cpus} CPUs",
        change="worker_init_fn=one_thread, of loaderbench.datasets.recipes.worker_init; or "
        "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
        possible_gain=baseline.making_wait * baseline.passes.other_threads_share,
    )


def kept_memory(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: a malloc that keeps freed memory; raises NotApplicableError."""
    require_workers(baseline, "it would change this process for good")
    return per_batch(
        baseline,
        _initialising(keep_memory),
        cause=cause,
        evidence="malloc returns freed memory to the system, and every page of it faults when it is used again: "
        f"{percent(baseline.passes.faults_share)} of a pass, by the number of faults",
        change="worker_init_fn=keep_memory, of loaderbench.datasets.recipes.worker_init; or "
        "MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864",
        possible_gain=baseline.passes.faults_share,
    )


def persistent_workers(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: persistent workers; raises NotApplicableError."""
    require_workers(baseline)
    if baseline.config.persistent_workers:
        raise NotApplicableError("persistent_workers is on already")
    facts = InterventionFacts(
        cause=cause,
        evidence="persistent_workers is off",
        change="persistent_workers=True",
        call=loader_call(running(baseline.config)),
        caveat=EPOCH_CAVEAT if baseline.first_batch.sets_epoch else "",
        once_per_epoch=True,
        keeps_workers=True,
        possible_gain=baseline.start_share,
    )
    return Intervention(facts=facts, with_cause=baseline.config, change=running, advised=running)


EPOCH_CAVEAT = (
    "The dataset has set_epoch: persistent workers keep the copy of the dataset that they started with, and do not see "
    "a later set_epoch, unless the epoch is in shared memory (a torch tensor after share_memory_(), for example)."
)


def forked_workers(cause: str, baseline: Baseline) -> Intervention:
    """Return the intervention: workers that are forked; raises NotApplicableError."""
    require_workers(baseline)
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
        possible_gain=baseline.start_share,
    )
    return Intervention(facts=facts, with_cause=baseline.config, change=change, advised=change)
