"""The machine: the facts that decide what a figure means."""

import os
import platform
import shutil
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import multiprocessing

from loaderbench.benches.harness.system.control_groups import quota
from loaderbench.benches.harness.system.devices import accelerator_facts
from loaderbench.benches.harness.system.processes import SHARED_MEMORY
from loaderbench.reports.records.schema import cut_by_quota

# Environment variables that change what is measured: the allocator's and the thread pools'.
TUNING = ("MALLOC_", "OMP_", "GOMP_", "KMP_", "MKL_")


def facts() -> dict[str, Any]:
    """Return CPU, memory, accelerator and versions, in SI units; what cannot be known is None."""
    return {
        "node": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu_model": _cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_affinity": affinity(),
        "cpus_quota": quota(),
        "memory_bytes": psutil.virtual_memory().total,
        "shm_bytes": shutil.disk_usage(SHARED_MEMORY).total if SHARED_MEMORY.exists() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "start_method": multiprocessing.get_start_method(),
        "accelerator": accelerator_facts(),
        "environment": {name: value for name, value in os.environ.items() if name.startswith(TUNING)},
    }


def usable_cpus() -> int:
    """Return the CPUs that this process may really use: its affinity, cut down by the control group's quota."""
    return cut_by_quota(affinity(), quota())


def affinity() -> int:
    """Return how many CPUs the scheduler may place this process on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
