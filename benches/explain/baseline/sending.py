"""What sending a batch costs: its tensors, each by itself or packed, and the Python objects around them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from statistics import median
from time import perf_counter
from typing import Any

from loaderbench.datasets.recipes.tensor_pickling import with_tensors, without_tensors
from loaderbench.datasets.recipes.transport import PackedBatch, to_arrays

TRIALS = 3  # timed, after one that is not
MOST_BYTES = 1 << 28  # of a batch: a larger one is not sent for this


@dataclass(frozen=True, kw_only=True, slots=True)
class SendingCosts:
    """Of the time that sending a batch takes, the share that is saved at most: 1 where it was not measured."""

    by_packing: float = 1.0
    by_arrays: float = 1.0
    by_used_memory: float = 1.0
    """Of the tensors packed: as if no memory had to be made for them."""


def sending_costs(batch: Any, storage_bytes: int) -> SendingCosts:
    """Return what of sending `batch` could be saved; it is pickled and unpickled in this process.

    What cannot be pickled, or is too large, is not measured.
    """
    with suppress(Exception):  # pickling an object of the user's may raise anything
        if storage_bytes <= MOST_BYTES:
            return _sending_costs(batch)
    return SendingCosts()


def _sending_costs(batch: Any) -> SendingCosts:
    tensors = without_tensors(batch)[1]
    objects_s = _seconds(lambda: batch, lambda given: with_tensors(*without_tensors(given)))
    arrays_s = _seconds(lambda: to_arrays(batch), lambda given: with_tensors(*without_tensors(given)))
    singly_s = packed_s = 0.0
    if tensors:  # clones: what was sent once is in shared memory already
        singly_s = _seconds(lambda: [tensor.clone() for tensor in tensors], _sent)
        packed_s = _seconds(lambda: PackedBatch([tensor.clone() for tensor in tensors]), _sent)
    all_s = objects_s + singly_s
    return SendingCosts(
        by_packing=max(0.0, singly_s - packed_s) / all_s,
        by_arrays=max(0.0, objects_s - arrays_s) / all_s,
        by_used_memory=min(singly_s, packed_s or singly_s) / all_s,
    )


def _seconds(make: Callable[[], Any], send: Callable[[Any], Any]) -> float:
    """Return the median seconds that `send` takes with what `make` returns."""
    seconds = []
    for _ in range(1 + TRIALS):
        given = make()
        began = perf_counter()
        send(given)
        seconds.append(perf_counter() - began)
    return median(seconds[1:])


def _sent(given: Any) -> Any:
    return ForkingPickler.loads(ForkingPickler.dumps(given))
