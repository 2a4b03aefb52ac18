"""bench_training: the loader alone, the step alone, and both."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from loaderbench.benches.bench_training import Training
from loaderbench.benches.harness.loading.batch_source import BatchSource, have_one_shape
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import subject_of

Benches = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def rounds(benches: Benches) -> list[dict[str, list[float]]]:
    return [case["rounds"] for case in benches("training").values()]


def test_there_is_a_case_for_each_number_of_workers(benches: Benches) -> None:
    assert set(benches("training")) == {"[project.Rows-workers=0]", "[project.Rows-workers=1]"}


def test_every_round_has_the_three_parts(rounds: list[dict[str, list[float]]]) -> None:
    for case in rounds:
        assert len(case["seconds"]) == len(case["loader_seconds"]) == len(case["step_seconds"]) == 2


def test_all_three_parts_are_about_the_same_samples(rounds: list[dict[str, list[float]]]) -> None:
    assert all(case["samples"] == case["loader_samples"] == case["step_samples"] for case in rounds)


def test_the_model_is_one_of_the_settings(benches: Benches) -> None:
    assert all(case["settings"]["model"] == "project:Net" for case in benches("training").values())


class Lengths(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Texts of up to `longest` numbers."""

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> Tensor:
        return torch.full((1 + range(64)[index] % self.longest,), float(index))


def opened(longest: int) -> tuple[Training, list[Tensor]]:
    steps: list[Tensor] = []
    config = LoaderConfig(batch_size=1, shuffle=True, seed=0)
    subject = subject_of(Lengths(longest))
    return Training(subject, config, device=torch.device("cpu"), make_task=lambda: steps.append), steps  # type: ignore[arg-type,return-value]


def test_a_step_alone_meets_as_many_different_batches_as_a_pass_has_and_others_in_every_round(no_strays: None) -> None:
    training, steps = opened(longest=64)
    orders = []
    with training:
        for _ in range(2):
            steps.clear()
            training.before(passes=1)
            orders.append([int(batch[0, 0]) for batch in steps])
    assert [len(set(order)) for order in orders] == [64, 64]
    assert orders[0] != orders[1]


def test_batches_of_one_shape_are_read_once(no_strays: None) -> None:
    training, steps = opened(longest=1)
    with training:
        steps.clear()
        training.before(passes=1)
        assert len(steps) == 64
        assert {id(batch) for batch in steps} == {id(batch) for batch in training.kept}


def test_no_more_batches_are_there_at_once_than_fit() -> None:
    with BatchSource(subject_of(Lengths(1)), LoaderConfig(batch_size=8)) as source:
        assert len(source.next_batches(5, most_bytes=70)) == 2
        assert len(source.next_batches(5, most_bytes=1)) == 1
        assert len(source.next_batches(20)) == 20


def test_shapes_that_differ_are_seen_beside_a_smaller_last_batch() -> None:
    full, longer, last = torch.zeros(4, 3), torch.zeros(4, 5), torch.zeros(1, 3)
    assert have_one_shape([full, full, last])
    assert not have_one_shape([full, longer, full])
    assert not have_one_shape([[full], [full, full], last])
