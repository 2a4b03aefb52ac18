"""The race: which setting is measured next, which are dropped, and when to stop.

A block measures every open setting once, in drawn order. After a block these are dropped:

- *worse*: shown to cost more than another one by more than the margin, or far more than the best of a first block;
- *not needed*: a smaller setting is shown to cost at most the margin more;
- *not pursued*: the half that costs more, where the time left does not hold the fewest blocks of all that are open
  (successive halving: K. Jamieson and A. Talwalkar, AISTATS 2016).

So the budget goes to those still open; time is kept to compare the baselines with what is recommended in the end. The
race is decided when the smallest open setting is shown to cost at most the margin more than every other one; otherwise
it ends when the budget is spent. What is shown, and with what error, is in `claims`.

Nothing here has a clock or a process: whoever measures says how many seconds were spent, and what a trial showed.
"""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from loaderbench.reports.stats.conventions import LEVEL, MARGIN
from loaderbench.reports.tune.block_costs import BlockCosts, CostRatio, Spread
from loaderbench.reports.tune.claims import FEWEST_BLOCKS, as_good, costs_no_more, least_above
from loaderbench.reports.tune.raced_setting import RacedSetting

LEAST_OF_BASELINE = 3  # blocks that a baseline has in common with what is recommended
MOST_RESERVED = 0.25  # of the budget, for comparing the baselines with what is recommended
LEVEL_AT_A_STOP = 1 - (1 - LEVEL) / 2  # of an interval that is to cover at LEVEL although a race stops where it suits
FAR = 4.0  # times the lowest cost: more than this is worse after a single block

Status = Literal["open", "worse", "not needed", "not pursued", "lost", "compared"]
RaceEnding = Literal["", "decided", "budget"]


