"""A first batch that cannot be made is one line: type, field, sample, and what to do."""

from typing import Any

import pytest
import torch

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.first_batch import first_batch, loader_config
from loaderbench.benches.harness.loading.subject import subject_of


def made(dataset: Any, **arguments: Any) -> Any:
    collate_fn = torch.utils.data.default_collate
    return first_batch(subject_of(dataset), loader_config(num_workers=2, collate_fn=collate_fn, **arguments))


def test_the_first_batch_is_made_without_workers() -> None:
    assert made([1, 2, 3], batch_size=2).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("samples", "line"),
    [
        (
            [torch.zeros(3), torch.zeros(2)],
            r"list: its first batch of 2: RuntimeError: stack expects .* \(sample 1\); return samples of one shape, or",
        ),
        ([{"mask": None}] * 2, r"list: its first batch of 2: TypeError: .*: field mask is None \(sample 0\); return a"),
    ],
    ids=["unequal shapes", "a missing field"],
)
def test_a_batch_that_cannot_be_made_names_the_field_and_the_sample(samples: list[Any], line: str) -> None:
    with pytest.raises(RefusedError, match=line):
        made(samples, batch_size=2)


def test_a_loader_without_a_batch_is_refused() -> None:
    with pytest.raises(RefusedError, match="list: it delivers no batch of 4"):
        made([1, 2, 3], batch_size=4, drop_last=True)


def test_a_collate_fn_that_returns_none_is_refused() -> None:
    config = loader_config(num_workers=0, collate_fn=lambda _: None)
    with pytest.raises(RefusedError, match="list: the collate_fn returned None in place of the first batch"):
        first_batch(subject_of([1, 2, 3]), config)
