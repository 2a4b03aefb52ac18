"""How much do two fork servers differ? By blocks of the same servers, as they were and exchanged, on identical code.

From block to block a server is the other revision's. If one of them makes what is forked from it slower, blocks of the
same servers resemble each other where these stood in the same order, and are opposite where they were exchanged.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from loaderbench.reports.gate.calibration.replayed_gates import THROUGHPUT
from loaderbench.reports.gate.paired_effects import effects, is_control


@dataclass(frozen=True, kw_only=True, slots=True)
class ServersShare:
    """The share of the variance between blocks that servers make, and of how many pairs of blocks it is."""

    share: float  # 0: servers are alike
    in_order: int
    exchanged: int

    @property
    def text(self) -> str:
        """Return it in a line."""
        if math.isnan(self.share):
            return "how much fork servers differ is not known yet: a gate needs three blocks of the same ones"
        return (
            f"fork servers make {100 * self.share:.0f} % of the variance between blocks "
            f"({self.in_order} pairs of blocks of the same servers in the same order, {self.exchanged} exchanged)"
        )


def servers_share(documents: Iterable[Mapping[str, Any]]) -> ServersShare:
    """Return the share in gates (``verdict.json``) of identical code."""
    pairs: dict[bool, list[float]] = {False: [], True: []}  # products of effects, by whether servers were exchanged
    squares: list[float] = []
    for document in documents:
        place = dict(_places(document["blocks"]))
        table = effects(document["blocks"])
        for case, rows in table[table["metric"] == THROUGHPUT].groupby("case"):
            if is_control(str(case)):
                continue
            known = [(*place[block], float(value)) for block, value in zip(rows["block"], rows["effect"], strict=True)]
            squares.extend(value**2 for *_, value in known)
            for (servers, order, value), (others, other_order, other) in combinations(known, 2):
                if servers == others:
                    pairs[order != other_order].append(value * other)
    in_order, exchanged = pairs[False], pairs[True]
    known_share = bool(in_order and exchanged and any(squares))
    share = (np.mean(in_order) - np.mean(exchanged)) / (2 * np.mean(squares)) if known_share else math.nan
    return ServersShare(share=float(share), in_order=len(in_order), exchanged=len(exchanged))


def _places(blocks: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each block's number, which servers it had, and 0 or 1 for their order."""
    earlier: Counter[int] = Counter()
    for block in blocks:
        servers = int(block["servers"])
        yield int(block["block"]), (servers, earlier[servers] % 2)
        earlier[servers] += 1
