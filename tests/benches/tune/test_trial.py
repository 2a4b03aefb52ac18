"""A trial: what it counts and cleans up, and how an epoch follows from a pass over a part of it."""

from typing import Any

import pytest
import torch
from torch.utils.data import IterableDataset, default_collate

from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.harness.loading.subject import subject_of
from loaderbench.benches.tune.trial import MisdeliveredError, _costs, marginal_s, survey, trial

CPU = Consumer(device=torch.device("cpu"))


def config(num_workers: int = 0, **arguments: Any) -> Any:
    return loader_config(num_workers=num_workers, batch_size=4, collate_fn=default_collate, **arguments)


@pytest.mark.parametrize("arguments", [{}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}])
def test_a_trial_of_any_loader_leaves_nothing_behind(arguments: dict[str, Any], no_leaks: None) -> None:
    times = trial(subject_of(list(range(64))), config(**arguments), CPU, batches=8, batch_samples=4, samples=64)
    assert times.passes >= 1
    assert min(times.epoch_s, times.sample_s, times.first_batch_s, times.cpu_s, times.pss_bytes) > 0


def test_only_a_part_is_read(no_leaks: None) -> None:
    asked: list[int] = []

    class Counted:
        def __len__(self) -> int:
            return 100_000

        def __getitem__(self, index: int) -> int:
            asked.append(index)
            return index

    times = trial(subject_of(Counted()), config(), CPU, batches=8, batch_samples=4, samples=100_000)
    assert len(asked) == 4 + 32 * times.passes


class Short(IterableDataset[int]):
    def __iter__(self) -> Any:
        return iter(range(10))


def test_a_pass_without_workers_is_read_to_its_end_where_there_is_time(no_leaks: None) -> None:
    seen = survey(subject_of(list(range(10))), config(), CPU, longest_s=60)
    assert (seen.batches, seen.is_cut) == (3, False)
    assert survey(subject_of(Short()), config(), CPU, longest_s=60).batches == 3


class Lossy(torch.utils.data.DataLoader[int]):
    """A loader that forgets its last batches."""

    def __iter__(self) -> Any:
        return iter(list(super().__iter__())[:-3])


def test_a_loader_that_loses_batches_is_not_fast(no_leaks: None) -> None:
    lossy = config(loader_class=Lossy)
    with pytest.raises(MisdeliveredError, match="5 batches in place of 8"):
        trial(subject_of(list(range(32))), lossy, CPU, batches=8, batch_samples=4, samples=32)


@pytest.mark.parametrize(
    ("ends", "workers", "seconds"),
    [
        ([5.0, 6.0, 7.0, 8.0], 0, 1.0),  # the first one takes longer
        ([2.0, 2.0, 4.0, 4.0, 6.0, 6.0], 2, 1.0),  # in bursts of the workers
        ([2.0, 2.0, 4.0, 4.0, 6.0], 2, 1.0),  # and one that is not whole
        ([3.0, 3.5], 4, 1.75),  # fewer than two bursts: all that there is
    ],
)
def test_from_batch_to_batch_whole_bursts_count(ends: list[float], workers: int, seconds: float) -> None:
    assert marginal_s(ends, 0.0, workers) == pytest.approx(seconds)


def test_the_rest_of_an_epoch_takes_what_samples_take_once_they_flow() -> None:
    """Starting takes 10 s, and then each batch of 4 samples takes 1 s."""
    epoch_s, sample_s, first_batch_s = _costs([0.0, 11.0, 12.0, 13.0], False, 1, 4, rest=400)
    assert (epoch_s, sample_s, first_batch_s) == pytest.approx((13 + 100, 0.25, 11.0))


def test_the_step_counts_and_the_first_batch_ends_when_it_arrives() -> None:
    marks = [0.0, 1.0, 3.0, 3.5, 5.5, 6.0, 8.0]  # start; arrival and end of the step, three times
    epoch_s, sample_s, first_batch_s = _costs(marks, True, 1, 1, rest=0)
    assert (epoch_s, sample_s, first_batch_s) == pytest.approx((8.0, 2.5, 1.0))
