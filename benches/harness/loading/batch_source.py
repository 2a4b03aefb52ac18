"""Batches for a step that is timed alone: as many different ones as a pass has, read where no worker is started.

What a step costs may depend on its batch: a shape that it has not met is compiled, planned or allocated for. With a
few batches that are kept it would seem faster than it is.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Self

from loaderbench.benches.harness.loading.loader import LoaderConfig, in_process
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.datasets.pytree import count_leaves, tree_leaves

KEPT_BYTES = 256 * 2**20  # of batches at once
_OTHER_ORDER = 1  # added to the seed: a pass must not meet the shapes that the step has just met by itself


class BatchSource(AbstractContextManager["BatchSource"]):
    """Batches of pass after pass over a subject, in this process, each pass in an order of its own.

    Made to be entered in a process of its own (`Child`): a process that starts workers reads no sample.
    """

    def __init__(self, subject: Subject, config: LoaderConfig) -> None:
        seed = None if config.seed is None else config.seed + _OTHER_ORDER
        self.subject, self.config = subject, replace(in_process(config), seed=seed)

    def __enter__(self) -> Self:
        self._loader = self.config.build(self.subject.dataset)
        self.start_pass()
        return self

    def __exit__(self, *_: object) -> None:
        self._batches.close()

    def start_pass(self) -> None:
        """Leave the pass that was begun: what comes next is the first batch of another one."""
        self._batches = self._endless()

    def next_batches(self, most: int, most_bytes: int = KEPT_BYTES) -> list[Any]:
        """Return the next batches: at most `most` of them, and no more than `most_bytes` hold, but at least one."""
        batches: list[Any] = []
        size = 0
        while len(batches) < most and (not batches or size + size // len(batches) <= most_bytes):
            batches.append(next(self._batches))
            size += count_leaves(batches[-1]).bytes
        return batches

    def _endless(self) -> Generator[Any, None, None]:
        while True:
            is_empty = True
            for batch in self._loader:
                is_empty = False
                yield batch
            if is_empty:
                raise ValueError("the loader delivered no batch")


def have_one_shape(batches: list[Any]) -> bool:
    """Return whether a step meets the same shapes in every one of `batches`, but perhaps the last: it may be smaller.

    >>> import torch
    >>> have_one_shape([torch.zeros(4, 3), torch.ones(4, 3), torch.zeros(1, 3)])
    True
    >>> have_one_shape([torch.zeros(4, 3), torch.zeros(4, 5), torch.zeros(4, 3)])
    False
    """
    return len({_shapes(batch) for batch in batches[:-1]}) <= 1


def _shapes(batch: Any) -> tuple[Any, ...]:
    return tuple(tuple(getattr(leaf, "shape", ())) for leaf in tree_leaves(batch))
