"""The known causes of slow loading: for each, whether the loader at hand may have it, and how it is taken away.

What cannot be applied to the loader is listed with the reason: nothing is claimed that was not run. A `possible_gain`
is the share of a pass that a change may save at most, by what the baseline's passes show: it decides what is tried
first.
"""

from collections.abc import Callable, Mapping

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.interventions import batches, workers
from loaderbench.benches.explain.interventions.intervention import Intervention, NotApplicableError
from loaderbench.reports.explain.explain_record import NotRun

Build = Callable[[str, Baseline], Intervention]

INTERVENTIONS: Mapping[str, Build] = {  # in the order in which changes are made together
    workers.TOO_FEW: workers.more_workers,
    workers.TOO_MANY: workers.fewer_workers,
    "samples requested one by one": batches.batched_indexing,
    "Python objects in a batch": batches.arrays_for_objects,
    batches.MANY_TENSORS: batches.packed_tensors,
    "new shared memory for each batch": batches.reused_memory,
    "threads in each worker": workers.one_thread_each,
    "memory returned by malloc": workers.kept_memory,
    "workers started in every epoch": workers.persistent_workers,
    "start method of the workers": workers.forked_workers,
    "batches wait for a slower one": batches.out_of_order,
    "few batches prefetched": batches.deeper_prefetching,
    "pageable batches": batches.pinned_memory,
    workers.ANY_WORKERS: workers.in_the_main_process,
}


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
