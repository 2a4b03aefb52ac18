"""Datasets into which regressions can be injected: valid without one, and with one they do what its comment says."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from loaderbench.datasets.synthetic import injected
from loaderbench.datasets.validation import check_dataset


@pytest.mark.parametrize("build", [injected.Documents, injected.Images, injected.Rows])
def test_each_is_a_valid_dataset(build: Callable[[], Any]) -> None:
    assert check_dataset(build()).deterministic


@pytest.mark.parametrize(("share", "due"), [(0.0, 0), (0.03, 3), (0.10, 10), (1.0, 100)])
def test_a_share_is_due_that_many_times_in_a_hundred(share: float, due: int) -> None:
    assert sum(injected.is_due(number, share) for number in range(1, 101)) == due


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_that_share_of_the_samples_is_made_twice(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    made: list[int] = []
    monkeypatch.setattr(injected, "FAULTS", injected.Faults(getitem_share=share))
    monkeypatch.setattr(injected.Rows, "make", lambda _, index: made.append(index) or (torch.zeros(1), 0))
    dataset = injected.Rows()
    for index in range(40):
        dataset[index]
    assert len(made) == 40 * (1 + share)


def test_batches_are_collated_that_many_times_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(injected, "FAULTS", injected.Faults(collate_times=15))
    monkeypatch.setattr(injected.Collate, "make", lambda _, samples: made.append(len(samples)))
    injected.pad([(torch.zeros(2), 0)] * 3)
    assert made == [3] * 16


def test_padded_and_packed_batches_hold_the_same_tokens() -> None:
    samples = [(torch.arange(length), length) for length in (3, 1, 2)]
    padded, _ = injected.pad(samples)
    packed, lengths, labels = injected.pack(samples)
    assert packed.tolist() == [token for row, length in zip(padded, lengths, strict=True) for token in row[:length]]
    assert labels.tolist() == [3, 1, 2]


def test_the_store_gets_one_request_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[float] = []
    monkeypatch.setattr(injected.time, "sleep", requests.append)
    (batch,) = DataLoader(injected.Rows(), batch_size=injected.ROWS)
    assert requests == [injected.REQUEST_S]
    assert batch[0][:, 0].tolist() == list(range(injected.ROWS))


def test_a_leak_keeps_that_many_bytes_of_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injected, "FAULTS", injected.Faults(leaked_bytes=1000))
    monkeypatch.setattr(injected, "_leaked", leaked := [])
    for _ in range(3):
        injected.pad([(torch.zeros(2), 0)])
    assert [len(memory) for memory in leaked] == [1000] * 3


class Finalizers(list[Any]):
    """Records what a process would do at its end."""

    def __call__(self, *_: Any, args: tuple[Any, ...], exitpriority: int) -> None:
        self.append(args)


@pytest.mark.parametrize(("worker", "expected"), [(None, []), (object(), [(0.001,)])], ids=["main process", "worker"])
def test_only_a_worker_starts_and_ends_late(
    monkeypatch: pytest.MonkeyPatch, worker: object, expected: list[Any]
) -> None:
    sleeps: list[float] = []
    finalizers = Finalizers()
    monkeypatch.setattr(injected, "FAULTS", injected.Faults(worker_exit_s=0.001, worker_start_s=0.002))
    monkeypatch.setattr(injected, "Finalize", finalizers)
    monkeypatch.setattr(injected, "get_worker_info", lambda: worker)
    monkeypatch.setattr(injected.Rows, "make", lambda *_: (torch.zeros(1), 0))
    monkeypatch.setattr(injected.time, "sleep", sleeps.append)
    dataset = injected.Rows()
    dataset[0], dataset[1]
    assert (finalizers, sleeps) == (expected, [0.002] if worker else [])
