"""What is wrong with the samples of a batch that torch's default_collate cannot make."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_PLAIN = (torch.Tensor, np.ndarray, np.generic, bool, int, float, complex, str, bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFault:
    """What default_collate cannot take of a batch's samples."""

    position: int
    """Of the sample to blame, in the batch."""
    text: str
    """Such as ``field image is [3, 32, 31], and [3, 32, 32] in the batch's first sample``."""


def fault_of(samples: Sequence[Any]) -> SampleFault | None:
    """Return the first thing about `samples` that default_collate cannot take; None where there is none."""
    return next(_faults(list(samples), ""), None)


def _faults(values: list[Any], field: str) -> Iterator[SampleFault]:
    """Yield the faults of one field's `values`, one of each sample; `field` is empty for the samples themselves."""
    for check in (_missing, _unlike_types, _unlike_shapes, _unknown_type):
        if fault := check(values, field):
            yield fault
            return
    first = values[0]
    if isinstance(first, Mapping):
        for key in first:
            yield from _faults_of_entries(values, key, f"{field}.{key}" if field else str(key))
    elif isinstance(first, Sequence) and not isinstance(first, (str, bytes)):
        for place in range(len(first)):
            yield from _faults_of_entries(values, place, f"{field}[{place}]")


def _faults_of_entries(values: list[Any], key: Any, field: str) -> Iterator[SampleFault]:
    for position, value in enumerate(values):
        if isinstance(value, Mapping) and key not in value:
            yield SampleFault(position=position, text=f"there is no field {field}, which the batch's first sample has")
            return
    yield from _faults([value[key] for value in values], field)


def _missing(values: list[Any], field: str) -> SampleFault | None:
    for position, value in enumerate(values):
        if value is None:
            return SampleFault(position=position, text=f"{_named(field)} is None")
    return None


def _unlike_types(values: list[Any], field: str) -> SampleFault | None:
    return _differing(values, field, _kind, str)


def _unlike_shapes(values: list[Any], field: str) -> SampleFault | None:
    if isinstance(values[0], (torch.Tensor, np.ndarray)):
        return _differing(values, field, lambda value: list(value.shape), str)
    if isinstance(values[0], Sequence) and not isinstance(values[0], (str, bytes)):
        return _differing(values, field, len, lambda length: f"of {length} entries")
    return None


def _differing(
    values: list[Any], field: str, quality: Callable[[Any], Any], described: Callable[[Any], str]
) -> SampleFault | None:
    first = quality(values[0])
    for position, value in enumerate(values):
        if quality(value) != first:
            odd, usual = described(quality(value)), described(first)
            text = f"{_named(field)} is {odd}, and {usual} in the batch's first sample"
            return SampleFault(position=position, text=text)
    return None


def _unknown_type(values: list[Any], field: str) -> SampleFault | None:
    first = values[0]
    if isinstance(first, (*_PLAIN, Mapping, Sequence)):
        return None
    return SampleFault(
        position=0, text=f"{_named(field)} is of type {type(first).__name__}, which default_collate cannot take"
    )


def _kind(value: Any) -> str:
    """Return the kind of a value, of those that default_collate treats in ways of their own."""
    kinds: dict[Any, str] = {torch.Tensor: "a tensor", np.ndarray: "an array", (str, bytes): "text", Mapping: "a dict"}
    for types, kind in kinds.items():
        if isinstance(value, types):
            return kind
    is_number = isinstance(value, (bool, int, float, complex, np.generic))
    return "a number" if is_number else f"a {type(value).__name__}"


def _named(field: str) -> str:
    return f"field {field}" if field else "the sample"
