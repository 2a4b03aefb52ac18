"""The sequential test: which cases to measure in the next block, and the verdicts at the end.

`SequentialTest` is a state machine without a clock or a process. It says which cases the next block is to measure, and
is given that block's effects and how many seconds it took.

An interim analysis comes after 3 blocks, and whenever there are 1.4 times as many; and where the budget holds no more
blocks than would confirm what it finds. However many there will be, the error is spent over them
(`reports/stats/interim.py`). What looks changed at one of them is a *candidate*, and becomes a verdict only if blocks
measured after that show the same by themselves: the data that show a candidate cannot also confirm it. A case of which
every metric is settled is not measured any more. What is confirmed while a control looks moved is to be confirmed by
fresh blocks again, until by all blocks no control looks so: that tells chance from a machine that changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import pandas as pd

from loaderbench.reports.gate.budget import OVERRUN, RENEWED_AFTER, for_blocks_s, holds_another
from loaderbench.reports.gate.estimate import (
    CHANGES,
    EXACT,
    FEWEST,
    Change,
    Estimate,
    candidate_changes,
    estimates_of,
    moved_controls,
)
from loaderbench.reports.gate.forecast import Forecast, forecast
from loaderbench.reports.gate.paired_effects import effects as effects_of_blocks
from loaderbench.reports.gate.paired_effects import is_control
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.rounds_per_block import BlockCost, BlockPlan, allocate
from loaderbench.reports.gate.verdicts import CaseVerdict, VerdictName
from loaderbench.reports.stats.interim import spent_share
from loaderbench.reports.units import count

Key = tuple[str, str]  # case, metric


@dataclass(kw_only=True, slots=True)
class MetricState:
    """Where one metric of one case stands."""

    estimate: Estimate
    verdict: VerdictName = "inconclusive"
    candidate: Change | None = None
    candidate_since: int = 0  # blocks: only later ones confirm it
    is_doubted: bool = False  # it was confirmed, but a control moved
    is_settled: bool = False
    why: str = ""

    def settle(self, verdict: VerdictName) -> None:
        """Give the final verdict."""
        self.verdict, self.why, self.is_settled = verdict, "", True


@dataclass(kw_only=True)
class SequentialTest:
    """A comparison under way: ask `is_over` and `open_cases`, measure a block, `add` it; then ask for `verdicts`."""

    plan: Plan
    started_s: float = 0.0  # of the budget, before the first block
    effects: list[pd.DataFrame] = field(default_factory=list)  # of each block: case, metric, effect, base, head
    seconds: list[float] = field(default_factory=list)  # of each block
    renewed_s: list[float] = field(default_factory=list)  # of each block, of those seconds: to start its fork servers
    analyses: list[int] = field(default_factory=list)  # after how many blocks
    states: dict[Key, MetricState] = field(default_factory=dict)
    costs: list[BlockCost] = field(default_factory=list)  # of the first blocks
    allocation: BlockPlan | None = None
    stopped: str = ""  # why no further block could be measured
    _estimated: dict[int, dict[Key, Estimate]] = field(default_factory=dict, init=False, repr=False)

    @property
    def blocks(self) -> int:
        """Return how many blocks were added."""
        return len(self.effects)

    @property
    def spent_s(self) -> float:
        """Return the seconds that all blocks took, and what came before them."""
        return self.started_s + sum(self.seconds)

    @property
    def is_over(self) -> bool:
        """Return whether no block is to be measured any more: all is settled, or the budget holds no further one."""
        if not self.effects:
            return False
        if not self._compares or (self.states and not self.open_cases):
            return True
        if self.blocks < self.plan.first_analysis and self.blocks + self._further_blocks < self.plan.first_analysis:
            return True  # nothing will be decided
        has_budget = holds_another(for_blocks_s(self.plan.budget_s), self.spent_s, [self.expected_s])
        return not has_budget or self.blocks >= self.plan.most_blocks

    @property
    def expected_s(self) -> float:
        """Return the seconds that the next block is expected to take: as the longer of the last two, and a renewal."""
        return self._own_s + (0.0 if self.blocks % RENEWED_AFTER else max(self.renewed_s))

    @property
    def _own_s(self) -> float:
        """Return the seconds that a block is expected to take, once its fork servers are there."""
        return max(
            seconds - renewed_s for seconds, renewed_s in zip(self.seconds[-2:], self.renewed_s[-2:], strict=True)
        )

    @property
    def _block_s(self) -> float:
        """Return the seconds that blocks to come are expected to take, in the mean."""
        return self._own_s + max(self.renewed_s) / RENEWED_AFTER

    @property
    def _further_blocks(self) -> int:
        """Return how many more blocks the budget holds."""
        left_s = for_blocks_s(self.plan.budget_s) - self.spent_s
        return min(self.plan.most_blocks - self.blocks, int(left_s / max(self._block_s, 1e-9)))

    @property
    def left_s(self) -> float:
        """Return the seconds after which the next block is ended, if it takes longer than was expected."""
        return OVERRUN * for_blocks_s(self.plan.budget_s) - self.spent_s

    @property
    def open_cases(self) -> frozenset[str] | None:
        """Return the cases that the next block is to measure besides controls; None (all) before the first analysis."""
        if not self.states:
            return None
        return frozenset(case for (case, _), state in self.states.items() if not state.is_settled)

    @property
    def moved(self) -> tuple[str, ...]:
        """Return the controls that differ between the revisions, which no change to the code can make them do."""
        return moved_controls(list(self._since(0).values()), self.plan.margin)

    @property
    def forecast(self) -> Forecast | None:
        """Return what the budget can settle; None before the first analysis."""
        if self.blocks < self.plan.first_analysis:
            return None
        return forecast(
            list(self._judged().values()),
            margin=self.plan.margin,
            budget_s=for_blocks_s(self.plan.budget_s),
            spent_s=self.spent_s,
            block_s=self._block_s,
        )

    @property
    def _compares(self) -> bool:
        """Return whether the first block, of all cases, compared any: where all are skipped, no further one will."""
        return not self.effects[0]["case"].map(is_control).all()

    @property
    def pairs(self) -> Mapping[str, int] | None:
        """Return how many pairs of rounds each case has in the next block; None: as many as is usual."""
        return self.allocation.pairs if self.allocation else None

    @property
    def needs_all_controls(self) -> bool:
        """Return whether the next block measures each control: until they are known, and while there is a candidate.

        Otherwise one of them tells whether the machine is what it was.
        """
        return self.blocks < FEWEST or any(state.candidate and not state.is_settled for state in self.states.values())

    def add(
        self, effects: pd.DataFrame, seconds: float, cost: BlockCost | None = None, *, renewed_s: float = 0.0
    ) -> None:
        """Take in a block: its effects, a row for each case and metric, how long it took, and what of it cost what.

        Without a `cost` blocks stay as they are. `renewed_s` of the `seconds` were taken to start its fork servers.
        """
        self.effects.append(effects)
        self.seconds.append(seconds)
        self.renewed_s.append(renewed_s)
        self._estimated.clear()
        if cost and self.blocks <= self.plan.allocated_after:
            self.costs.append(cost)
        if self.blocks == len(self.costs) == self.plan.allocated_after:
            self._allocate()
        if self._has_analysis:
            self._analyse()
        for key, state in self.states.items():
            if not state.is_settled:
                self._confirm(key, state)

    def verdicts(self, *, is_interrupted: bool = False) -> list[CaseVerdict]:
        """Return the verdict on each metric of each case (not the controls), by the blocks added so far.

        Where the user `is_interrupted` nothing that is open is decided: the blocks end where they were not meant to.
        """
        states = {key: replace(state) for key, state in self.states.items()}
        self._close(states, is_interrupted=is_interrupted)
        judged = partial(CaseVerdict.of, margin=self.plan.margin, moved=self.moved)
        return [judged(s.estimate, s.verdict, s.why, candidate=s.candidate) for s in states.values()]

    def _allocate(self) -> None:
        """Decide how many pairs of rounds the blocks to come have, and so how many blocks, before any analysis."""
        left_s = for_blocks_s(self.plan.budget_s) - self.spent_s
        self.allocation = allocate(self.effects, self.costs, left_s=left_s)

    @property
    def _has_analysis(self) -> bool:
        """Return whether the blocks so far are analysed: as planned, or as those left would just confirm a change."""
        is_possible = self.blocks >= self.plan.first_analysis
        is_last = self._further_blocks == self.plan.confirming_blocks
        return is_possible and (self.plan.has_analysis_after(self.blocks) or is_last)

    def _analyse(self) -> None:
        """Judge all blocks so far, with this analysis's share of the error."""
        estimates, first = self._judged(), self.plan.first_analysis
        earlier = spent_share(self.analyses[-1], first) if self.analyses else 0.0
        share = spent_share(self.blocks, first) - earlier
        self.analyses.append(self.blocks)
        candidates = candidate_changes(list(estimates.values()), self.plan.margin, self.plan.candidate_rate * share)
        for key, estimate in estimates.items():
            state = self.states.setdefault(key, MetricState(estimate=estimate))
            if state.is_settled or state.candidate:
                continue
            state.estimate, state.candidate, state.candidate_since = estimate, candidates.get(key), self.blocks
            if not state.candidate and estimate.is_within(self.plan.margin):
                state.settle("unchanged")

    def _confirm(self, key: Key, state: MetricState, *, is_last: bool = False) -> None:
        """Confirm a candidate change by fresh blocks, or drop it.

        They are asked after `confirming_blocks`, and once more after twice as many or, where `is_last`, at the end.
        """
        change, enough = state.candidate, self.plan.confirming_blocks
        fresh = self.blocks - state.candidate_since
        is_first_time = fresh == enough and not is_last  # at the end they have been asked already
        is_second_time = fresh == 2 * enough or (is_last and fresh > enough)
        if change is None or not (is_first_time or is_second_time):
            return
        later = self._since(state.candidate_since).get(key)  # None where no fresh block could measure it
        state.estimate = whole = self._since(0)[key]
        if (
            later is not None
            and later.p_value(change) <= self.plan.confirming_error / 2
            and later.is_beyond(change, self.plan.margin / 2)
            and whole.is_beyond(change, self.plan.margin)
            and whole.exact_p_value(change) <= EXACT
        ):
            if self.moved and not is_last:
                state.is_doubted, state.candidate_since = True, self.blocks
            else:
                state.settle(change)
        elif is_second_time:  # a later analysis may name it again, and then fresh blocks are measured again
            state.why = f"looked {change}, and fresh blocks did not confirm it"
            state.candidate, state.is_doubted = None, False

    def _close(self, states: dict[Key, MetricState], *, is_interrupted: bool) -> None:
        """Give every state that is open the verdict that the blocks allow."""
        for key, estimate in self._judged().items():
            state = states.setdefault(key, MetricState(estimate=estimate))
            if state.candidate and not state.is_settled and not is_interrupted:
                if state.is_doubted and self.moved and estimate.is_beyond(state.candidate, self.plan.margin):
                    state.estimate = estimate
                    state.settle(state.candidate)
                else:
                    self._confirm(key, state, is_last=True)
            if state.is_settled:
                continue
            state.estimate = estimate
            if state.candidate and not estimate.is_beyond(state.candidate, self.plan.margin):
                state.candidate = None  # it looked changed; by all blocks it does not
            if is_interrupted:
                state.why = "interrupted before the blocks decided it"
            elif state.candidate:
                state.why = _undecided(estimate, self.plan.margin)
            elif estimate.is_within(self.plan.margin) and estimate.blocks >= self.plan.first_analysis:
                state.settle("unchanged")
            else:
                state.why = state.why or _undecided(estimate, self.plan.margin)

    def _judged(self) -> dict[Key, Estimate]:
        """Return the estimates of all cases but the controls, by all blocks."""
        return {key: estimate for key, estimate in self._since(0).items() if not is_control(estimate.case)}

    def _since(self, first: int) -> dict[Key, Estimate]:
        """Return the estimates by the blocks after the first `first` ones; all blocks tell how much cases vary."""
        if first not in self._estimated:
            everything = pd.concat(self.effects, ignore_index=True) if self.effects else effects_of_blocks([])
            later = pd.concat(self.effects[first:], ignore_index=True) if first else everything
            self._estimated[first] = {(e.case, e.metric): e for e in estimates_of(later, like=everything)}
        return self._estimated[first]


def _undecided(estimate: Estimate, margin: float) -> str:
    if estimate.blocks < FEWEST:
        return f"{count(estimate.blocks, 'block')}; a verdict needs {FEWEST}"
    low, high = estimate.interval
    looks = next((change for change in CHANGES if estimate.is_beyond(change, margin)), None)
    if looks and not low <= 0 <= high:
        return f"looks {looks}, and the budget was too short to confirm it"
    return estimate.why_undecided(margin)
