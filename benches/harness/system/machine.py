"""The machine: the facts that decide what a figure means."""

import math
import os
import platform
import shutil
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import multiprocessing

from loaderbench.benches.harness.system.devices import accelerator_facts
from loaderbench.benches.harness.system.processes import SHARED_MEMORY

CONTROL_GROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
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
    limit = quota()
    return affinity() if limit is None else max(1, min(affinity(), int(limit)))


def affinity() -> int:
    """Return how many CPUs the scheduler may place this process on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quota(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """Return the tightest CPU quota on the way up the control groups (v2, else v1), in CPUs; None: there is none."""
    limits = [limit for group in _groups(root, membership) if (limit := _limit(group)) is not None]
    return min(limits, default=None)


def memory_left(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> float:
    """Return the bytes that the control groups (v2) leave, the tightest on the way up; infinite where none limits."""
    files = [(group / "memory.max", group / "memory.current") for group in _groups(root, membership)]
    limits = [(limit.read_text().strip(), used) for limit, used in files if limit.exists() and used.exists()]
    left = [int(limit) - int(used.read_text()) for limit, used in limits if limit != "max"]
    return max(0, min(left)) if left else math.inf


def _groups(root: Path, membership: Path) -> list[Path]:
    if not membership.exists():
        return []
    lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    paths = [root / path.lstrip("/") for _, controllers, path in lines if not controllers]
    paths += [root / "cpu" / path.lstrip("/") for _, controllers, path in lines if "cpu" in controllers.split(",")]
    return [group for path in paths for group in (path, *path.parents) if group.is_relative_to(root)]


def _limit(group: Path) -> float | None:
    if (file := group / "cpu.max").exists():
        allowed, period = file.read_text().split()
        return None if allowed == "max" else int(allowed) / int(period)
    if (file := group / "cpu.cfs_quota_us").exists():
        allowed_us = int(file.read_text())
        return None if allowed_us < 0 else allowed_us / int((group / "cpu.cfs_period_us").read_text())
    return None


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
