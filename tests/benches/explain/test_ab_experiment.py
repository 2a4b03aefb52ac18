"""What ``loaderbench explain`` records; what it decides is tested in tests/reports/explain."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Event
from time import monotonic
from typing import Any

import pytest
import torch
from torch.utils.data import IterableDataset

from loaderbench.benches.explain import ab_experiment as explaining
from loaderbench.benches.explain.ab_experiment import Budget, Experiment, explain
from loaderbench.benches.explain.baseline.baseline import Baseline, measure_baseline
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.explain.interventions import known
from loaderbench.benches.explain.interventions.intervention import TOGETHER, Intervention
from loaderbench.benches.explain.interventions.known import interventions_of
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.subject import Subject, subject_of
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.reports.explain.ab_schedule import MOST_BLOCKS
from loaderbench.reports.explain.explain_record import Explanation, PassBlock
from loaderbench.reports.explain.ranking import FEWEST_BLOCKS, rank

Made = Callable[..., Baseline]
CPU = Consumer(device=torch.device("cpu"))
ENOUGH_S = 1000.0


def explained(subject: Subject, baseline: Baseline, budget_s: float = ENOUGH_S) -> Explanation:
    return explain(subject, baseline.config, CPU, budget_s=budget_s, seed=1, command=("loaderbench", "explain"))


def test_an_explanation_holds_every_block_the_loader_and_its_memory(
    subject: Subject, baseline: Made, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """All of it is measured, in the processes that it is measured in; little of it, so that it takes little time."""
    tried = ("few batches prefetched", "workers started in every epoch", "pageable batches")
    monkeypatch.setattr(known, "INTERVENTIONS", {cause: known.INTERVENTIONS[cause] for cause in tried})
    monkeypatch.setattr("loaderbench.benches.explain.loader_memory.EPOCHS", 2)
    monkeypatch.setattr("loaderbench.reports.explain.ab_schedule.Schedule.most", FEWEST_BLOCKS)
    monkeypatch.setattr("loaderbench.benches.explain.observations.OBSERVERS", ())
    explanation = explained(subject, baseline())
    assert Counter(block.cause for block in explanation.blocks) >= Counter(dict.fromkeys(tried[:2], FEWEST_BLOCKS))
    assert [entry.cause for entry in explanation.not_run] == ["pageable batches"]
    assert explanation.loader == {
        "batch_size": 8, "shuffle": True, "num_workers": 1, "collate_fn": "default_collate",
    }  # fmt: skip
    assert (explanation.dataset.samples, explanation.dataset.samples_read) == (32, 32)
    assert set(explanation.time_shares) >= {"wait_fetch_s", "step_s"}
    assert explanation.memory is not None
    assert len(explanation.memory.readings.pss_bytes) == 3
    assert len(rank(explanation).interventions) >= 3


class Blocks:
    """Stands in for A/B passes: every block is ready at once, unless it is to raise.

    Every intervention takes half of the time but to do without workers; all of them together, a third.
    """

    def __init__(self, failing: str = "", error: BaseException | None = None, after: int = 0) -> None:
        self.failing, self.error, self.after = failing, error, after
        self.measured: list[str] = []

    def __call__(self, intervention: Intervention, *_: Any, **__: Any) -> PassBlock:
        cause = intervention.facts.cause
        self.measured.append(cause)
        if self.error and cause == (self.failing or cause) and len(self.measured) > self.after:
            raise self.error
        share = {"workers where none would do": 1.0, TOGETHER: 0.33}.get(cause, 0.5)
        return PassBlock(
            cause=cause, samples=32, with_cause_s=(1.0,), without_cause_s=(share + 0.001 * (len(self.measured) % 7),)
        )


@pytest.fixture
def unmeasured(baseline: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The baseline is made up, and nothing but blocks is measured."""
    monkeypatch.setattr(explaining, "measure_baseline", lambda *_, **__: baseline())
    monkeypatch.setattr(explaining, "observations_of", lambda *_, **__: [])
    monkeypatch.setattr(explaining, "loader_memory", lambda *_, **__: None)


def experiment(baseline: Baseline, budget_s: float = ENOUGH_S) -> Experiment:
    interventions, not_run = interventions_of(baseline)
    return Experiment(
        baseline=baseline,
        consumer=CPU,
        budget=Budget(seconds=budget_s, began=monotonic()),
        rng=random.Random(1),
        interventions={entry.facts.cause: entry for entry in interventions},
        not_run=not_run,
        facts={"seed": 1, **Explanation.head(started="", command=(), machine={})},
    )


def run(experiment: Experiment, interruption: Interruption | None = None) -> None:
    experiment.run(interruption or Interruption(), Progress.of_budget(experiment.budget.seconds))


def test_what_helped_is_measured_in_one_and_ranked_first(
    baseline: Made, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "block_in_child", Blocks())
    tried = experiment(baseline())
    run(tried)
    counts = Counter(block.cause for block in tried.blocks)
    assert (
        set(counts)
        == set(tried.interventions)
        == {*known.INTERVENTIONS, TOGETHER} - {entry.cause for entry in tried.not_run}
    )
    assert set(counts.values()) == {MOST_BLOCKS}
    best = rank(tried.explanation()).best
    assert best is not None
    assert best.cause == TOGETHER
    assert best.call.startswith("DataLoader(")


