"""Collate functions: the batch that each makes of a list of samples."""

import pickle
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, default_collate

from loaderbench.datasets.collate import COLLATE_FNS, Stacked, default, pack, pad, stack_into
from loaderbench.datasets.synthetic.known_cost import Bytes

TEXTS = [{"Text": torch.tensor([5, 6]), "Class": 0}, {"Text": torch.tensor([7]), "Class": 1}]
ragged = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=6)


class Pair(NamedTuple):
    tokens: list[int]
    label: int


@pytest.mark.parametrize("name", COLLATE_FNS)
def test_each_can_be_pickled(name: str) -> None:
    assert pickle.loads(pickle.dumps(COLLATE_FNS[name])) is COLLATE_FNS[name]


def test_texts_are_padded_to_the_longest_with_their_lengths_added() -> None:
    batch = pad(TEXTS)
    assert {name: field.tolist() for name, field in batch.items()} == {
        "Text": [[5, 6], [7, 0]], "Class": [0, 1], "Length": [2, 1],
    }  # fmt: skip


@given(rows=ragged)
def test_a_padded_batch_holds_the_samples(rows: list[list[int]]) -> None:
    batch = pad([{"Text": torch.tensor(row)} for row in rows])
    assert [row[:length].tolist() for row, length in zip(batch["Text"], batch["Length"], strict=True)] == rows


@given(rows=ragged)
def test_a_packed_batch_holds_the_samples(rows: list[list[int]]) -> None:
    batch = pack([{"Text": torch.tensor(row)} for row in rows])
    assert [part.tolist() for part in batch["Text"].tensor_split(batch["Offset"])[1:]] == rows


def test_an_embedding_bag_gives_the_same_for_a_packed_and_a_padded_batch() -> None:
    bag = nn.EmbeddingBag(10, 3, mode="sum", padding_idx=0)
    padded, packed = pad(TEXTS), pack(TEXTS)
    torch.testing.assert_close(bag(padded["Text"]), bag(packed["Text"], packed["Offset"]))


def test_an_empty_text_has_length_zero() -> None:
    batch = pad([{"Text": torch.tensor([], dtype=torch.long)}, TEXTS[0]])
    assert batch["Length"].tolist() == [0, 2]


def test_an_empty_list_has_the_dtype_of_the_others() -> None:
    assert pack([{"Text": []}, {"Text": [5, 6]}])["Text"].dtype == torch.int64


def test_texts_of_one_length_are_ragged_too() -> None:
    assert pad([TEXTS[0], TEXTS[0]])["Length"].tolist() == [2, 2]


def test_each_of_several_ragged_fields_has_a_length_of_its_own() -> None:
    batch = pad([{"Source": torch.tensor([1, 2]), "Target": torch.tensor([3])}])
    assert (batch["Source_Length"].tolist(), batch["Target_Length"].tolist()) == ([2], [1])


@pytest.mark.parametrize("tokens", [[5, 6], (5, 6), np.array([5, 6]), torch.tensor([5, 6])], ids=type)
def test_lists_tuples_arrays_and_tensors_are_padded(tokens: object) -> None:
    assert pad([{"Text": tokens}])["Text"].tolist() == [[5, 6]]


def test_a_tuples_lengths_come_last() -> None:
    tokens, labels, lengths = pad([Pair([5, 6], 1), Pair([7], 0)])
    assert (tokens.tolist(), labels.tolist(), lengths.tolist()) == ([[5, 6], [7, 0]], [1, 0], [2, 1])


def test_strings_stay_a_list() -> None:
    assert pad([{"Text": [1], "Source": "a"}, {"Text": [2], "Source": "b"}])["Source"] == ["a", "b"]


def test_a_sample_without_fields_cannot_be_padded() -> None:
    with pytest.raises(TypeError, match="samples must be mappings or tuples to be padded or packed, got Tensor"):
        pad([torch.tensor([1])])


@pytest.mark.parametrize(
    "sample",
    [
        torch.tensor([1.0, 2.0]),
        torch.tensor(3),
        np.array([[1, 2]], dtype=np.int16),
        np.float32(1.5),
        2.5,
        "text",
        (torch.tensor([1]), 4),
        [torch.tensor([1]), torch.tensor([2, 3])],
        {"x": torch.tensor([1]), "y": {"z": np.array(0.5)}},
    ],
    ids=repr,
)
def test_stack_into_makes_the_batch_of_default_collate(sample: object) -> None:
    ours, theirs = stack_into([sample, sample]), default_collate([sample, sample])
    if isinstance(sample, str):
        assert list(ours) == list(theirs)
    else:
        torch.testing.assert_close(ours, theirs)


def test_samples_of_another_shape_than_the_first_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        stack_into([np.zeros(2), np.zeros(3)])


def test_in_a_worker_a_batch_is_stacked_in_shared_memory() -> None:
    loader = DataLoader(Bytes(4, 1000), 2, collate_fn=stack_into, num_workers=1)
    assert [(batch.is_shared(), batch[:, 0].tolist()) for batch in loader] == [(True, [0, 1]), (True, [2, 3])]


def test_default_takes_stacked_fields_as_they_are() -> None:
    features = torch.tensor([[1, 2], [3, 4]])
    assert default(Stacked(features, torch.tensor([0, 1])))[0] is features


def test_other_collate_functions_see_stacked_samples_as_a_list() -> None:
    samples = Stacked(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, 1]))
    torch.testing.assert_close(default_collate(samples), list(samples.fields))
