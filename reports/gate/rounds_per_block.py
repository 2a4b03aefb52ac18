"""Where to spend: how many pairs of rounds a block has, from what rounds and blocks cost and how much they vary.

T. Kalibera and R. Jones, "Rigorous benchmarking in reasonable time" (ISMM 2013): the variance of a mean over blocks of
n pairs is (B + W / n) / blocks, where B is the variance between blocks and W that of a pair, and a block takes s + n p
seconds. For a given time it is least at n = sqrt(s / p * W / B). All blocks cost the start of their processes too, of
which each case bears its part.

An allocation is made once, after the first blocks, from variances and times alone: no effect has been looked at.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd

from loaderbench.reports.gate.paired_effects import is_control, rule_of

MOST_PAIRS = 200
FEWEST_PAIRS, FEWEST_S = (4, 8), 0.25  # of long and of short rounds, or so many seconds: one burst does not spoil them
STEADY_PAIRS, STEADY_S = (4, 16), 0.6  # where the budget allows it: two bursts do not
LEAST_BLOCKS = 10  # that a budget is to hold, as few know little of their variance
CHANGE_BLOCKS = 6  # that a verdict of change needs
LEAST_SPREAD = 0.007  # between blocks, standard deviation: less is not known of a few blocks


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockCost:
    """What a block took, in seconds: the start of its processes, and what each case took to be set up, and a pair."""

    start_s: float
    set_up_s: Mapping[str, float]
    pair_s: Mapping[str, float]

    def seconds(self, pairs: Mapping[str, int], controls: int) -> float:
        """Return how long a block takes with so many `pairs` of rounds of each case and so many `controls`."""
        of_cases = [self.set_up_s[case] + count * self.pair_s[case] for case, count in pairs.items()]
        of_controls = [set_up_s for case, set_up_s in self.set_up_s.items() if is_control(case)]
        return self.start_s + sum(of_cases) + controls * (fmean(of_controls) if of_controls else 0.0)


def spans(block: Mapping[str, Any]) -> dict[str, float]:
    """Return how many seconds each case took; what comes before the first is the start of the processes."""
    began: dict[str, float] = {}
    for sample in sorted(block["samples"], key=lambda sample: sample["place"]):
        began.setdefault(sample["case"], sample["began_s"])
    ends = [*list(began.values())[1:], block["seconds"]]
    return {case: end - start for (case, start), end in zip(began.items(), ends, strict=True)}


def cost_of(block: Mapping[str, Any], seconds: float) -> BlockCost:
    """Return what a block cost that took so many seconds, with the start of what its processes were forked from.

    The set-up of a control holds all its rounds, of which there are always as many.
    """
    began: dict[str, list[float]] = {}
    for sample in sorted(block["samples"], key=lambda sample: sample["place"]):
        began.setdefault(sample["case"], []).append(sample["began_s"])
    span_s = spans(block)
    pair_s = {case: 2 * (times[-1] - times[0]) / max(1, len(times) - 1) for case, times in began.items()}
    rounds_s = {case: 0.0 if is_control(case) else pair_s[case] * len(began[case]) / 2 for case in began}
    return BlockCost(
        start_s=min((times[0] for times in began.values()), default=0.0) + max(0.0, seconds - block["seconds"]),
        set_up_s={case: max(0.0, seconds - rounds_s[case]) for case, seconds in span_s.items()},
        pair_s=pair_s,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockPlan:
    """How many pairs of rounds each case has in a block, and what that rests on."""

    pairs: Mapping[str, int]
    block_s: float  # what a block of all cases is expected to take
    after: int  # blocks, of which the costs and variances are
    between: float  # standard deviation between blocks, as a log ratio
    within: Mapping[str, float]  # standard deviation of a pair, by case


def allocate(
    effects: Sequence[pd.DataFrame], costs: Sequence[BlockCost], *, left_s: float, controls: int = 1
) -> BlockPlan | None:
    """Return the allocation of the blocks to come in `left_s` seconds; None where there is nothing that varies.

    `effects` and `costs` are of the first blocks, one each.
    """
    spreads = _spreads(pd.concat(effects, ignore_index=True))
    if spreads.empty:
        return None
    within = {str(case): float(spread) for case, spread in spreads["within"].items()}
    beyond = spreads["variance"] - spreads["within"] ** 2 / spreads["pairs"]
    between = math.sqrt(max(float(beyond.mean()) if len(beyond.dropna()) else 0.0, LEAST_SPREAD**2))
    cost = _median_cost(costs)
    start_s = cost.start_s / len(within)
    wanted = {
        case: (start_s + cost.set_up_s[case]) / max(cost.pair_s[case], 1e-6) * (spread / between) ** 2
        for case, spread in within.items()
    }
    steady = {case: _pairs_in(STEADY_S, cost.pair_s[case], *STEADY_PAIRS) for case in wanted}
    fewest = {case: _pairs_in(FEWEST_S, cost.pair_s[case], *FEWEST_PAIRS) for case in wanted}
    pairs = {case: max(steady[case], min(MOST_PAIRS, round(math.sqrt(number)))) for case, number in wanted.items()}
    pairs = _shortened(pairs, cost, controls, left_s / LEAST_BLOCKS, steady)
    for_change_s = left_s / max(1, CHANGE_BLOCKS - len(effects))
    all_controls = sum(map(is_control, cost.set_up_s))  # as blocks have that find and confirm a change
    pairs = _shortened(pairs, cost, all_controls, for_change_s, fewest)
    block_s = cost.seconds(pairs, controls)
    return BlockPlan(pairs=pairs, block_s=block_s, after=len(effects), between=between, within=within)


def _pairs_in(seconds: float, pair_s: float, least: int, most: int) -> int:
    """Return how many pairs fill so many seconds: many of short rounds, of which a burst of other work hits few."""
    return max(least, min(most, math.ceil(seconds / max(pair_s, 1e-6))))


def _shortened(
    pairs: dict[str, int], cost: BlockCost, controls: int, block_s: float, fewest: Mapping[str, int]
) -> dict[str, int]:
    """Return fewer pairs, down to the `fewest`, until a block takes no more than `block_s`."""
    while cost.seconds(pairs, controls) > block_s and any(pairs[case] > fewest[case] for case in pairs):
        pairs = {case: max(fewest[case], min(number - 1, int(0.9 * number))) for case, number in pairs.items()}
    return pairs


def _spreads(effects: pd.DataFrame) -> pd.DataFrame:
    """Return for each case ``within``, ``pairs`` and the ``variance`` of its blocks' effects, of the noisiest ratio."""
    known = effects.dropna(subset="spread")
    compared = [
        not is_control(case) and rule_of(metric).scale == "ratio" and not rule_of(metric).is_summed
        for case, metric in zip(known["case"], known["metric"], strict=True)
    ]
    grouped = (
        known[np.array(compared, dtype=bool)]
        .astype({"effect": float, "spread": float, "pairs": float})
        .groupby(["case", "metric"])
    )
    of_metric = grouped.agg(
        within=("spread", lambda spread: math.sqrt(fmean(spread**2))),
        pairs=("pairs", "median"),
        variance=("effect", "var"),
    )
    return of_metric.sort_values("within").groupby(level="case").last(min_count=0)


def _median_cost(costs: Sequence[BlockCost]) -> BlockCost:
    cases = dict.fromkeys(case for cost in costs for case in cost.pair_s)
    return BlockCost(
        start_s=median(cost.start_s for cost in costs),
        set_up_s={case: median(cost.set_up_s[case] for cost in costs if case in cost.set_up_s) for case in cases},
        pair_s={case: median(cost.pair_s[case] for cost in costs if case in cost.pair_s) for case in cases},
    )