def test_with_no_time_nothing_is_tried_and_all_of_it_is_listed(
    baseline: Made, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "block_in_child", Blocks())
    tried = experiment(baseline(), budget_s=0.1)
    run(tried)
    assert tried.blocks == []
    reasons = {entry.reason for entry in rank(tried.explanation()).interventions if entry.cause in tried.interventions}
    assert reasons == {"not tried: the budget"}


def test_an_intervention_that_fails_was_not_run_and_keeps_no_block(
    baseline: Made, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = "many tensors in a batch"
    monkeypatch.setattr(explaining, "block_in_child", Blocks(cause, RuntimeError("it does not\nbear that"), after=8))
    tried = experiment(baseline())
    run(tried)
    assert cause not in {block.cause for block in tried.blocks}
    assert cause not in tried.interventions
    assert tried.not_run[-1].reason.startswith("it failed: RuntimeError: it does not bear that")


def test_ctrl_c_keeps_the_blocks_that_were_measured(
    subject: Subject, baseline: Made, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "block_in_child", Blocks(error=KeyboardInterrupt(), after=3))
    explanation = explained(subject, baseline())
    assert explanation.interrupted
    assert len(explanation.blocks) == 3
    assert explanation.memory is None
    assert rank(explanation).interventions[0].outcome == "unclear"


def test_a_loader_that_fails_as_ctrl_c_ended_its_workers_is_no_failed_intervention(
    baseline: Made, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    interruption = Interruption()

    def ended(*_: Any, **__: Any) -> None:
        interruption.happened = True
        raise RuntimeError("worker exited unexpectedly")

    monkeypatch.setattr(explaining, "block_in_child", ended)
    tried = experiment(baseline())
    with pytest.raises(KeyboardInterrupt):
        run(tried, interruption)
    assert "exited unexpectedly" not in str(tried.not_run)


def test_ctrl_c_while_memory_is_measured_keeps_all_blocks(
    subject: Subject, baseline: Made, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explaining, "block_in_child", Blocks())
    monkeypatch.setattr(explaining, "loader_memory", interrupt)
    explanation = explained(subject, baseline())
    assert explanation.interrupted
    assert set(Counter(block.cause for block in explanation.blocks).values()) == {MOST_BLOCKS}


def test_the_baseline_reads_every_batch_in_processes_of_its_own(
    subject: Subject, baseline: Made, no_leaks: None
) -> None:
    config = baseline(config={"num_workers": 1}).config
    read: list[Any] = []
    consumer = Consumer(device=torch.device("cpu"), step=read.append)
    measured = measure_baseline(subject, config, consumer, longest_s=60, left_s=lambda: 60.0)
    assert (measured.passes.batches, measured.passes.samples, measured.passes.is_cut) == (4, 32, False)
    assert measured.first_batch.batch.leaves.tensors == 1
    assert read == []


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


class Exhausted(IterableDataset[int]):
    def __init__(self) -> None:
        self.left = iter(range(64))

    def __iter__(self) -> Iterator[int]:
        return self.left


class Quitting(IterableDataset[int]):
    """Its second pass ends the program."""

    passes = 0

    def __iter__(self) -> Iterator[int]:
        self.passes += 1
        if self.passes > 1:
            raise SystemExit(3)
        return iter(range(8))


def stream(dataset: Any) -> Subject:
    """A stream that nobody has looked at."""
    return Subject(
        name="mine", dataset=dataset, source=dataset, properties=subject_of(Endless()).properties, collate_fns=()
    )


def test_a_pass_of_a_stream_without_end_is_cut(baseline: Made, no_leaks: None) -> None:
    config = baseline(config={"num_workers": 0, "shuffle": False}).config
    measured = measure_baseline(stream(Endless()), config, CPU, longest_s=0.01, left_s=lambda: 60.0)
    assert measured.passes.is_cut
    assert measured.passes.batches > 0


@pytest.mark.parametrize(
    ("dataset", "words"),
    [(Exhausted(), "must begin anew for every epoch"), (Quitting(), "mine: a pass: SystemExit: 3")],
    ids=["exhausted", "quits"],
)
def test_a_loader_that_cannot_be_read_twice_is_refused(
    baseline: Made, dataset: Any, words: str, no_leaks: None
) -> None:
    config = baseline(config={"num_workers": 0, "shuffle": False}).config
    with pytest.raises(RefusedError, match=words):
        measure_baseline(stream(dataset), config, CPU, longest_s=60, left_s=lambda: 60.0)


class Hanging(IterableDataset[int]):
    """A stream whose first sample never comes."""

    def __iter__(self) -> Iterator[int]:
        Event().wait()
        yield 0


def test_a_batch_that_the_budget_has_no_time_for_is_refused_in_a_line(
    baseline: Made, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    monkeypatch.setattr("loaderbench.benches.explain.baseline.baseline.LEAST_S", 0.0)
    config = baseline(config={"num_workers": 0, "shuffle": False}).config
    with pytest.raises(
        RefusedError, match=r"mine: its first batch took more than 0\.2 s, all that the budget has for it"
    ):
        measure_baseline(stream(Hanging()), config, CPU, longest_s=60, left_s=lambda: 0.2)
