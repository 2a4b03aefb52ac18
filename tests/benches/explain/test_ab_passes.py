"""Two loaders read in turns: what is recorded of a block, and what is left behind."""

import random
from collections.abc import Callable

import pytest
import torch

from loaderbench.benches.explain.ab_passes import PAIRS, SHORT_PASS, _short, _turns, measure_block
from loaderbench.benches.explain.baseline import Baseline
from loaderbench.benches.explain.consumer import Consumer
from loaderbench.benches.explain.interventions import interventions_of
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system.devices import available

Made = Callable[..., Baseline]


def test_the_order_of_a_pair_is_drawn_and_reversed_for_the_next() -> None:
    firsts = set()
    for seed in range(20):
        turns = _turns(["control", "treatment"], random.Random(seed))
        pairs = [turns[begin : begin + 2] for begin in range(0, len(turns), 2)]
        assert len(pairs) == PAIRS
        assert pairs[1] == pairs[0][::-1]
        firsts.add(turns[0])
    assert firsts == {"control", "treatment"}


@pytest.mark.parametrize("cause", ["workers started in every epoch", "new shared memory for each batch"])
def test_a_block_has_every_pass_of_both_loaders(baseline: Made, no_leaks: None, cause: str) -> None:
    (intervention,) = (entry for entry in interventions_of(baseline())[0] if entry.facts.cause == cause)
    batches: list[int] = []
    consumer = Consumer(device=torch.device("cpu"), step=lambda batch: batches.append(len(batch)))
    block = measure_block(intervention, baseline().subject, consumer, random.Random(1))
    assert block.cause == cause
    assert len(block.control_s) == len(block.treatment_s) == PAIRS
    batches_a_pass = SHORT_PASS if intervention.facts.once_per_epoch else 4
    assert len(batches) == 2 * (1 + PAIRS) * batches_a_pass


def test_where_only_the_start_matters_a_pass_is_short(subject: Subject, baseline: Made) -> None:
    assert len(_short(subject, {"control": baseline().config})[0].dataset) == SHORT_PASS * 8  # type: ignore[arg-type]


@pytest.mark.skipif(len(available()) == 1, reason="no accelerator here")
def test_batches_are_pinned_where_an_accelerator_takes_them(baseline: Made) -> None:
    device = available()[-1]
    interventions = interventions_of(baseline(device=device))[0]
    (intervention,) = (entry for entry in interventions if entry.facts.cause == "pageable batches")
    block = measure_block(intervention, baseline().subject, Consumer(device=torch.device(device)), random.Random(1))
    assert len(block.treatment_s) == PAIRS
