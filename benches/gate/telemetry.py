"""What else happened on the machine during a block: it is shown beside a verdict, and never selects samples."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from loaderbench.benches.harness.system.control_groups import control_groups


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """The machine's counters at a moment."""

    steal_s: float
    total_s: float
    throttled: float

    @classmethod
    def read(cls) -> Self:
        """Read the counters."""
        return cls(**_counters())

    def since(self) -> dict[str, float]:
        """Return what happened since: load, share of CPU time stolen, periods throttled."""
        now = _counters()
        total_s = now["total_s"] - self.total_s
        return {
            "load": os.getloadavg()[0],
            "steal_share": (now["steal_s"] - self.steal_s) / total_s if total_s > 0 else 0.0,
            "throttled_periods": now["throttled"] - self.throttled,
        }


def _counters() -> dict[str, float]:
    times = psutil.cpu_times()
    return {
        "steal_s": float(getattr(times, "steal", 0.0)),
        "total_s": float(sum(times)),
        "throttled": _throttled(),
    }


def _throttled() -> float:
    """Return how often a control group of this process was held back: at any level, each counts its own."""
    return sum(_periods(group / "cpu.stat") for group in control_groups())


def _periods(file: Path) -> float:
    if not file.exists():
        return 0.0
    fields = dict(line.split() for line in file.read_text().splitlines() if len(line.split()) == 2)  # noqa: PLR2004
    return float(fields.get("nr_throttled", 0))
