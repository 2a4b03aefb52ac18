"""Two loaders read in turns: what is recorded of a block, and what is left behind."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from loaderbench.benches.explain.ab_passes import SHORT_PASS, block_in_child, measure_block, turns_of
from loaderbench.benches.explain.baseline.baseline import Baseline
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.explain.interventions.intervention import Intervention
from loaderbench.benches.explain.interventions.known import interventions_of
from loaderbench.benches.harness.loading.case_loader import cut
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.system.child import ChildError
from loaderbench.benches.harness.system.devices import available
from loaderbench.reports.explain.ab_schedule import PassPlan

Made = Callable[..., Baseline]
CPU = Consumer(device=torch.device("cpu"))
TURNS = ["with", "without", "without", "with"]


def intervention(baseline: Baseline, cause: str) -> Intervention:
    (only,) = (entry for entry in interventions_of(baseline)[0] if entry.facts.cause == cause)
    return only


def test_the_order_of_a_pair_is_drawn_and_reversed_for_the_next() -> None:
    firsts = set()
    for seed in range(20):
        turns = turns_of(3, random.Random(seed))
        pairs = [turns[begin : begin + 2] for begin in range(0, len(turns), 2)]
        assert len(pairs) == 3
        assert pairs[1] == pairs[0][::-1]
        firsts.add(turns[0])
    assert firsts == {"with", "without"}


@pytest.mark.parametrize(
    ("cause", "batches_a_pass"), [("workers started in every epoch", SHORT_PASS), ("few batches prefetched", 3)]
)
def test_a_block_has_every_pass_of_both_loaders(
    baseline: Made, no_leaks: None, cause: str, batches_a_pass: int
) -> None:
    """Where only the start of workers matters a pass is short; else it has the batches of the plan."""
    batches: list[int] = []
    consumer = Consumer(device=torch.device("cpu"), step=lambda batch: batches.append(len(batch)))
    plan = PassPlan(batches=3, batch_samples=8, pairs=2)
    block = measure_block(intervention(baseline(), cause), baseline().subject, consumer, plan, TURNS)
    assert block.cause == cause
    assert len(block.with_cause_s) == len(block.without_cause_s) == 2
    assert len(batches) == (2 + 4) * batches_a_pass


def test_a_block_is_measured_in_a_process_that_makes_the_step(baseline: Made, no_leaks: None, tmp_path: Path) -> None:
    made = tmp_path / "made"

    def make_step() -> Callable[[Any], Any]:
        made.write_text(str(os.getpid()))
        return len

    consumer = Consumer(device=torch.device("cpu"), make_step=make_step)
    block = block_in_child(
        intervention(baseline(), "few batches prefetched"), baseline().subject, consumer,
        PassPlan(batches=2, batch_samples=8, pairs=2), TURNS, timeout_s=60,
    )  # fmt: skip
    assert len(block.without_cause_s) == 2
    assert int(made.read_text()) != os.getpid()


def test_a_block_that_takes_too_long_is_ended(baseline: Made, no_leaks: None) -> None:
    tried = intervention(baseline(), "few batches prefetched")
    consumer = Consumer(device=torch.device("cpu"), step=lambda _: time.sleep(60))
    with pytest.raises(ChildError, match="not done after 1 s"):
        block_in_child(
            tried, baseline().subject, consumer, PassPlan(batches=2, batch_samples=8, pairs=2), TURNS, timeout_s=1
        )


def test_a_pass_reads_so_many_samples_and_no_more_than_there_are(subject: Subject, baseline: Made) -> None:
    config = baseline().config
    assert [len(cut(subject, config, samples)[0].dataset) for samples in (24, 72)] == [24, 32]  # type: ignore[arg-type]


@pytest.mark.skipif(len(available()) == 1, reason="no accelerator here")
def test_batches_are_pinned_where_an_accelerator_takes_them(baseline: Made) -> None:
    device = available()[-1]
    tried = intervention(baseline(device=device, first_batch={"has_accelerator": True}), "pageable batches")
    consumer, plan = Consumer(device=torch.device(device)), PassPlan(batches=2, batch_samples=8, pairs=2)
    block = measure_block(tried, baseline().subject, consumer, plan, TURNS)
    assert len(block.without_cause_s) == 2
