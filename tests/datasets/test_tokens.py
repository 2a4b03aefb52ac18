"""Blocks of tokens from a memory-mapped file."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from loaderbench.datasets.text import articles
from loaderbench.datasets.tokens import TokenDataset, article_tokens


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokens.npy"
    np.save(path, np.arange(100, dtype=np.uint16))
    return path


def test_the_targets_are_the_inputs_shifted_by_one(path: Path) -> None:
    inputs, targets = TokenDataset(path, block=4)[1]
    assert (inputs.tolist(), targets.tolist()) == ([4, 5, 6, 7], [5, 6, 7, 8])
    assert (inputs.dtype, targets.dtype) == (torch.int64, torch.int64)


def test_blocks_do_not_overlap_and_follow_each_other(path: Path) -> None:
    dataset = TokenDataset(path, block=9)
    assert torch.cat([dataset[index][0] for index in range(len(dataset))]).tolist() == list(range(99))


def test_an_incomplete_last_block_is_dropped(path: Path) -> None:
    assert len(TokenDataset(path, block=25)) == 3  # the fourth lacks the token after its last


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_past_the_end_raises(path: Path, index: int) -> None:
    with pytest.raises(IndexError):
        _ = TokenDataset(path, block=25)[index]


@given(indices=st.lists(st.integers(-24, 23), min_size=1))
def test_getitems_returns_the_samples_of_getitem(path: Path, indices: list[int]) -> None:
    dataset = TokenDataset(path, block=4)
    samples = [dataset[index] for index in indices]
    torch.testing.assert_close(list(dataset.__getitems__(indices)), samples)


def test_a_pickled_copy_has_the_path_and_maps_the_file_itself(path: Path) -> None:
    pickled = pickle.dumps(TokenDataset(path, block=4))
    copy = pickle.loads(pickled)
    assert len(pickled) < 1000
    assert copy[0][0].tolist() == [0, 1, 2, 3]
    assert isinstance(copy.tokens, np.memmap)


def test_a_file_shorter_than_a_block_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"more than block=100 tokens, got shape \(100,\)"):
        TokenDataset(path, block=100)


def test_a_block_without_tokens_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="block must be >= 1, got 0"):
        TokenDataset(path, block=0)


def test_the_articles_give_about_two_thousand_blocks_of_their_bytes() -> None:
    assert 1500 <= len(article_tokens()) <= 2500
    _, first = min(articles().items())
    inputs, _ = article_tokens()[0]
    assert bytes(inputs.tolist()) == first.encode()[:256]
