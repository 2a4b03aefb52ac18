"""Datasets with places for faults: without one they are like any other, with one they do what it says."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from loaderbench.datasets.synthetic import injected
from loaderbench.datasets.validation import check_dataset


@pytest.mark.parametrize("build", [injected.Documents, injected.Images, injected.Rows])
def test_they_keep_the_contract(build: Callable[[], Any]) -> None:
    assert check_dataset(build()).deterministic


@pytest.mark.parametrize(("share", "due"), [(0.0, 0), (0.03, 3), (0.10, 10), (1.0, 100)])
def test_a_share_is_due_so_many_times_of_a_hundred(share: float, due: int) -> None:
    assert sum(injected.is_due(count, share) for count in range(1, 101)) == due


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_so_many_samples_are_made_twice(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    made: list[int] = []
    monkeypatch.setattr(injected, "GETITEM", share)
    monkeypatch.setattr(injected.Documents, "make", lambda _, index: made.append(index) or (torch.zeros(1), 0))
    dataset = injected.Documents()
    for index in range(40):
        dataset[index]
    assert len(made) == 40 * (1 + share)


def test_padded_and_packed_batches_hold_the_same_tokens() -> None:
    samples = [injected.Documents()[index] for index in range(4)]
    padded, _ = injected.pad(samples)
    packed, lengths, labels = injected.pack(samples)
    assert packed.tolist() == [token for row, length in zip(padded, lengths, strict=True) for token in row[:length]]
    assert labels.tolist() == [label for _, label in samples]


def test_a_store_is_asked_once_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(injected.time, "sleep", asked.append)
    (batch,) = DataLoader(injected.Rows(), batch_size=injected.ROWS)
    assert len(asked) == 1
    assert batch[0][:, 0].tolist() == list(range(injected.ROWS))


def test_a_leak_keeps_so_much_of_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injected, "LEAKED_BYTES", 1000)
    monkeypatch.setattr(injected, "_kept", kept := [])
    for _ in range(3):
        injected.Collate(padded=True)([(torch.zeros(2), 0)])
    assert [len(held) for held in kept] == [1000] * 3


def test_a_late_end_is_one_of_a_worker_and_never_of_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injected, "EXIT_S", 0.001)
    monkeypatch.setattr(injected, "Finalize", lambda *_, **__: pytest.fail("the main process ends late"))
    injected.Images()[0]
