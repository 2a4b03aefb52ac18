"""What ``loaderbench whatif`` measures; what it predicts is tested in tests/reports/explain."""

from collections.abc import Iterator
from typing import Any

import pytest
from torch.utils.data import IterableDataset, default_collate

from loaderbench.benches.explain import whatif as measuring
from loaderbench.benches.explain.whatif import Survey, cost_sizes, held_out_cases, whatif
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.subject import DatasetChoice, Subject, subject_of
from loaderbench.reports.explain.prediction import Question
from loaderbench.reports.explain.simulation import Scenario
from loaderbench.reports.explain.whatif_record import WhatIf

QUESTION = Question(scenarios=(Scenario(num_workers=4, cpus=64, step_s=0.002),), batch_sizes=(8,))


@pytest.fixture(scope="module")
def two_rounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "ROUNDS", 2)
        patch.setattr(measuring.machine, "usable_cpus", lambda: 2)
        yield


def predicted(subject: Subject, question: Question = QUESTION) -> WhatIf:
    return whatif(subject, default_collate, question, seed=1, command=("loaderbench", "whatif"))


def test_every_held_out_pass_is_measured_in_every_round_and_predicted(
    two_rounds: None, subject: Subject, no_leaks: None
) -> None:
    result = predicted(subject)
    cases = {(held_out.num_workers, held_out.batch_size) for held_out in result.held_out}
    assert cases == {(workers, size) for workers in (0, 1, 2) for size in (4, 16)} | {(2, 8)}
    assert {len(held_out.rounds_s) for held_out in result.held_out} == {2}
    assert all(held_out.batches == 32 // held_out.batch_size for held_out in result.held_out)
    assert (result.rounds, result.samples, result.interrupted) == (2, 32, False)
    assert [prediction.scenario for prediction in result.predictions] == list(QUESTION.scenarios)
    assert len(result.workers_needed) == 1


def survey(subject: Subject) -> Survey:
    return Survey(
        subject=subject,
        collate_fn=default_collate,
        cost_sizes=(2, 8),
        held_out=((0, 4),),
        rng=measuring.random.Random(1),
    )


def interrupted_in(monkeypatch: pytest.MonkeyPatch, round_: int) -> None:
    """Ctrl-C comes in the middle of this round; the discarded one is round 0."""
    whole = measuring.trace_pass
    passes = iter(range(1000))

    def trace_pass(loader: Any) -> Any:
        if next(passes) // 2 == round_:
            raise KeyboardInterrupt
        return whole(loader)

    monkeypatch.setattr(measuring, "trace_pass", trace_pass)


def test_ctrl_c_keeps_the_rounds_that_were_complete(
    two_rounds: None, subject: Subject, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    interrupted_in(monkeypatch, 2)
    measured = survey(subject)
    measured.run()
    assert measured.interrupted
    assert len(measured.costs) == 1
    assert [len(held_out.rounds_s) for held_out in measured.measured] == [1]


def test_ctrl_c_before_the_first_round_has_nothing_to_keep(
    two_rounds: None, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_in(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        survey(subject).run()


class Numbers(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(100))


def test_a_stream_is_refused() -> None:
    with pytest.raises(RefusedError, match="a stream cannot be predicted"):
        predicted(subject_of(Numbers()))


def test_a_dataset_of_too_few_batches_is_refused(subject: Subject) -> None:
    question = Question(scenarios=QUESTION.scenarios, batch_sizes=(16,))
    with pytest.raises(RefusedError, match="32 samples are not 3 batches of 16"):
        predicted(subject, question)


def test_a_pass_that_raises_is_refused_in_one_line(two_rounds: None) -> None:
    choice = DatasetChoice(dataset_args='{"samples": 64, "sleep_s": 0}', samples="all")
    broken = choice.subject("loaderbench.datasets.synthetic.known_cost:Sleeping")

    def collate(_: list[int]) -> int:
        raise ValueError("it does not fit")

    with pytest.raises(RefusedError, match="a pass raised ValueError: it does not fit"):
        whatif(broken, collate, QUESTION, seed=1, command=())


@pytest.mark.parametrize(
    ("asked", "sizes"), [((32,), (8, 32)), ((8, 32, 128), (8, 32)), ((1,), (1, 4)), ((2,), (1, 2))]
)
def test_costs_are_measured_at_the_middle_batch_size_and_a_smaller_one(
    asked: tuple[int, ...], sizes: tuple[int, int]
) -> None:
    assert cost_sizes(asked) == sizes


def test_passes_are_held_out_at_batch_sizes_that_costs_are_not_measured_at() -> None:
    cases = held_out_cases((32,), cpus=4, samples=1000)
    assert {size for _, size in cases} == {16, 64, 32}
    assert {workers for workers, size in cases if size == 32} == {2, 4}


def test_a_batch_larger_than_the_dataset_is_not_held_out() -> None:
    assert {size for _, size in held_out_cases((32,), cpus=2, samples=50)} == {16, 32}
