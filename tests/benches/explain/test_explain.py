"""What ``loaderbench explain`` records; what it decides is tested in tests/reports/explain."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from loaderbench.benches.explain import explain as explaining
from loaderbench.benches.explain import interventions as known
from loaderbench.benches.explain import memory_growth
from loaderbench.benches.explain.ab_passes import PAIRS
from loaderbench.benches.explain.baseline import Baseline, measure_baseline
from loaderbench.benches.explain.consumer import Consumer
from loaderbench.benches.explain.explain import Experiment, explain
from loaderbench.benches.explain.interventions import interventions_of
from loaderbench.benches.harness.interruption import Interruption
from loaderbench.benches.harness.subject import Subject
from loaderbench.reports.explain.ranking import FEWEST_BLOCKS, rank
from loaderbench.reports.explain.record import Explanation, PassBlock

Made = Callable[..., Baseline]
CPU = Consumer(device=torch.device("cpu"))


def explained(subject: Subject, baseline: Baseline) -> Explanation:
    return explain(subject, baseline.config, CPU, budget_s=0.0, seed=1, command=("loaderbench", "explain"))


def test_an_explanation_holds_every_block_the_loader_and_its_memory(
    subject: Subject, baseline: Made, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    tried = ("few batches prefetched", "workers started in every epoch", "pageable batches")
    monkeypatch.setattr(known, "INTERVENTIONS", {cause: known.INTERVENTIONS[cause] for cause in tried})
    monkeypatch.setattr(memory_growth, "EPOCHS", 2)
    explanation = explained(subject, baseline())
    assert Counter(block.cause for block in explanation.blocks) == dict.fromkeys(tried[:2], FEWEST_BLOCKS)
    assert {len(block.control_s) for block in explanation.blocks} == {PAIRS}
    assert [entry.cause for entry in explanation.not_run] == ["pageable batches"]
    assert explanation.loader == {
        "batch_size": 8, "shuffle": True, "num_workers": 1, "collate_fn": "default_collate",
    }  # fmt: skip
    assert (explanation.dataset.samples, explanation.dataset.samples_read) == (32, 32)
    assert set(explanation.time_shares) >= {"wait_fetch_s", "step_s"}
    assert explanation.memory is not None
    assert len(explanation.memory.readings.pss_bytes) == 3
    assert len(rank(explanation).interventions) == 3


class Blocks:
    """Stands in for A/B passes: every block is ready at once, unless it is to raise."""

    def __init__(self, failing: str = "", error: BaseException | None = None, after: int = 0) -> None:
        self.failing, self.error, self.after = failing, error, after
        self.measured: list[str] = []

    def __call__(self, intervention: known.Intervention, *_: Any) -> PassBlock:
        cause = intervention.facts.cause
        self.measured.append(cause)
        if self.error and cause == (self.failing or cause) and len(self.measured) > self.after:
            raise self.error
        return PassBlock(cause=cause, control_s=(1.0,), treatment_s=(0.5,))


def experiment(baseline: Baseline) -> Experiment:
    interventions, not_run = interventions_of(baseline)
    return Experiment(
        subject=baseline.subject,
        consumer=CPU,
        rng=random.Random(1),
        interventions={entry.facts.cause: entry for entry in interventions},
        not_run=not_run,
    )


def test_an_intervention_that_fails_was_not_run_and_keeps_no_block(
    baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = "many tensors in a batch"
    monkeypatch.setattr(explaining, "measure_block", Blocks(cause, RuntimeError("it does not\nbear that"), after=8))
    tried = experiment(baseline())
    tried.run(0.0, Interruption())
    assert cause not in {block.cause for block in tried.blocks}
    assert cause not in tried.interventions
    assert tried.not_run[-1].reason == "it failed: RuntimeError: it does not bear that"


def test_ctrl_c_keeps_the_blocks_that_were_measured(
    subject: Subject, baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "measure_baseline", lambda *_: baseline())
    monkeypatch.setattr(explaining, "measure_block", Blocks(error=KeyboardInterrupt(), after=3))
    explanation = explained(subject, baseline())
    assert explanation.interrupted
    assert len(explanation.blocks) == 3
    assert explanation.memory is None
    assert rank(explanation).interventions[0].outcome == "unclear"


def test_a_loader_that_fails_as_ctrl_c_ended_its_workers_is_no_failed_intervention(
    baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "measure_block", Blocks(error=RuntimeError("worker exited unexpectedly"), after=2))
    interruption = Interruption()
    interruption.happened = True
    tried = experiment(baseline())
    with pytest.raises(KeyboardInterrupt):
        tried.run(0.0, interruption)
    assert "exited unexpectedly" not in str(tried.not_run)


def test_ctrl_c_while_memory_is_measured_keeps_all_blocks(
    subject: Subject, baseline: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explaining, "measure_baseline", lambda *_: baseline())
    monkeypatch.setattr(explaining, "measure_block", Blocks())
    monkeypatch.setattr(explaining, "loader_memory", interrupt)
    explanation = explained(subject, baseline())
    assert explanation.interrupted
    assert set(Counter(block.cause for block in explanation.blocks).values()) == {FEWEST_BLOCKS}


def test_the_baseline_gives_every_batch_to_the_step(subject: Subject, baseline: Made, no_leaks: None) -> None:
    batches: list[Any] = []
    config = baseline(config={"num_workers": 0}).config
    measured = measure_baseline(subject, config, Consumer(device=torch.device("cpu"), step=batches.append))
    assert len(batches) == 4
    assert measured.samples == 32
    assert measured.leaves.tensors == 1
