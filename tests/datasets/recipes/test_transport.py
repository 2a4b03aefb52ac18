"""Collate functions that make batches cheaper to send: what arrives is the batch, through the memory that is meant."""

from collections import UserDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, default_collate

from loaderbench.datasets.pytree import fingerprint
from loaderbench.datasets.recipes import transport
from loaderbench.datasets.recipes.transport import CompactStrings, Packed, Reused, release_slots, to_arrays
from loaderbench.datasets.synthetic.pitfalls import ManyTensors

SLOTS = 4


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


@dataclass
class Labelled:
    values: torch.Tensor
    name: str


class Row:
    """A batch of a class of the user's: no container that pytree knows."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values


class Marked(dict[str, torch.Tensor]):
    """A dict with an attribute of its own."""

    mark = ""


def kinds(samples: list[int]) -> Any:
    """Return a batch of the kinds that collate functions of libraries make."""
    values = torch.tensor(samples)
    marked = Marked(values=values)
    marked.mark = "kept"
    rows = torch.diag(values.float())
    return {
        "packed": pack_sequence([values, values[:2]]),
        "coordinates": rows.to_sparse(),
        "compressed": rows.to_sparse_csr(),
        "nested": torch.nested.nested_tensor([values, values[:1]]),
        "by name": UserDict(values=values),
        "marked": marked,
        "row": Row(values),
    }


def nested(samples: list[int]) -> dict[str, Any]:
    """Return a batch of every kind of leaf and container, whose size differs from batch to batch."""
    values = torch.tensor(samples)
    return {
        "long": values,
        "half": values.to(torch.float16)[:, None].expand(-1, 3),  # not contiguous
        "pair": Pair(values > 2, values.double() / 3),
        "list": [Labelled(values.repeat(int(values[0]) + 1), "a name"), values.new_empty(0)],
        "text": ("x", "y"),
        "array": np.array(samples),
        "sparse": torch.eye(3).to_sparse(),
    }


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    yield
    release_slots()


def loader(collate_fn: Callable[[Any], Any], dataset: Any = range(20), **arguments: Any) -> DataLoader[Any]:
    return DataLoader(dataset, batch_size=4, collate_fn=collate_fn, **arguments)


def fingerprints(batches: DataLoader[Any]) -> list[bytes]:
    """Return the fingerprint of each batch, taken before the next one is asked for."""
    return [fingerprint(batch) for batch in batches]


WRAPPERS: dict[str, Callable[..., Any]] = {
    "Packed": Packed,
    "Reused": lambda collate_fn: Reused(collate_fn, slots=SLOTS),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_batch_that_arrives_is_that_of_the_wrapped_collate_function(wrapper: str, num_workers: int) -> None:
    wrapped = loader(WRAPPERS[wrapper](nested), num_workers=num_workers)
    assert fingerprints(wrapped) == fingerprints(loader(nested))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_batches_of_any_kind_that_pickle_knows_arrive_whole(wrapper: str) -> None:
    batches = list(loader(WRAPPERS[wrapper](kinds), num_workers=1))
    plain = list(loader(kinds))
    for batch, expected in zip(batches[-SLOTS + 1 :], plain[-SLOTS + 1 :], strict=True):
        assert fingerprint(batch) == fingerprint(expected)
        assert batch["marked"].mark == "kept"


def test_all_tensors_of_a_packed_batch_are_packed_whatever_holds_them() -> None:
    batch = next(iter(loader(Packed(kinds), num_workers=1)))
    whole = {
        tensor.untyped_storage().data_ptr()
        for tensor in (batch["packed"].data, batch["row"].values, batch["by name"]["values"], batch["marked"]["values"])
    }
    assert len(whole) == 1


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_batches_of_default_collate_arrive_too(wrapper: str) -> None:
    dataset = ManyTensors(samples=24, small=5, large_bytes=100)
    wrapped = loader(WRAPPERS[wrapper](default_collate), dataset, num_workers=2)
    assert fingerprints(wrapped) == fingerprints(loader(default_collate, dataset))


def test_a_packed_batch_shares_one_storage_for_each_dtype() -> None:
    dataset = ManyTensors(samples=4, small=5, large_bytes=100)
    (batch,) = loader(Packed(default_collate), dataset, num_workers=1)
    assert len({tensor.untyped_storage().data_ptr() for tensor in batch.values()}) == 2  # int64 and uint8


@pytest.mark.parametrize("collate_fn", [default_collate, nested], ids=["stacks into the slot", "is copied into it"])
def test_every_epoch_uses_the_memory_of_the_first(collate_fn: Callable[[Any], Any]) -> None:
    samples = range(2 * SLOTS * 4)  # SLOTS batches of 4 for each of 2 workers: every epoch, a slot has the same batch
    workers = loader(Reused(collate_fn, SLOTS), samples, num_workers=2, persistent_workers=True)
    expected = fingerprints(loader(collate_fn, samples))
    memory = []
    for _ in range(3):
        assert fingerprints(workers) == expected
        memory.append({name: tensor.data_ptr() for name, tensor in transport._received.items()})
    assert len(memory[0]) == 2 * SLOTS
    assert memory == [memory[0]] * 3


def test_slots_of_ended_workers_are_released() -> None:
    workers = loader(Reused(default_collate, SLOTS), num_workers=1)
    for _ in range(2):
        fingerprints(workers)
    assert len({process for process, _, _ in transport._received}) == 1


def test_slots_can_be_released() -> None:
    fingerprints(loader(Reused(default_collate, SLOTS), num_workers=1))
    release_slots()
    assert not transport._received


def test_no_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="slots must be >= 1, got 0"):
        Reused(nested, slots=0)


def test_compact_strings_are_the_strings() -> None:
    words = ["", "a", "épée", "漢字"]
    compact = CompactStrings(words)
    assert list(compact) == words
    assert compact[-1] == "漢字"
    assert compact[1:3] == ["a", "épée"]
    with pytest.raises(IndexError):
        compact[4]


def test_lists_become_arrays_and_everything_else_stays() -> None:
    batch = {
        "ids": [3, 4], "names": ["a", "b"], "rows": [{"x": 1, "y": "p"}, {"x": 2, "y": "q"}], "ragged": [[1], [2, 3]],
        "tensor": torch.ones(2), "mixed": [object, 1],
    }  # fmt: skip
    arrays = to_arrays(batch)
    assert arrays["ids"].tolist() == [3, 4]
    assert list(arrays["names"]) == ["a", "b"]
    assert (arrays["rows"]["x"].tolist(), list(arrays["rows"]["y"])) == ([1, 2], ["p", "q"])
    assert [array.tolist() for array in arrays["ragged"]] == [[1, 2, 3], [1, 2]]
    assert arrays["tensor"] is batch["tensor"]
    assert arrays["mixed"] == [object, 1]
