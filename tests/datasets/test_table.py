"""Rows of a DataFrame, one by one and a batch at a time."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from loaderbench.datasets.collate import default
from loaderbench.datasets.table import RowDataset, TableDataset, photo_pixel_rows, photo_pixels, pixel_frame

FRAME = pd.DataFrame({"width": [1, 2, 3], "price": [10, 20, 30], "height": [4.0, 5.0, 6.0]})


def test_a_sample_is_the_features_and_the_target_as_float32() -> None:
    features, target = RowDataset(FRAME, target="price")[1]
    assert (features.tolist(), target.item()) == ([2.0, 5.0], 20.0)
    assert (features.dtype, target.dtype) == (torch.float32, torch.float32)


def test_an_unknown_target_is_refused_with_the_names_of_the_columns() -> None:
    with pytest.raises(ValueError, match="target must be one of width, price, height, got 'cost'"):
        RowDataset(FRAME, target="cost")


def test_later_changes_of_the_frame_do_not_change_the_dataset() -> None:
    frame = FRAME.copy()
    dataset = RowDataset(frame, target="price")
    frame.loc[0, "price"] = 99
    assert dataset[0][1].item() == 10.0


@pytest.mark.parametrize("collate_fn", [default, default_collate])
def test_a_loader_delivers_the_same_with_getitems_and_without(collate_fn: Callable[[Any], Any]) -> None:
    assert [hasattr(kind, "__getitems__") for kind in (RowDataset, TableDataset)] == [False, True]
    rows, table = (
        list(DataLoader(kind(FRAME, target="price"), batch_size=2, collate_fn=collate_fn))
        for kind in (RowDataset, TableDataset)
    )
    torch.testing.assert_close(table, rows)


def test_the_photograph_gives_tens_of_thousands_of_rows() -> None:
    assert 20_000 <= len(photo_pixels()) <= 50_000
    assert torch.equal(photo_pixels().features, photo_pixel_rows().features)


def test_a_neighbour_is_the_pixel_next_to_it() -> None:
    frame = pixel_frame(step=1)
    assert frame["brightness"].iloc[1] == frame["east"].iloc[0]
