"""What of sending a batch could be saved, as shares; how long it took is not judged here."""

from typing import Any

import pytest
import torch

from loaderbench.benches.explain.baseline.sending import SendingCosts, sending_costs


@pytest.mark.parametrize(
    "batch",
    [{"x": torch.arange(8), "y": torch.arange(8)}, {"names": ["a", "b"], "x": torch.arange(2)}, ["a", "b"]],
    ids=["tensors", "both", "objects"],
)
def test_shares_are_of_all_that_sending_takes(batch: Any) -> None:
    costs = sending_costs(batch, 128)
    assert 0 <= costs.by_packing + costs.by_arrays + costs.by_used_memory <= 1


def test_a_batch_is_as_it_was_after_it_was_sent() -> None:
    batch = torch.arange(8)
    sending_costs(batch, 64)
    assert not batch.is_shared()


def test_what_has_no_tensors_saves_nothing_by_packing() -> None:
    costs = sending_costs(["a", "b"], 0)
    assert (costs.by_packing, costs.by_used_memory) == (0, 0)


@pytest.mark.parametrize(("batch", "storage_bytes"), [(lambda: 1, 0), (torch.arange(8), 1 << 40)])
def test_what_cannot_be_sent_may_save_all_of_it(batch: Any, storage_bytes: int) -> None:
    assert sending_costs(batch, storage_bytes) == SendingCosts()
