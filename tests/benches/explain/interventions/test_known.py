"""Which causes a loader may have: which interventions apply, what they change, and why the others do not."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch.utils.data import IterableDataset, default_collate

from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.baseline.batch_facts import ConstantObjects
from loaderbench.benches.explain.interventions.intervention import Intervention
from loaderbench.benches.explain.interventions.known import INTERVENTIONS, interventions_of
from loaderbench.benches.harness.loading.subject import DatasetChoice, subject_of
from loaderbench.datasets.recipes.transport import Packed, Reused
from loaderbench.datasets.recipes.worker_init import InTurn, one_thread

Made = Callable[..., Baseline]
PITFALLS = "loaderbench.datasets.synthetic.pitfalls"


def applied(baseline: Baseline, cause: str) -> Intervention:
    (only,) = (entry for entry in interventions_of(baseline)[0] if entry.facts.cause == cause)
    return only


def reason(baseline: Baseline, cause: str) -> str:
    (only,) = (entry.reason for entry in interventions_of(baseline)[1] if entry.cause == cause)
    return only


def test_every_cause_is_either_applied_or_has_a_reason(baseline: Made) -> None:
    interventions, not_run = interventions_of(baseline())
    causes = [*(entry.facts.cause for entry in interventions), *(entry.cause for entry in not_run)]
    assert sorted(causes) == sorted(INTERVENTIONS)
    assert all(entry.facts.evidence and entry.facts.change for entry in interventions)
    assert all(entry.reason for entry in not_run)


def test_without_workers_only_the_number_of_workers_can_be_changed(baseline: Made) -> None:
    interventions, not_run = interventions_of(baseline(config={"num_workers": 0}))
    assert [entry.facts.cause for entry in interventions] == ["too few workers"]
    assert interventions[0].without_cause.num_workers == 2
    reasons = {entry.cause: entry.reason for entry in not_run}
    assert "num_workers is 0" in reasons["many tensors in a batch"]


@pytest.mark.parametrize(
    ("cause", "changed"),
    [
        ("too few workers", {"num_workers": 2}),
        ("few batches prefetched", {"prefetch_factor": 8}),
        ("workers where none would do", {"num_workers": 0, "multiprocessing_context": None, "timeout": 0}),
        ("start method of the workers", {"multiprocessing_context": "fork"}),
        ("workers started in every epoch", {"persistent_workers": True}),
    ],
)
def test_an_intervention_changes_its_argument_and_no_other(
    baseline: Made, cause: str, changed: Mapping[str, Any]
) -> None:
    intervention = applied(baseline(config={"multiprocessing_context": "spawn"}), cause)
    names = type(intervention.with_cause).__dataclass_fields__
    differing = {
        name: getattr(intervention.without_cause, name)
        for name in names
        if getattr(intervention.with_cause, name) != getattr(intervention.without_cause, name)
    }
    assert differing == changed


def test_what_is_paid_for_each_batch_is_compared_with_running_workers(baseline: Made) -> None:
    interventions, _ = interventions_of(baseline())
    per_batch = [entry for entry in interventions if not entry.facts.keeps_workers]
    assert all(entry.with_cause.persistent_workers and entry.without_cause.persistent_workers for entry in per_batch)


def test_reused_memory_builds_on_packed_tensors_with_the_cause_too(baseline: Made) -> None:
    reused = applied(baseline(), "new shared memory for each batch")
    assert reused.facts.builds_on == "many tensors in a batch"
    assert isinstance(reused.with_cause.collate_fn, Packed)
    assert isinstance(reused.without_cause.collate_fn, Reused)


def test_one_tensor_is_not_packed(baseline: Made) -> None:
    assert reason(baseline(batch=torch.arange(8)), "many tensors in a batch") == "a batch has 1 tensor"


def test_objects_in_lists_are_replaced_by_constant_arrays(baseline: Made) -> None:
    intervention = applied(baseline(batch={"names": ["a", "b"], "x": torch.arange(2)}), "Python objects in a batch")
    assert isinstance(intervention.without_cause.collate_fn, ConstantObjects)
    assert "2 strings" in intervention.facts.evidence


def test_constant_arrays_are_sent_with_each_batch_s_own_tensors() -> None:
    collate = ConstantObjects(lambda samples: {"names": [f"name {samples}"], "x": torch.tensor(samples)})
    constant, (first,) = collate([1, 2])
    again, (second,) = collate([3, 4])
    assert again is constant
    assert (first.tolist(), second.tolist()) == ([1, 2], [3, 4])


def test_a_dataset_that_can_be_indexed_by_a_list_is_asked_for_whole_batches(baseline: Made) -> None:
    subject = DatasetChoice(samples="all").subject(f"{PITFALLS}:Indexable")
    made = baseline(subject=subject, config={"num_workers": 0}, cpus=0, first_batch={"indexes_batches": True})
    intervention = applied(made, "samples requested one by one")
    first = next(iter(intervention.without_cause.build(subject.dataset)))
    assert [len(part) for part in first] == [8, 8]


class Numbers(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(100))


def test_a_stream_is_not_indexed_and_its_slots_are_enough_for_workers_that_end_one_by_one(baseline: Made) -> None:
    stream = baseline(subject=subject_of(Numbers()), config={"shuffle": False, "num_workers": 2})
    assert reason(stream, "samples requested one by one") == "a stream has no indices"
    assert "slots=5" in applied(stream, "new shared memory for each batch").facts.change  # 2 in flight, 2 workers, 1


def test_pinning_is_tried_only_where_an_accelerator_takes_the_batches(baseline: Made) -> None:
    there = {"has_accelerator": True}
    assert reason(baseline(), "pageable batches") == "no accelerator here"
    assert reason(baseline(first_batch=there), "pageable batches") == "batches stay on the CPU"
    assert applied(baseline(first_batch=there, device="cuda"), "pageable batches").without_cause.pin_memory


@pytest.mark.parametrize(("workers", "fewer"), [(2, 1), (5, 2), (9, 2)])
def test_fewer_workers_are_half_or_as_many_as_there_are_cpus(baseline: Made, workers: int, fewer: int) -> None:
    tried = applied(baseline(config={"num_workers": workers}, cpus=2 if workers > 2 else 8), "too many workers")
    assert tried.without_cause.num_workers == fewer


def test_a_dataset_with_set_epoch_has_a_caveat_beside_workers_that_live_on(baseline: Made) -> None:
    cause = "workers started in every epoch"
    assert "do not see a later set_epoch" in applied(baseline(first_batch={"sets_epoch": True}), cause).facts.caveat
    assert applied(baseline(), cause).facts.caveat == ""


def test_a_worker_does_what_its_user_has_it_do_before_what_is_tried(baseline: Made) -> None:
    called: list[int] = []
    made = baseline(config={"worker_init_fn": called.append})
    init = applied(made, "threads in each worker").without_cause.worker_init_fn
    assert isinstance(init, InTurn)
    assert init.functions == (called.append, one_thread)


def test_what_costs_most_of_a_pass_promises_most(baseline: Made) -> None:
    shares = {"time_shares": {"wait_transport_s": 0.9}, "making_share": 0.05, "blocked_share": 0.0}
    small = interventions_of(baseline(passes=shares))[0]
    assert max(small, key=lambda entry: entry.facts.possible_gain).facts.cause == "workers where none would do"
    blocked = {"making_share": 1.9, "blocked_share": 0.6, "start_s": 0.0}
    slow = baseline(passes=blocked, config={"num_workers": 2})
    assert max(interventions_of(slow)[0], key=lambda entry: entry.facts.possible_gain).facts.cause == (
        "batches wait for a slower one"
    )


def test_promises_are_shares_of_a_pass_that_was_measured(baseline: Made) -> None:
    """What sending takes is split by what of it packing, arrays and used memory save."""
    waits = {"wait_transport_s": 0.6, "wait_begin_s": 0.1, "wait_fetch_s": 0.1, "step_s": 0.2}
    batch = {"names": ["a", "b"], "x": torch.arange(2), "y": torch.arange(2)}
    passes = {"time_shares": waits, "making_share": 0.3, "other_threads_share": 0.5}
    interventions, _ = interventions_of(baseline(batch=batch, passes=passes, config={"num_workers": 4}))
    possible_gains = {entry.facts.cause: round(entry.facts.possible_gain, 9) for entry in interventions}
    assert possible_gains == {
        "too many workers": 0.35,  # half of them
        "Python objects in a batch": 0.06,
        "many tensors in a batch": 0.3,
        "new shared memory for each batch": 0.24,
        "threads in each worker": 0.1,
        "memory returned by malloc": 0.1,
        "workers started in every epoch": 0.5,
        "batches wait for a slower one": 0.1,
        "few batches prefetched": 0.2,
        "workers where none would do": 0.7,
    }


@pytest.mark.parametrize(
    ("passes", "batches"),
    [
        ({"time_shares": {"wait_fetch_s": 0.8, "step_s": 0.2}}, 64),  # twice the 8 batches that each of 4 workers makes
        ({"time_shares": {"wait_fetch_s": 1.0}, "blocked_share": 0.2}, 64),
        ({"time_shares": {"wait_fetch_s": 1.0}, "blocked_share": 0.0}, 0),
    ],
    ids=["a step", "a slower batch", "neither"],
)
def test_passes_that_show_what_prefetching_saves_make_all_that_is_prefetched_twice(
    baseline: Made, passes: dict[str, Any], batches: int
) -> None:
    slow = baseline(passes=passes, config={"num_workers": 4})
    assert applied(slow, "few batches prefetched").facts.fewest_batches == batches


@pytest.mark.parametrize(
    ("config", "timeout_s"), [({"timeout": 7.0}, 7.0), ({"num_workers": 0, "timeout": 0}, 5.0)], ids=["own", "none"]
)
def test_more_workers_wait_as_long_as_the_user_said(baseline: Made, config: dict[str, Any], timeout_s: float) -> None:
    assert applied(baseline(config=config, timeout_s=5.0), "too few workers").without_cause.timeout == timeout_s


class Strict(dict[str, Any]):
    """A container that nothing but its own maker can build."""

    def update(self, *_: Any, **__: Any) -> None:
        raise TypeError("made by collate alone")


def test_a_batch_that_cannot_be_put_together_again_is_not_packed(baseline: Made) -> None:
    strict = Strict(a=torch.arange(2), b=torch.arange(2))
    for cause in ("many tensors in a batch", "new shared memory for each batch"):
        assert "cannot be put together again: TypeError: made by collate alone" in reason(baseline(batch=strict), cause)


def test_lists_of_numbers_are_named_beside_the_many_tensors_that_they_become(
    baseline: Made,
) -> None:
    batch = default_collate([{"ids": list(range(16)), "mask": [1] * 16, "label": 0}] * 4)
    cause = "many tensors in a batch"
    evidence = applied(baseline(batch=batch), cause).facts.evidence
    assert "33 tensors in a batch, each sent by itself; 32 of them are" in evidence
    others = [torch.zeros(4, 2)] * 9
    assert applied(baseline(batch=others), cause).facts.evidence == "9 tensors in a batch, each sent by itself"