@dataclass(kw_only=True)
class Race:
    """Ask `next` what to measure; report what came of it with `measured` or `lost`; `join` adds settings."""

    budget_s: float
    rng: random.Random
    baselines: frozenset[str] = frozenset()
    """Names of settings that are compared with what is recommended, however much worse they are."""
    settings: dict[str, RacedSetting] = field(default_factory=dict)
    costs: BlockCosts = field(default_factory=BlockCosts)
    status: dict[str, Status] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a setting was lost."""
    taken_s: dict[str, list[float]] = field(default_factory=dict)
    block: int = 0
    waiting: list[str] = field(default_factory=list)
    """Settings whose trial of this block is still to come."""
    ending: RaceEnding = ""
    _final: tuple[str, bool] | None = field(default=None, init=False)
    """What is recommended, once the race has come to an end."""
    _reserve_s: float = field(default=0.0, init=False)
    is_finishing: bool = field(default=False, init=False)
    """Whether only the baselines are measured, beside what is recommended."""
    _is_over: bool = field(default=False, init=False)
    """Whether nothing more is measured."""
    _is_unconfirmed: bool = field(default=False, init=False)
    """Whether all trials are an earlier race's."""
    _spread: tuple[int, Spread] | None = field(default=None, init=False)
    """Of all settings, by the trials that there were when it was computed."""

    def join(self, settings: Iterable[RacedSetting]) -> None:
        """Add settings that are not in the race yet; they are measured from the next block on."""
        for setting in settings:
            if setting.name not in self.settings:
                self.settings[setting.name] = setting
                self.status[setting.name] = "open" if setting.is_candidate else "compared"
                self.taken_s[setting.name] = []
                self.ending = ""

    def start_from(self, trials: Iterable[tuple[int, str, float]]) -> None:
        """Take in block, setting and cost of trials that an earlier race measured; a block more is measured anyway."""
        for block, name, cost in trials:
            self.block = max(self.block, block)
            self.costs.add(block, name, cost)
            self._is_unconfirmed = True
        self._drop_the_worse()

    def next(self, spent_s: float) -> str | None:
        """Return the setting to measure next when `spent_s` seconds were spent; None to stop."""
        if not self.waiting:
            self._reserve_s = 0.0 if self.is_finishing else self._reserved_s()
        left_s = self.budget_s - spent_s - self._reserve_s
        if not self.waiting:
            self._begin_block(left_s)
        affordable = [name for name in self.waiting if self.trial_s(name) <= left_s]
        if self.is_finishing and not affordable:
            self._is_over = True
            return None
        if not affordable:
            is_settled = not self.waiting and not self._with("not pursued")
            self.ending = "decided" if is_settled else "budget"
            return None
        return affordable[0]

    def finish(self) -> None:
        """Settle what is recommended; `next` goes on with baselines that have few blocks in common with it."""
        self._final = self.recommended
        self.is_finishing = True
        self.waiting = []

    def measured(self, name: str, cost: float, seconds: float) -> None:
        """Record what a setting cost in this block, and the `seconds` that its trial took."""
        self.waiting.remove(name)
        self.taken_s[name].append(seconds)
        self.costs.add(self.block, name, cost)
        if not self.waiting:
            self._drop_the_worse()

    def lost(self, name: str, reason: str) -> None:
        """Record that a setting failed, or may not be used: no further trials. What it ruled out is open again."""
        if name in self.waiting:
            self.waiting.remove(name)
        self.status[name] = "lost"
        self.reasons[name] = reason
        if self.costs.blocks(name) and not self.is_finishing:
            self.status |= dict.fromkeys(self._with("worse", "not needed"), "open")
        if not self.waiting:
            self._drop_the_worse()

    @property
    def is_between_blocks(self) -> bool:
        """Return whether no trial of a block is still to come."""
        return not self.waiting

    @property
    def open_ones(self) -> list[str]:
        """Return the settings that are open, the smallest first."""
        return sorted(self._with("open"), key=lambda name: self.settings[name].size)

    @property
    def is_decided(self) -> bool:
        """Return whether the smallest open setting is shown to be as good as every other one that is open."""
        names = self.open_ones
        if not all(self.costs.blocks(name) for name in names):
            return False
        return len(names) <= 1 or bool(as_good(self.costs, names, self._spread_of_all())[0])

    @property
    def best(self) -> str | None:
        """Return the setting that costs least of those that may be used; None before any was measured."""
        return self._least([name for name, is_in in self.status.items() if is_in not in ("lost", "compared")])

    @property
    def recommended(self) -> tuple[str, bool] | None:
        """Return the smallest setting that is shown to be as good as every open one, and True.

        Where none is: the best, and False. None before any was measured.
        """
        if self.is_finishing:
            return self._settled
        names = [name for name in self.open_ones if self.costs.blocks(name)]
        best = self._least(names)
        if best is None:
            return None
        are_good = as_good(self.costs, names, self._spread_of_all())
        shown = next((name for name, is_good in zip(names, are_good, strict=True) if is_good), None)
        return (best, False) if shown is None or self._with("not pursued") else (shown, True)

    @property
    def _settled(self) -> tuple[str, bool] | None:
        """Return what was to be recommended when the race ended, unless the blocks after it speak against it.

        Where a late trial of it was lost, or it was not shown to be as good and a baseline costs less in the blocks
        that both have (enough, or all that there will be), it is the best as of now.
        """
        if self._final is None:
            return None
        (name, is_shown), best = self._final, self.best
        if self.status[name] == "lost":
            return None if best is None else (best, False)
        if is_shown:
            return self._final
        usable = [one for one in sorted(self.baselines) if self.status.get(one, "lost") not in ("lost", "compared")]
        least = 1 if self._is_over else LEAST_OF_BASELINE
        ratios = {one: self.compare(one, name) for one in usable if self.costs.common(one, name) >= least}
        cheaper = sorted((cost.ratio, one) for one, cost in ratios.items() if cost.ratio < 1)
        if not cheaper:
            return name, False
        return (cheaper[0][1] if best is None or best == name else best), False

    def compare(self, one: str, other: str) -> CostRatio:
        """Return the cost of `one` over that of `other`."""
        return self.costs.compare(one, other, self._spread_of_all(), level=LEVEL_AT_A_STOP)

    def _spread_of_all(self) -> Spread:
        trials = sum(map(self.costs.blocks, self.settings))
        if self._spread is None or self._spread[0] != trials:
            usable = [name for name, is_in in self.status.items() if is_in != "lost"]
            self._spread = (trials, self.costs.spread(usable))
        return self._spread[1]

    def trial_s(self, name: str) -> float:
        """Return what a trial of a setting takes: as its trials did, or as expected at this machine's pace."""
        taken = self.taken_s[name]
        return sum(taken) / len(taken) if taken else self.pace * self.settings[name].expected_s

    @property
    def pace(self) -> float:
        """Return what trials take over what was expected of them: more where a machine is slow, or busy."""
        taken_s = sum(map(sum, self.taken_s.values()))
        expected_s = sum(len(taken) * self.settings[name].expected_s for name, taken in self.taken_s.items())
        return taken_s / expected_s if expected_s else 1.0

    def _begin_block(self, left_s: float) -> None:
        if self.is_finishing:
            owed, recommended = self._owed(), self.recommended
            names = [*owed, *([recommended[0]] if recommended and owed else [])]
        elif self.is_decided and not (self._is_unconfirmed or self._reopen(left_s)):
            return
        else:
            self._is_unconfirmed = False
            self._halve(left_s)
            names = self.open_ones if self.block else self._all_of_the_first_block()
        if not names:
            return
        self.block += 1
        self.waiting = names
        if self.block > 1:
            self.rng.shuffle(self.waiting)

    def _all_of_the_first_block(self) -> list[str]:
        """Return all settings, the baselines first: however small the budget, there is something to compare with."""
        return sorted([*self.open_ones, *self._with("compared")], key=lambda name: name not in self.baselines)

    def _with(self, *statuses: Status) -> list[str]:
        return [name for name, is_in in self.status.items() if is_in in statuses]

    def _owed(self) -> dict[str, int]:
        """Return the baselines that have too few blocks in common with what is recommended, and how many too few."""
        recommended = self.recommended
        if recommended is None:
            return {}
        names = (name for name in self.baselines if self.status.get(name, "lost") != "lost" and name != recommended[0])
        owed = {name: LEAST_OF_BASELINE - self.costs.common(name, recommended[0]) for name in sorted(names)}
        return {name: blocks for name, blocks in owed.items() if blocks > 0}

    def _reserved_s(self) -> float:
        """Return the seconds that it takes to compare the baselines with what would be recommended now."""
        owed, recommended = self._owed(), self.recommended
        if not owed or recommended is None:
            return 0.0
        seconds = max(owed.values()) * self.trial_s(recommended[0])
        return min(MOST_RESERVED * self.budget_s, seconds + sum(owed[name] * self.trial_s(name) for name in owed))

    def _drop_the_worse(self) -> None:
        names = [name for name in self.open_ones if self.costs.blocks(name)]
        best = self._least(names)
        if best is None or self.is_finishing:
            return
        effects = self.costs.effects(names)
        low = least_above(self.costs, names, best, self._spread_of_all())
        for name, least in zip(names, low, strict=True):
            if effects[name] > effects[best] + math.log(FAR) or least > math.log1p(MARGIN):
                self.status[name] = "worse"
        self._drop_what_is_not_needed()

    def _drop_what_is_not_needed(self) -> None:
        names = [name for name in self.open_ones if self.costs.blocks(name) >= FEWEST_BLOCKS]
        if not names:
            return
        is_no_dearer = costs_no_more(self.costs, names, self._spread_of_all())
        for place, name in enumerate(names):
            for larger in range(place + 1, len(names)):
                if self.status[name] == self.status[names[larger]] == "open" and is_no_dearer[place, larger]:
                    self.status[names[larger]] = "not needed"

    def _halve(self, left_s: float) -> None:
        """Leave out the half that costs more while there is no time for the fewest blocks of those that are open."""
        names = [name for name in self.open_ones if self.costs.blocks(name)]
        effects = self.costs.effects(names)
        names.sort(key=lambda name: effects[name])
        while len(names) > 2 and self.needed_s(names) > left_s:  # noqa: PLR2004 - one alone is compared with nothing
            keep = -(-len(names) // 2)
            for name in names[keep:]:
                self.status[name] = "not pursued"
            names = names[:keep]

    def _reopen(self, left_s: float) -> bool:
        """Open those again that were left out and for which there is time after all; return whether there are any."""
        effects = self.costs.effects(self._with("not pursued"))
        reopened: list[str] = []
        for name in sorted(effects, key=lambda name: effects[name]):
            if self.needed_s([*self.open_ones, name]) <= left_s:
                self.status[name] = "open"
                reopened.append(name)
        return bool(reopened)

    def needed_s(self, names: Iterable[str]) -> float:
        """Return the seconds by which all of `names` have the fewest blocks, and one more of those that have them."""
        return sum(max(1, FEWEST_BLOCKS - self.costs.blocks(name)) * self.trial_s(name) for name in names)

    def _least(self, names: Iterable[str]) -> str | None:
        effects: Mapping[str, float] = self.costs.effects(self.costs.linked(names))
        return min(effects, key=lambda name: effects[name], default=None)
