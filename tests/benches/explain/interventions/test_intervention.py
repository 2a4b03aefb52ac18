"""Several interventions in one: which go together, in which order, and what they are compared with."""

from collections.abc import Callable, Sequence

import pytest
import torch

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.interventions.intervention import Intervention, together
from loaderbench.benches.explain.interventions.known import INTERVENTIONS, interventions_of

Made = Callable[..., Baseline]
OBJECTS, TENSORS, MEMORY = "Python objects in a batch", "many tensors in a batch", "new shared memory for each batch"
NONE, RESTARTED = "workers where none would do", "workers started in every epoch"
THREADS, MALLOC = "threads in each worker", "memory returned by malloc"


def combined(baseline: Baseline, *helping: str) -> Intervention | None:
    by_cause = {entry.facts.cause: entry for entry in interventions_of(baseline)[0]}
    gains = [(by_cause[cause], 0.5 - 0.04 * place) for place, cause in enumerate(helping)]
    return together(baseline, gains, list(INTERVENTIONS))


@pytest.mark.parametrize(
    ("helping", "chosen"),
    [
        ((MEMORY, TENSORS, THREADS), (MEMORY, THREADS)),
        ((NONE, MEMORY), None),
        ((NONE, TENSORS, RESTARTED), (TENSORS, RESTARTED)),
        ((MALLOC,), None),
        ((), None),
    ],
    ids=["reused memory is packed", "no workers save more", "workers save more with two changes", "one", "none"],
)
def test_those_are_taken_that_may_save_most_together(
    baseline: Made, helping: Sequence[str], chosen: tuple[str, ...] | None
) -> None:
    combination = combined(baseline(), *helping)
    assert (combination and combination.facts.combines) == chosen


def test_every_change_is_made_and_written_as_one_call(baseline: Made) -> None:
    batch = {"names": ["a", "b"], "x": torch.arange(2), "y": torch.arange(2)}
    combination = combined(baseline(batch=batch), THREADS, TENSORS, OBJECTS, MALLOC, "too few workers")
    assert combination is not None
    assert combination.facts.call == (
        "DataLoader(\n    dataset,\n    batch_size=8,\n    shuffle=True,\n    num_workers=2,\n"
        "    collate_fn=Packed(Arrayed(default_collate)),\n    worker_init_fn=InTurn(one_thread, keep_memory),\n)"
    )
    assert combination.with_cause.num_workers == 1
    assert combination.without_cause.persistent_workers


def test_where_workers_are_to_live_on_the_loader_is_compared_as_it_is(baseline: Made) -> None:
    combination = combined(baseline(first_batch={"sets_epoch": True}), RESTARTED, MALLOC)
    assert combination is not None
    assert (combination.with_cause.persistent_workers, combination.without_cause.persistent_workers) == (False, True)
    assert combination.facts.keeps_workers
    assert "set_epoch" in combination.facts.caveat
