"""Functions for the DataLoader's ``worker_init_fn``: threads and memory of a worker."""

import ctypes
import sys
from collections.abc import Callable

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from loaderbench.datasets.pytree import written

# Parameters of glibc's mallopt(3), and the values with which malloc keeps freed memory instead of returning it to the
# system, from which every page must be faulted in again.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_PARAMETERS = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: (1 << 31) - 1, _TOP_PAD: 64 << 20}
_MMAP_THRESHOLD_OF_OLD = 32 << 20  # the largest that an older glibc accepts


class InTurn:
    """A ``worker_init_fn`` that calls several functions, one after the other."""

    def __init__(self, *functions: Callable[[int], None]) -> None:
        self.functions = functions

    def __repr__(self) -> str:
        return f"InTurn({', '.join(map(written, self.functions))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InTurn) and self.functions == other.functions

    def __hash__(self) -> int:
        return hash(self.functions)

    def __call__(self, worker_id: int) -> None:
        """Call every function with the worker's number."""
        for function in self.functions:
            function(worker_id)


def one_thread(_worker_id: int) -> None:
    """Limit every native thread pool of the worker to one thread: OpenMP, MKL, OpenBLAS, OpenCV and torch.

    By itself torch limits only its own pool in a worker. The others have a thread for each CPU, so that `num_workers`
    times as many threads compete for the CPUs.
    """
    threadpool_limits(limits=1)
    torch.set_num_threads(1)
    if opencv := sys.modules.get("cv2"):
        opencv.setNumThreads(0)


def keep_memory(_worker_id: int) -> None:
    """Let glibc's malloc keep freed memory for the next sample; other C libraries are left unchanged.

    The environment variables MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ do the same for a whole
    process.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for parameter, value in _PARAMETERS.items():
        if not mallopt(parameter, value) and parameter == _MMAP_THRESHOLD:
            mallopt(parameter, _MMAP_THRESHOLD_OF_OLD)


def thread_pools() -> dict[str, int]:
    """Return the number of threads of each native thread pool in this process, by the name of its library."""
    threads: dict[str, int] = {}
    for pool in threadpool_info():
        name = str(pool["internal_api"])
        threads[name] = max(threads.get(name, 0), int(pool["num_threads"]))
    if opencv := sys.modules.get("cv2"):
        threads["opencv"] = int(opencv.getNumThreads())
    return threads
