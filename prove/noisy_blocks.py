"""Blocks of a made-up noisy machine, round by round: what the gate's plan makes of them is known in milliseconds.

Rounds vary a little, drift together, and are hit by bursts of other work (5 to 50 ms), or a core is half as fast for a
while, which know nothing of revisions; a fresh pair of processes differs by more. A block costs the start of its
processes, the set-up of each of its cases and its rounds, so that a budget holds so many.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loaderbench.reports.gate.paired_effects import chosen, estimates_of, spread_of
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.rounds_per_block import BlockCost
from loaderbench.reports.gate.sequential import SequentialTest

CASES = tuple(f"epoch[{name}]" for name in "abcdefgh")
CONTROLS = ("control[busy]", "control[copy]", "control[sleep]")
CONTROL_ROUNDS = 5
CONTROL_SHARE = 0.2  # of the variation between blocks, that controls have
BURST_S = (0.005, 0.05)
SLOW_S = 0.1  # that a core is slow, in the mean: as measured on a virtual machine whose neighbours were busy
CELL_S = 0.001

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What makes the rounds of identical code differ, in standard deviations of a logarithm and shares of time."""

    between: float  # blocks
    rounds: float = 0.015
    drift: float = 0.03  # of all rounds of a case together, from one second to the next
    bursts: float = 0.0  # the share of the time that they take
    slow: float = 0.0  # the share of the time in which a core is half as fast


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeUpCosts:
    """What a block costs, in seconds: as whole gates of eight cases on two cores did (docs/calibration.md)."""

    start_s: float = 0.6
    servers_s: float = 1.3  # to renew its fork servers, a block's part of it
    set_up_s: float = 0.2  # of a case, by both revisions at once
    control_s: float = 0.3
    round_s: float = 0.009  # a pass of 6 to 12 ms
    turn_s: float = 0.003  # to pass the turn, and read what a round used


@dataclass(kw_only=True)
class NoisyMachine:
    """Measures blocks of eight cases and three controls; head's throughput is `slower` by a logarithm."""

    noise: Noise
    rng: np.random.Generator
    slower: float = 0.0
    costs: MadeUpCosts = field(default_factory=MadeUpCosts)
    choose: Callable[[pd.DataFrame], pd.DataFrame] = chosen  # of the two estimates of a block's rows

    def block(
        self,
        number: int,
        cases: Collection[str] | None,
        pairs: Mapping[str, int],
        first_pairs: int,
        *,
        has_all_controls: bool,
    ) -> tuple[pd.DataFrame, float, BlockCost]:
        """Return the effects of a block, how long it took, and what of it cost what."""
        wanted = [case for case in CASES if cases is None or case in cases]
        count = {case: pairs.get(case, first_pairs) for case in wanted}
        controls = CONTROLS if has_all_controls else (str(self.rng.choice(CONTROLS)),)
        rows = [self._effect(case, count[case], self.slower) for case in wanted]
        rows += [self._effect(case, CONTROL_ROUNDS, 0.0) for case in controls]
        costs = self.costs
        pair_s = 2 * (costs.round_s + costs.turn_s)
        spent_s = sum(costs.set_up_s + pair_s * number for number in count.values())
        cost = BlockCost(
            start_s=costs.start_s + costs.servers_s,
            set_up_s={**dict.fromkeys(wanted, costs.set_up_s), **dict.fromkeys(controls, costs.control_s)},
            pair_s=dict.fromkeys((*wanted, *controls), pair_s),
        )
        seconds = cost.start_s + spent_s + costs.control_s * len(controls)
        return self.choose(pd.DataFrame(rows).assign(block=number, base=1.0, head=1.0)), seconds, cost

    def _effect(self, case: str, count: int, slower: float) -> dict[str, object]:
        is_control = case in CONTROLS
        moment = self.noise.between * self.rng.standard_normal() * (CONTROL_SHARE if is_control else 1.0)
        seconds = self._logs(count) + np.array([0.0, slower + moment])
        metric, sign = ("seconds", 1) if is_control else ("samples_per_s", -1)
        pairs, spread = spread_of(seconds)
        estimates = estimates_of(sign * seconds, sign)
        return {"case": case, "metric": metric, "pairs": pairs, "spread": spread, **estimates}

    def _logs(self, count: int) -> Floats:
        """Return the logarithms of the rounds of both revisions, (count, 2), in the order of an A/B, B/A block."""
        noise, round_s, rng = self.noise, self.costs.round_s, self.rng
        kept = np.exp(-round_s)
        steps = rng.standard_normal(2 * count) * noise.drift
        drift = steps.copy()
        for place in range(1, 2 * count):
            drift[place] = kept * drift[place - 1] + np.sqrt(1 - kept**2) * steps[place]
        bursts = rng.poisson(noise.bursts / np.mean(BURST_S) * round_s, 2 * count)
        delays = np.array([rng.uniform(*BURST_S, number).sum() for number in bursts])
        slowed = drift + np.log1p(delays / round_s) + np.log1p(self._slow_shares(2 * count))
        in_order = (slowed + noise.rounds * rng.standard_normal(2 * count)).reshape(-1, 2)
        in_order[1::2] = in_order[1::2, ::-1]
        return in_order if rng.random() < 0.5 else in_order[:, ::-1]  # noqa: PLR2004 - a coin

    def _slow_shares(self, count: int) -> Floats:
        """Return for each of so many rounds in turn the share of it in which the core is slow."""
        share, costs = self.noise.slow, self.costs
        if not share:
            return np.zeros(count)
        cells = round((costs.round_s + costs.turn_s) / CELL_S)
        means = np.array([SLOW_S, SLOW_S / share - SLOW_S]) / CELL_S  # slow, then fast
        is_slow, held = self.rng.random() < share, np.empty(0, dtype=bool)
        while len(held) < count * cells:
            held = np.append(held, np.full(1 + int(self.rng.exponential(means[0 if is_slow else 1])), is_slow))
            is_slow = not is_slow
        of_rounds = held[: count * cells].reshape(count, cells)[:, : round(costs.round_s / CELL_S)]
        shares: Floats = of_rounds.mean(axis=1)
        return shares

    def gate(self, plan: Plan, *, is_allocated: bool = True) -> SequentialTest:
        """Return a whole gate."""
        test = SequentialTest(plan=plan)
        while not test.is_over:
            measured = partial(self.block, test.blocks + 1, test.open_cases, test.pairs or {}, plan.first_pairs)
            effects, seconds, cost = measured(has_all_controls=test.needs_all_controls)
            test.add(effects, seconds, cost if is_allocated else None)
        return test
