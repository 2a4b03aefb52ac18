"""What default_collate cannot take, by sample and field."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from loaderbench.benches.harness.failures.samples import SampleFault, fault_of

IMAGE = torch.zeros(3, 8, 8)


@pytest.mark.parametrize(
    ("samples", "position", "text"),
    [
        (
            [IMAGE, IMAGE, IMAGE[..., :7]],
            2,
            "the sample is [3, 8, 7], and [3, 8, 8] in the batch's first sample",
        ),
        ([(IMAGE, 1), (IMAGE, None)], 1, "field [1] is None"),
        ([{"image": IMAGE, "meta": {"id": 1}}, {"image": IMAGE, "meta": {"id": None}}], 1, "field meta.id is None"),
        ([None, IMAGE], 0, "the sample is None"),
        ([{"a": 1, "b": 2}, {"a": 1}], 1, "there is no field b, which the batch's first sample has"),
        ([[1, 2], [1, 2, 3]], 1, "the sample is of 3 entries, and of 2 entries in the batch's first sample"),
        ([{"x": IMAGE}, {"x": [1]}], 1, "field x is a list, and a tensor in the batch's first sample"),
        ([{"file": Path("a")}], 0, "field file is of type PosixPath, which default_collate cannot take"),
        (
            [{"x": np.zeros(2)}, {"x": np.zeros(3)}],
            1,
            "field x is [3], and [2] in the batch's first sample",
        ),
    ],
)
def test_the_sample_and_the_field_are_named(samples: list[Any], position: int, text: str) -> None:
    with pytest.raises((RuntimeError, TypeError, KeyError, AttributeError)):
        default_collate(samples)
    assert fault_of(samples) == SampleFault(position=position, text=text)


@pytest.mark.parametrize(
    "samples",
    [
        [IMAGE, IMAGE],
        [(IMAGE, 1, "a"), (IMAGE, 2.5, "bcd")],
        [{"a": {"b": [1, 2]}, "c": np.float32(1)}, {"a": {"b": [3, 4]}, "c": 2}],
    ],
)
def test_there_is_no_fault_in_what_collates(samples: list[Any]) -> None:
    default_collate(samples)
    assert fault_of(samples) is None
