"""What a worker can be told at its start: functions for DataLoader's ``worker_init_fn``."""

import ctypes
import sys

import torch
from threadpoolctl import threadpool_limits

# mallopt(3), glibc: malloc keeps what it is given back, rather than returning it and faulting its pages in again.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_HELD = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: (1 << 31) - 1, _TOP_PAD: 64 << 20}

_MOST_OF_OLD = 32 << 20  # what an older glibc takes at most


def one_thread(_worker_id: int) -> None:
    """One thread for each native library that has a pool of them: OpenMP, MKL, OpenBLAS, OpenCV, torch.

    torch limits its own in a worker, and leaves the others as they are: num_workers × their threads then share the
    CPUs.
    """
    threadpool_limits(limits=1)
    torch.set_num_threads(1)
    if opencv := sys.modules.get("cv2"):
        opencv.setNumThreads(0)


def keep_memory(_worker_id: int) -> None:
    """Glibc's malloc keeps freed memory for the next sample; another C library's is left alone.

    As the environment variables MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ do for a process
    from its start.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in _HELD.items():
            if not mallopt(name, value) and name == _MMAP_THRESHOLD:
                mallopt(name, _MOST_OF_OLD)


def thread_pools() -> dict[str, int]:
    """The native thread pools of this process, and how many threads each would use."""
    from threadpoolctl import threadpool_info  # noqa: PLC0415 - it looks through all that is loaded

    found: dict[str, int] = {}
    for pool in threadpool_info():
        name = str(pool["internal_api"])
        found[name] = max(found.get(name, 0), int(pool["num_threads"]))
    if opencv := sys.modules.get("cv2"):
        found["opencv"] = int(opencv.getNumThreads())
    return found
