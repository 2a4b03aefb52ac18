"""CPU time and page faults of the workers of a pass, and what a page fault costs on this machine."""

import mmap
import resource
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

from loaderbench.benches.harness.system import processes

MAPPED_BYTES = 16 << 20  # whose pages are written to, to see what a fault costs


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """CPU seconds of the tree of processes, and page faults of the workers in it that needed no file."""

    cpu_s: float
    faults: int


def usage() -> Usage:
    """Return what has been used so far; of this process, where there are no workers."""
    readers = processes.workers() or {psutil.Process()}
    return Usage(cpu_s=processes.cpu_s(), faults=sum(_faults(process.pid) for process in readers))


def _faults(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])  # minflt of proc(5)
    except (OSError, IndexError):
        return 0


def fault_s() -> float:
    """Return the seconds that a page fault of new memory takes, measured on a few thousand of them; 0 of none."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    began = perf_counter()
    np.frombuffer(mmap.mmap(-1, MAPPED_BYTES), np.uint8)[:: mmap.PAGESIZE] = 1
    seconds = perf_counter() - began
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return seconds / faults if faults else 0.0
