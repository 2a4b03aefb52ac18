"""Control groups: what they leave this process of the machine. Nothing here imports torch."""

import math
from pathlib import Path

CONTROL_GROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def quota(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """Return the tightest CPU quota on the way up the control groups (v2, else v1), in CPUs; None: there is none."""
    limits = [limit for group in control_groups(root, membership) if (limit := _limit(group)) is not None]
    return min(limits, default=None)


def memory_left(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> float:
    """Return the bytes that the control groups (v2) leave, the tightest on the way up; infinite where none limits."""
    files = [(group / "memory.max", group / "memory.current") for group in control_groups(root, membership)]
    limits = [(limit.read_text().strip(), used) for limit, used in files if limit.exists() and used.exists()]
    left = [int(limit) - int(used.read_text()) for limit, used in limits if limit != "max"]
    return max(0, min(left)) if left else math.inf


def control_groups(root: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> list[Path]:
    """Return the folders of this process's control groups (v2, and v1's of the CPU), the innermost first."""
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
