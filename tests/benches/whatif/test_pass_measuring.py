"""What ``loaderbench whatif`` measures; what it predicts is tested in tests/reports/whatif."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from torch.utils.data import Dataset, IterableDataset

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject, subject_of
from loaderbench.benches.whatif import pass_measuring as measuring
from loaderbench.benches.whatif.pass_measuring import (
    FewAtFirst,
    PassMeasuring,
    whatif,
)
from loaderbench.datasets.synthetic.known_cost import Hanging, Sleeping
from loaderbench.reports.whatif import pass_schedule
from loaderbench.reports.whatif.pass_choice import cost_passes
from loaderbench.reports.whatif.pass_schedule import LoaderPass, PassSchedule
from loaderbench.reports.whatif.prediction import Question
from loaderbench.reports.whatif.simulation import Scenario
from loaderbench.reports.whatif.whatif_record import WhatIf

CONFIG = LoaderConfig(shuffle=True, pin_memory=True)
QUESTION = Question(scenarios=(Scenario(num_workers=4, cpus=64, step_s=0.002),), batch_sizes=(8,))


@pytest.fixture(autouse=True)
def one_round_on_two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest passes, of as many samples in every round."""
    monkeypatch.setattr(pass_schedule, "ROUNDS", 1)
    monkeypatch.setattr(pass_schedule, "LONGEST_PASS_S", 0.0)
    monkeypatch.setattr(measuring.machine, "usable_cpus", lambda: 2)


def predicted(subject: Subject, question: Question = QUESTION, budget_s: float = 600.0) -> WhatIf:
    return whatif(subject, CONFIG, question, budget_s=budget_s, seed=1, command=("loaderbench", "whatif"))


class CountsReads(Dataset[int]):
    """Samples that know how many were read in the process that asks."""

    reads = 0

    def __len__(self) -> int:
        return 128

    def __getitem__(self, index: int) -> int:
        type(self).reads += 1
        return index


def test_every_held_out_pass_is_measured_and_predicted_and_no_sample_is_read_in_this_process(no_leaks: None) -> None:
    subject = subject_of(CountsReads())
    CountsReads.reads = 0
    result = predicted(subject)
    assert CountsReads.reads == 0
    cases = {(held_out.num_workers, held_out.batch_size) for held_out in result.held_out}
    assert cases == {(workers, size) for workers in (0, 1, 2) for size in (4, 16)} | {(2, 8)}
    assert {len(held_out.rounds_s) for held_out in result.held_out} == {1}
    assert all(held_out.batches == 4 for held_out in result.held_out)
    assert (result.rounds, result.samples, result.interrupted) == (1, 128, False)
    assert (result.not_measured, result.not_simulated) == ((), ("pin_memory=True",))
    assert [prediction.scenario for prediction in result.predictions] == list(QUESTION.scenarios)
    assert len(result.workers_needed) == 1


def pass_measuring(subject: Subject, budget_s: float = 600.0) -> PassMeasuring:
    schedule = PassSchedule(
        passes=(*cost_passes([2, 8], cpus=2), LoaderPass(purpose="held out", num_workers=0, batch_size=4)),
        dataset_samples=32,
        budget_s=budget_s,
        rng=random.Random(1),
    )
    return PassMeasuring(subject=subject, config=CONFIG, schedule=schedule)


def passes_until(monkeypatch: pytest.MonkeyPatch, number: int, then: type[BaseException]) -> None:
    """So many passes are read; `then` is raised in place of the next one."""
    real, numbers = measuring.in_child, count()

    def in_child(work: Any, **limits: Any) -> Any:
        if next(numbers) == number:
            raise then
        return real(work, **limits)

    monkeypatch.setattr(measuring, "in_child", in_child)


def test_ctrl_c_keeps_the_rounds_that_were_complete(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    monkeypatch.setattr(pass_schedule, "ROUNDS", 2)
    passes_until(monkeypatch, 2 * 9, KeyboardInterrupt)
    measured = pass_measuring(subject)
    measured.run()
    assert measured.interrupted
    assert len(measured.costs) == 1
    assert [len(held_out.rounds_s) for held_out in measured.held_out] == [1]


def test_ctrl_c_before_the_first_round_has_nothing_to_keep(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    passes_until(monkeypatch, 0, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        pass_measuring(subject).run()


def test_costs_that_there_is_no_time_for_are_refused_with_the_option(subject: Subject) -> None:
    with pytest.raises(RefusedError, match="--budget: 0.s of it were left to measure .*: give more"):
        pass_measuring(subject, budget_s=-1.0).run()


def test_a_dataset_that_hangs_is_given_up_when_the_budget_ends(no_leaks: None) -> None:
    """Its workers hang; this process does not."""
    with pytest.raises(RefusedError, match="--budget: 1.s of it were left"):
        pass_measuring(subject_of(Hanging(32, 5)), budget_s=1.0).run()


class Numbers(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(100))


def test_a_stream_is_refused() -> None:
    with pytest.raises(RefusedError, match="a stream cannot be predicted"):
        predicted(subject_of(Numbers()))


def test_a_dataset_of_too_few_batches_is_refused(subject: Subject) -> None:
    question = Question(scenarios=QUESTION.scenarios, batch_sizes=(16,))
    with pytest.raises(RefusedError, match="has 32 samples: to predict batch_size=16 takes 4 batches"):
        predicted(subject, question)


def test_one_batch_size_tells_nothing_of_others() -> None:
    few = subject_of(Sleeping(samples=10, sleep_s=0.0))
    question = Question(scenarios=QUESTION.scenarios, batch_sizes=(1,))
    with pytest.raises(RefusedError, match="has 10 samples: to predict batch_size=1 takes 16, as batches of 4 are"):
        predicted(few, question)


def test_a_pass_that_raises_is_refused_in_one_line() -> None:

    def collate(_: list[int]) -> int:
        raise ValueError("it does not fit")

    with pytest.raises(RefusedError, match="a pass: ValueError: it does not fit .one of samples"):
        whatif(
            subject_of(Sleeping(64, 0.0)),
            replace(CONFIG, collate_fn=collate),
            QUESTION,
            budget_s=600.0,
            seed=1,
            command=(),
        )


def test_a_first_pass_is_short_and_passes_of_one_round_begin_with_the_same_samples() -> None:
    short, long = (FewAtFirst(range(100), few=4, most=most, seed=7) for most in (8, 32))
    assert [len(list(sampler)) for sampler in (short, long)] == [4, 4]
    assert list(short) == list(long)[:8]
    assert len(long) == 32
    assert list(FewAtFirst(range(100), few=4, most=8, seed=8)) != list(FewAtFirst(range(100), few=4, most=8, seed=7))


def test_passes_of_a_loader_that_does_not_shuffle_are_read_in_order() -> None:
    sampler = FewAtFirst(range(100), few=4, most=8, seed=None)
    assert [list(sampler), list(sampler)] == [[0, 1, 2, 3], list(range(8))]
