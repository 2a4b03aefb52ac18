"""Blocks to effects: for every case, metric and block, how head differs from base.

A block is a fresh pair of processes that measured the same cases in turns. Its rounds come in pairs, one of each side,
next to each other in time; what the block says of a case is the median over those pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from loaderbench.reports.vocabulary import METRICS, Better

CONTROL = "control"
KEY = ["case", "metric", "block"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A quantity that two sides are compared by."""

    name: str
    value: Callable[[pd.DataFrame], pd.Series]  # of rounds; NaN where a round does not have it
    scale: Literal["ratio", "difference"] = "ratio"
    summed: bool = False  # over a block's rounds before sides are compared: its steps are coarse
    margins: float = 1.0  # it is compared with so many times the margin: a cold start varies more than a pass
    floor: float = 0.0  # and no difference below this, in its unit, is worth a verdict

    @property
    def direction(self) -> Better:
        """Which way is better."""
        return METRICS[self.name].better or "lower"

    @property
    def worse(self) -> int:
        """The sign of a change for the worse."""
        return 1 if self.direction == "lower" else -1


def _per(amount: str, over: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rounds: _column(rounds, amount) / _column(rounds, over)


def _only(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rounds: _column(rounds, name)


def _column(rounds: pd.DataFrame, name: str) -> pd.Series:
    return rounds[name].astype(float) if name in rounds else pd.Series(np.nan, index=rounds.index)


# By bench; a bench that is not here is judged by its seconds.
_COLD: Mapping[str, Any] = {"margins": 4.0, "floor": 0.02}
_PASSES = (
    Judged(name="samples_per_s", value=_per("samples", "seconds")),
    Judged(name="cpu_per_sample_s", value=_per("cpu_s", "samples"), summed=True, margins=3.0),
)
JUDGED: Mapping[str, tuple[Judged, ...]] = {
    "epoch": _PASSES,
    "sampling": _PASSES,
    "training": (*_PASSES, Judged(name="stall_share", value=_per("wait_s", "seconds"), scale="difference", floor=0.03)),
    "startup": (
        Judged(name="start_s", value=_only("start_s"), **_COLD),
        Judged(name="first_batch_s", value=_only("first_batch_s"), **_COLD),
        Judged(name="next_first_batch_s", value=_only("next_first_batch_s"), **_COLD),
        Judged(name="shutdown_s", value=_only("shutdown_s"), **_COLD),
    ),
    "memory": (Judged(name="pss_bytes", value=_only("pss_bytes"), margins=0.5, floor=float(8 << 20)),),
    "transfer": (Judged(name="bytes_per_s", value=_per("bytes", "seconds")),),
    CONTROL: (Judged(name="seconds", value=_per("seconds", "passes")),),
}
_OTHERWISE = (Judged(name="seconds", value=_only("seconds")),)


def judged(case: str) -> tuple[Judged, ...]:
    """The quantities that the case is judged by: its name begins with its bench."""
    return JUDGED.get(case.partition("[")[0], _OTHERWISE)


def effects(blocks: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each case, metric and block: effect, base, head.

    ``effect`` is log(head / base), or head - base for a share; ``base`` and ``head`` are medians over rounds, in the
    metric's unit. What one side lacks has no row.
    """
    rounds = pd.DataFrame([{**sample, "block": block["block"]} for block in blocks for sample in block["samples"]])
    parts = []
    for case, held in rounds.groupby("case", sort=False) if len(rounds) else ():
        for quantity in judged(str(case)):
            found = _of_blocks(held, quantity)
            parts.append(found.assign(case=case, metric=quantity.name))
    whole = pd.concat(parts) if parts else pd.DataFrame(columns=["block", "effect", "base", "head", "case", "metric"])
    return whole.dropna(subset="effect").reset_index(drop=True)


def _of_blocks(rounds: pd.DataFrame, quantity: Judged) -> pd.DataFrame:
    value = quantity.value(rounds).replace([np.inf, -np.inf], np.nan)
    if quantity.scale == "ratio":
        value = value.where(value > 0)
    table = rounds.assign(value=value).pivot_table(index=["block", "round"], columns="side", values="value")
    table = table.reindex(columns=["base", "head"])
    if quantity.summed:
        table = table.groupby(level="block").mean()
    pairs = np.log(table["head"] / table["base"]) if quantity.scale == "ratio" else table["head"] - table["base"]
    of_block = table.assign(effect=pairs).groupby(level="block").median()
    return of_block.reset_index()[["block", "effect", "base", "head"]]
