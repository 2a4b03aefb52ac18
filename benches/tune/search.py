"""The search: which settings of a space race, and which of them is measured next. It has no clock and no process.

Whoever measures asks `next`, with the seconds that were spent, and reports with `measured` or `lost` what came of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from loaderbench.benches.explain.baseline.loader_call import loader_call
from loaderbench.benches.tune.passes import Passes
from loaderbench.benches.tune.space import Space, TunedLoader, Values
from loaderbench.reports.tune.race import Race
from loaderbench.reports.tune.raced_setting import RacedSetting
from loaderbench.reports.tune.tune_record import COSTS, Objective, RuledOut, Trial, TriedSetting, TuneLimits
from loaderbench.reports.units import quantity

BLOCKS_OF_A_STAGE = 1  # before what was measured decides what else is tried
NO_TIME = "there was no time: give a larger --budget"
INTERRUPTED = "it was interrupted before"


@dataclass(kw_only=True)
class Search:
    """The settings of a space, raced."""

    space: Space
    fault: Callable[[Values], str]
    """Why a setting is not to be tried; "" where nothing speaks against it."""
    limit: TuneLimits
    passes: Passes
    objective: Objective
    race: Race
    baselines: Sequence[Values]
    own: Values
    sets_epoch: bool = False
    trials: list[Trial] = field(default_factory=list)
    ruled_out: list[RuledOut] = field(default_factory=list)
    no_time: set[str] = field(default_factory=set)
    """Names of settings that there was no time for."""
    stage_began: int = 0
    """The block in which the latest settings joined."""

    def start(self, earlier: Sequence[tuple[Values, Sequence[Trial]]] = ()) -> int:
        """Let the first settings join, and those of an earlier search with its trials; return how many trials."""
        self._join(self.space.first(self.own, self.baselines))
        known = [(self._recalled(values), trials) for values, trials in earlier]
        blocks = sorted({one.block for name, trials in known if name for one in trials})
        places = {block: place for place, block in enumerate(blocks, start=1)}
        for name, trials in known:
            if name:
                self.trials += [msgspec.structs.replace(one, setting=name, block=places[one.block]) for one in trials]
        self.trials.sort(key=lambda one: one.block)
        for one in self.trials:
            if fault := self.limit.exceeded_by(one):
                self.race.lost(one.setting, fault)
        self.race.start_from((one.block, one.setting, one.cost(self.objective)) for one in self.trials)
        self.stage_began = self.race.block
        return len(self.trials)

    def next(self, spent_s: float) -> str | None:
        """Return the setting to measure next when `spent_s` seconds were spent; None where it is at an end."""
        race = self.race
        is_due = race.is_between_blocks and race.block - self.stage_began >= BLOCKS_OF_A_STAGE
        if is_due and not race.is_finishing:
            self._join_further(spent_s)
        while (name := race.next(spent_s)) is None and not race.is_finishing:
            if not (race.ending == "decided" and self._join_further(spent_s)):
                race.finish()
        return name

    def measured(self, shown: Trial) -> None:
        """Take in a trial; a setting that exceeds a limit is lost."""
        self.trials.append(shown)
        if fault := self.limit.exceeded_by(shown):
            self.race.lost(shown.setting, fault)
        else:
            self.race.measured(shown.setting, shown.cost(self.objective), shown.seconds)

    def lost(self, name: str, reason: str) -> None:
        """Record that a trial failed: the setting has no further ones."""
        self.race.lost(name, reason)

    def under_way(self, name: str) -> str:
        """Return what is being tried, and the best so far."""
        best = self.race.best
        if best is None:
            return name
        cost = quantity(self.race.costs.cost(best), "s")
        open_ones = len(self.race.open_ones)
        return f"{name} · best so far {best}: {cost} {COSTS[self.objective][1]} · {open_ones} open"

    @property
    def tried_any(self) -> bool:
        """Return whether a setting was measured, or lost."""
        return bool(self.trials) or any(is_in == "lost" for is_in in self.race.status.values())

    def tried(self) -> tuple[TriedSetting, ...]:
        """Return the settings that were measured, or lost, with their calls."""
        return tuple(self._tried(self.space.known[name]) for name in self.race.settings if self._is_tried(name))

    def not_tried(self, *, interrupted: bool = False) -> tuple[RuledOut, ...]:
        """Return the settings that were not tried, with the reasons; `interrupted` is one."""
        names = self.no_time | {name for name in self.race.settings if not self._is_tried(name)}
        reason = INTERRUPTED if interrupted else NO_TIME
        return (*self.ruled_out, *(RuledOut(name=name, reason=reason) for name in sorted(names)))

    def _is_tried(self, name: str) -> bool:
        return bool(self.race.costs.blocks(name)) or self.race.status[name] == "lost"

    def _join_further(self, spent_s: float) -> bool:
        """Let settings join that are near the best ones, as many as there is time for; return whether there are any."""
        race = self.race
        names = [name for name in race.settings if race.status[name] != "lost" and race.costs.blocks(name)]
        effects = race.costs.effects(names)
        eligible = [name for name in effects if race.status[name] != "compared"]
        if not eligible:
            return False
        ranked = sorted(eligible, key=lambda name: effects[name])
        workers = {name: self.space.known[name].values["num_workers"] for name in ranked}
        further = self.space.further(
            effects,
            ranked[0],
            next((name for name in ranked if workers[name]), None),
            next((name for name in ranked if not workers[name] and race.status[name] == "open"), None),
        )
        return self._join(self._affordable(further, race.budget_s - spent_s - race.needed_s(race.open_ones)))

    def _affordable(self, candidates: Sequence[TunedLoader], left_s: float) -> list[TunedLoader]:
        """Return those that there is time for; the others may be tried later."""
        chosen: list[TunedLoader] = []
        for candidate in candidates:
            left_s -= BLOCKS_OF_A_STAGE * self.race.pace * self.passes.expected_s(candidate.values)
            if left_s >= 0:
                chosen.append(candidate)
                self.no_time.discard(candidate.name)
            else:
                del self.space.known[candidate.name]
                self.no_time.add(candidate.name)
        return chosen

    def _join(self, candidates: Sequence[TunedLoader]) -> bool:
        names_of_baselines = {self.space.candidate(values).name for values in self.baselines}
        joining = []
        for candidate in candidates:
            is_allowed = self.space.allows(candidate)
            if not is_allowed and candidate.name not in names_of_baselines:
                continue
            if fault := self.fault(candidate.values):
                self.ruled_out.append(RuledOut(name=candidate.name, reason=fault))
                continue
            joining.append(
                RacedSetting(
                    name=candidate.name,
                    size=candidate.size,
                    expected_s=self.passes.expected_s(candidate.values),
                    is_candidate=is_allowed,
                )
            )
        self.race.join(joining)
        self.stage_began = self.race.block
        return bool(joining)

    def _recalled(self, values: Values) -> str:
        """Return the name of a setting of an earlier search, which joins; "" where it is not to be tried any more."""
        candidate = self.space.candidate(values)
        if candidate.name not in self.space.known and self.space.offers(candidate):
            self.space.known[candidate.name] = candidate
            self._join([candidate])
        return candidate.name if candidate.name in self.race.settings else ""

    def _tried(self, candidate: TunedLoader) -> TriedSetting:
        values = dict(candidate.values)
        return TriedSetting(
            name=candidate.name,
            values=values,
            call=loader_call(self.space.config_of(candidate)),
            imports=self.space.imports_of(candidate),
            caveats=tuple(self.space.caveats_of(candidate, sets_epoch=self.sets_epoch)),
            status=self.race.status[candidate.name],
            reason=self.race.reasons.get(candidate.name, ""),
        )
