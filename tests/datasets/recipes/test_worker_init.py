"""Functions for worker_init_fn, by what a worker that ran them reports."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from loaderbench.datasets.recipes.worker_init import keep_memory, one_thread, thread_pools

# Bytes: more than can be free in the heap that a worker inherits, in which nothing would be faulted in.
ALLOCATION = 400 << 20


class ThreadPools(Dataset[dict[str, int]]):
    """The sample is the number of threads of each pool in the process that reads it."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict[str, int]:
        np.ones((2, 2)) @ np.ones((2, 2))
        return {**thread_pools(), "torch": torch.get_num_threads()}


class PageFaults(Dataset[int]):
    """The sample is the number of page faults while `ALLOCATION` is allocated, written and freed twice."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        import resource  # noqa: PLC0415  Unix only

        np.ones(ALLOCATION, dtype=np.uint8)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(2):
            np.ones(ALLOCATION, dtype=np.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def sample_of(dataset: Dataset[Any], worker_init_fn: Any) -> Any:
    """Return the first sample as a worker reads it."""
    return next(iter(DataLoader(dataset, batch_size=None, num_workers=1, worker_init_fn=worker_init_fn)))


def test_one_thread_limits_every_pool_of_the_worker_and_none_of_the_main_process() -> None:
    before = thread_pools()
    threads = sample_of(ThreadPools(), one_thread)
    assert set(threads.values()) == {1}
    assert thread_pools() == before


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is part of glibc")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    assert sample_of(PageFaults(), keep_memory) < sample_of(PageFaults(), None) / 2
