"""Collate functions by which batches cross more cheaply: what arrives is what was made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from loaderbench.datasets.pytree import fingerprint
from loaderbench.datasets.recipes.transport import CompactStrings, Packed, Reused, release_slots, to_arrays
from loaderbench.datasets.synthetic.pitfalls import ManyTensors


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


@dataclass
class Held:
    values: torch.Tensor
    name: str


def nested(samples: list[int]) -> dict[str, Any]:
    """Everything a batch may be made of, of a size that differs from batch to batch."""
    values = torch.tensor(samples)
    return {
        "long": values,
        "half": values.to(torch.float16)[:, None].expand(-1, 3),  # not contiguous
        "pair": Pair(values > 2, values.double() / 3),
        "list": [Held(values.repeat(int(values[0]) + 1), "a name"), values.new_empty(0)],
        "text": ("x", "y"),
        "array": np.array(samples),
        "sparse": torch.eye(3).to_sparse(),
    }


def batches(collate_fn: Callable[[Any], Any], dataset: Any = range(20), **arguments: Any) -> list[bytes]:
    """What a loop of a loader with workers sees, batch by batch: each is looked at while it is there."""
    loader: DataLoader[Any] = DataLoader(dataset, batch_size=4, collate_fn=collate_fn, **arguments)
    found = [fingerprint(batch) for batch in loader]
    release_slots()
    return found


MADE: dict[str, Callable[..., Any]] = {"packed": Packed, "reused": lambda collate_fn: Reused(collate_fn, slots=4)}


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_what_arrives_is_what_was_made(made: str, num_workers: int) -> None:
    assert batches(MADE[made](nested), num_workers=num_workers) == batches(nested)


@pytest.mark.parametrize("made", MADE)
def test_what_torch_stacks_arrives_too(made: str) -> None:
    many = ManyTensors(samples=24, small=5, large_bytes=100)
    expected = batches(default_collate, many)
    assert batches(MADE[made](default_collate), many, num_workers=2) == expected


@pytest.mark.parametrize("epochs", [3])
def test_memory_is_used_again_in_every_epoch(epochs: int) -> None:
    loader: DataLoader[Any] = DataLoader(
        range(40), batch_size=4, collate_fn=Reused(nested, slots=4), num_workers=2, persistent_workers=True  # type: ignore[arg-type]
    )  # fmt: skip
    seen = [[fingerprint(batch) for batch in loader] for _ in range(epochs)]
    del loader
    release_slots()
    assert seen == [batches(nested, range(40))] * epochs


def test_a_ring_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="slots must be >= 1, got 0"):
        Reused(nested, slots=0)


def test_texts_read_as_the_strings_they_were() -> None:
    words = ["", "a", "épée", "漢字"]
    texts = CompactStrings(words)
    assert list(texts) == words
    assert texts[-1] == "漢字"
    assert texts[1:3] == ["a", "épée"]
    with pytest.raises(IndexError):
        texts[4]


def test_lists_become_arrays_and_nothing_is_lost() -> None:
    batch = {
        "ids": [3, 4], "names": ["a", "b"], "rows": [{"x": 1, "y": "p"}, {"x": 2, "y": "q"}], "ragged": [[1], [2, 3]],
        "left": torch.ones(2), "odd": [object, 1],
    }  # fmt: skip
    made = to_arrays(batch)
    assert made["ids"].tolist() == [3, 4]
    assert list(made["names"]) == ["a", "b"]
    assert (made["rows"]["x"].tolist(), list(made["rows"]["y"])) == ([1, 2], ["p", "q"])
    assert [part.tolist() for part in made["ragged"]] == [[1, 2, 3], [1, 2]]
    assert made["left"] is batch["left"]
    assert made["odd"] == [object, 1]
