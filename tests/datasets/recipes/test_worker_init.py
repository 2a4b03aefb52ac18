"""What a worker can be told at its start."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from loaderbench.datasets.recipes.worker_init import keep_memory, one_thread, thread_pools

SIZE = (
    400 << 20
)  # bytes: more than may lie free within the heap that a worker is forked with, where nothing is faulted in


class Pools(Dataset[dict[str, int]]):
    """How many threads the libraries of the process have that reads a sample."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict[str, int]:
        np.ones((2, 2)) @ np.ones((2, 2))
        return {**thread_pools(), "torch": torch.get_num_threads()}


def seen(init: Any) -> dict[str, int]:
    loader: DataLoader[Any] = DataLoader(Pools(), batch_size=None, num_workers=1, worker_init_fn=init)
    return dict(next(iter(loader)))


def test_every_pool_of_threads_has_one() -> None:
    assert set(seen(one_thread).values()) == {1}


def test_this_process_keeps_its_own() -> None:
    before = thread_pools()
    seen(one_thread)
    assert thread_pools() == before


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_memory_that_is_given_back_is_kept() -> None:
    kept, usual = faults(keep_memory), faults(None)
    assert kept < usual / 2


class Faults(Dataset[int]):
    """Pages that a process had to ask for while it filled and freed `SIZE`, four times."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        import resource  # noqa: PLC0415 - Unix

        np.ones(SIZE, dtype=np.uint8)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            np.ones(SIZE, dtype=np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def faults(init: Any) -> int:
    loader: DataLoader[Any] = DataLoader(Faults(), batch_size=None, num_workers=1, worker_init_fn=init)
    return int(next(iter(loader)))
