"""What an epoch is, of a dataset whose pass was read for a while."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from loaderbench.benches.explain.baseline.baseline import epoch_samples, first_passes
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.first_batch import loader_config
from loaderbench.benches.harness.loading.subject import subject_of


@pytest.mark.parametrize(
    ("read", "is_cut", "length", "is_stream", "epoch"),
    [
        (32, False, 32, False, (32, True)),
        (32, True, 1000, False, (1000, True)),
        (32, False, None, True, (32, True)),
        (32, True, None, True, (32, False)),
        (32, True, 1000, True, (1000, True)),
        (32, True, 20, True, (20, True)),
        (32, False, 20, True, (20, True)),
        (32, False, 40, True, (32, True)),
    ],
    ids=[
        "a dataset", "a part of one", "a stream", "one without end", "the beginning of one with a length",
        "one that goes on beyond its length", "one that ends beyond it", "one that ends before it",
    ],
)  # fmt: skip
def test_an_epoch_is_what_a_dataset_says_it_is_or_what_a_stream_delivers(
    baseline: Any, read: int, is_cut: bool, length: int | None, is_stream: bool, epoch: tuple[int, bool]
) -> None:
    passes = replace(baseline().passes, samples=read, is_cut=is_cut)
    assert epoch_samples(passes, length, is_stream=is_stream) == epoch


def test_an_epoch_is_what_the_users_own_sampler_draws(baseline: Any) -> None:
    passes = replace(baseline().passes, samples=32, is_cut=True, drawn=5000)
    assert epoch_samples(passes, 1000, is_stream=False) == (5000, True)


class Ending:
    """A dataset whose sample 10 ends the pass, without an error."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> int:
        return next(iter([index] if index != 10 else []))


def test_a_pass_that_ends_before_its_dataset_is_refused() -> None:
    config = loader_config(num_workers=0, collate_fn=torch.utils.data.default_collate, batch_size=4)
    with pytest.raises(
        RefusedError, match="ending: a pass ended after 8 of 64 samples: a __getitem__ that raises Stop"
    ):
        first_passes(subject_of(Ending()), config, Consumer(device=torch.device("cpu")).ready(), 600.0)


@pytest.mark.parametrize(
    ("sampling", "longest_s", "drawn"),
    [
        ({}, 600.0, None),
        ({"sampler": [3, 1, 2, 3]}, 600.0, 4),
        ({"sampler": [3, 1, 2, 3]}, 0.0, 4),
        ({"sampler": lambda dataset: range(2 * len(dataset))}, 0.0, 128),
        ({"batch_size": 1, "batch_sampler": [[0, 1], [2, 3], [4, 5]]}, 0.0, 6),
        ({"batch_size": None, "sampler": [[0, 1], [2, 3], [4, 5]]}, 0.0, 6),
        ({"batch_size": 1, "batch_sampler": [[0, 1], [2, 3, 4]]}, 600.0, 5),
    ],
    ids=[
        "none",
        "read to its end",
        "cut",
        "of the dataset, cut",
        "of batches, cut",
        "a sampler of batches, cut",
        "of batches, read to its end",
    ],
)
def test_a_users_sampler_says_how_many_samples_it_draws(
    sampling: dict[str, Any], longest_s: float, drawn: int | None
) -> None:
    settings = {"num_workers": 0, "collate_fn": torch.utils.data.default_collate, "batch_size": 2, **sampling}
    ready = Consumer(device=torch.device("cpu")).ready()
    assert first_passes(subject_of(Numbers()), loader_config(**settings), ready, longest_s).drawn == drawn


class Numbers:
    """A dataset whose samples are their indices; of a list of them it returns that list."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: Any) -> Any:
        return index
