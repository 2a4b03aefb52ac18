"""Do blocks whose processes were forked from the same servers resemble each other? Of gates on identical code."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from loaderbench.reports.gate.calibration.replayed_gates import THROUGHPUT
from loaderbench.reports.gate.paired_effects import effects, is_control


@dataclass(frozen=True, kw_only=True, slots=True)
class Resemblance:
    """The intraclass correlation of the effects of blocks of the same servers, and of how many pairs it is."""

    correlation: float  # 0: they are as unlike as any two blocks of a gate
    same: int
    other: int

    @property
    def text(self) -> str:
        """Return it in a line."""
        if math.isnan(self.correlation):
            return "blocks of the same servers: not known yet, a gate needs blocks of two"
        return (
            f"blocks of the same servers: correlation {self.correlation:+.2f} "
            f"({self.same} pairs of blocks of the same servers, {self.other} of others)"
        )


def resemblance(documents: Iterable[Mapping[str, Any]]) -> Resemblance:
    """Return the correlation in gates (``verdict.json``) of identical code; deviations are from each case's mean."""
    same: list[float] = []
    other: list[float] = []
    squares: list[float] = []
    for document in documents:
        servers = {block["block"]: block["servers"] for block in document["blocks"]}
        if len(set(servers.values())) < 2:  # noqa: PLR2004 - nothing to compare with
            continue
        table = effects(document["blocks"])
        for case, rows in table[table["metric"] == THROUGHPUT].groupby("case"):
            if is_control(str(case)):
                continue
            deviations = rows["effect"].to_numpy(np.float64) - rows["effect"].mean()
            squares.extend(deviations**2)
            known = [(servers[block], value) for block, value in zip(rows["block"], deviations, strict=True)]
            for (server, value), (another, other_value) in combinations(known, 2):
                (same if server == another else other).append(value * other_value)
    if not (same and other and any(squares)):
        return Resemblance(correlation=math.nan, same=len(same), other=len(other))
    correlation = (np.mean(same) - np.mean(other)) / np.mean(squares)
    return Resemblance(correlation=float(correlation), same=len(same), other=len(other))
