"""What ``loaderbench tune`` does: the race of the settings of a space, trial by trial, within a budget of time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import msgspec

from loaderbench.benches.explain.baseline.batch_facts import loader_call
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.benches.tune.factors import Feasible
from loaderbench.benches.tune.space import Space, TunedLoader, Values
from loaderbench.benches.tune.trial import LEAST_TURNS, TrialTimes, trial
from loaderbench.reports.tune.race import Race, RacedSetting
from loaderbench.reports.tune.tune_record import COSTS, Objective, RuledOut, Trial, TriedSetting
from loaderbench.reports.units import quantity

FORK_S, START_S, SPAWN_S = 0.3, 0.05, 3.0  # of a trial: its process and memory; of a worker that is forked, or is not
BLOCKS_OF_A_STAGE = 2  # before what was measured decides what else is tried
NO_TIME = "there was no time: give a larger --budget"
OVERRUN = 0.1  # of the budget: the most that a trial may exceed it by
PATIENCE, LEAST_PATIENCE_S = 10.0, 20.0  # times what a trial is expected to take: then it is lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """How much a trial reads, of epochs of `samples`."""

    batches: int
    batch_samples: int
    batch_s: float  # in one process
    samples: int

    def batches_of(self, values: Values, usual_size: int | None) -> int:
        """Return the batches of a pass: of larger batches fewer, but some of each worker."""
        scale = 1.0 if usual_size is None else values["batch_size"] / usual_size
        workers: int = values["num_workers"]
        return max(int(self.batches / scale), LEAST_TURNS * max(1, workers))


@dataclass(kw_only=True)
class Search:
    """The settings of a space, raced."""

    subject: Subject
    space: Space
    feasible: Feasible
    consumer: Consumer
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
        self.race.start_from((one.block, one.setting, one.cost(self.objective)) for one in self.trials)
        self.stage_began = self.race.block
        return len(self.trials)

    def run(self, began: float, interruption: Interruption, progress: Progress) -> None:
        """Measure trial after trial until it is decided, or the budget is spent, which counts from `began`."""
        while True:
            self._go_on(monotonic() - began)
            spent_s = monotonic() - began
            name = self.race.next(spent_s)
            if name is not None:
                progress.describe(self._under_way(name))
                self._measure(name, spent_s, interruption)
                interruption.check()
            elif self.race.is_finishing:
                return
            elif not (self.race.ending == "decided" and self._join_further(spent_s)):
                self.race.finish()

    @property
    def tried_any(self) -> bool:
        """Return whether a setting was measured, or lost."""
        return bool(self.trials) or any(is_in == "lost" for is_in in self.race.status.values())

    def tried(self) -> tuple[TriedSetting, ...]:
        """Return the settings in the race, with their calls."""
        return tuple(self._tried(self.space.known[name]) for name in self.race.settings)

    def not_tried(self) -> tuple[RuledOut, ...]:
        """Return the settings that were not tried, with the reasons."""
        return (*self.ruled_out, *(RuledOut(name=name, reason=NO_TIME) for name in sorted(self.no_time)))

    def _go_on(self, spent_s: float) -> None:
        is_due = self.race.is_between_blocks and self.race.block - self.stage_began >= BLOCKS_OF_A_STAGE
        if is_due and not self.race.is_finishing:
            self._join_further(spent_s)

    def _join_further(self, spent_s: float) -> bool:
        """Let settings join that are near the best ones, as many as there is time for; return whether there are any."""
        race = self.race
        names = [name for name in race.settings if race.status[name] != "lost" and race.costs.blocks(name)]
        effects = race.costs.effects(names)
        eligible = [name for name in effects if race.status[name] != "compared"]
        if not eligible:
            return False
        ranked = sorted(eligible, key=lambda name: effects[name])
        workers = (name for name in ranked if self.space.known[name].values["num_workers"])
        further = self.space.further(effects, ranked[0], next(workers, None))
        return self._join(self._affordable(further, race.budget_s - spent_s - race.needed_s(race.open_ones)))

    def _affordable(self, candidates: Sequence[TunedLoader], left_s: float) -> list[TunedLoader]:
        """Return those that there is time for; the others may be tried later."""
        chosen: list[TunedLoader] = []
        for candidate in candidates:
            left_s -= BLOCKS_OF_A_STAGE * self._expected_s(candidate)
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
            if fault := self.feasible.fault(candidate.values):
                self.ruled_out.append(RuledOut(name=candidate.name, reason=fault))
                continue
            joining.append(
                RacedSetting(
                    name=candidate.name,
                    size=candidate.size,
                    expected_s=self._expected_s(candidate),
                    is_candidate=is_allowed,
                )
            )
        self.race.join(joining)
        self.stage_began = self.race.block
        return bool(joining)

    def _recalled(self, values: Values) -> str:
        """Return the name of a setting of an earlier search, which joins; "" where it is not to be tried any more."""
        candidate = self.space.candidate(values)
        if candidate.name not in self.space.known:
            self.space.known[candidate.name] = candidate
            self._join([candidate])
        return candidate.name if candidate.name in self.race.settings else ""

    def _measure(self, name: str, spent_s: float, interruption: Interruption) -> None:
        """Measure a trial in a process of its own; one that fails in any way is lost, and the race goes on."""
        candidate, race, began = self.space.known[name], self.race, monotonic()
        left_s = race.budget_s - spent_s + OVERRUN * race.budget_s
        timeout_s = min(left_s, max(LEAST_PATIENCE_S, PATIENCE * self._expected_s(candidate)))
        block = race.block
        try:
            times: TrialTimes = in_child(lambda: self._trial(candidate, block), timeout_s=timeout_s)
        except Exception as error:  # noqa: BLE001 - a user's dataset may fail under a setting in any way
            interruption.check()
            race.lost(name, reason(error))
            return
        seconds = monotonic() - began
        shown = Trial(
            setting=name,
            block=block,
            seconds=seconds,
            **{part: getattr(times, part) for part in TrialTimes.__slots__},
        )
        self.trials.append(shown)
        if fault := self._over_limit(shown):
            race.lost(name, fault)
        else:
            race.measured(name, shown.cost(self.objective), seconds)

    def _trial(self, candidate: TunedLoader, block: int) -> TrialTimes:
        config = self.space.config_of(candidate)
        size = self.space.config.batch_size
        scale = 1.0 if size is None else candidate.values["batch_size"] / size
        return trial(
            self.subject,
            replace(config, seed=block),  # all settings of a block read in one order
            self.consumer.ready(),
            batches=self.passes.batches_of(candidate.values, size),
            batch_samples=max(1, round(self.passes.batch_samples * scale)),
            samples=self.passes.samples,
        )

    def _over_limit(self, shown: Trial) -> str:
        limit = self.feasible.limit
        for option, measured, most in (
            ("--max-memory", shown.pss_bytes, limit.memory_bytes),
            ("--max-shm", shown.shm_bytes, limit.shm_bytes),
        ):
            if most is not None and measured > most:
                return f"it takes {quantity(measured, 'bytes')}, more than {option} {quantity(most, 'bytes')}"
        return ""

    def _expected_s(self, candidate: TunedLoader) -> float:
        values = candidate.values
        workers: int = values["num_workers"]
        size = self.space.config.batch_size
        scale = 1.0 if size is None else values["batch_size"] / size
        batches = self.passes.batches_of(values, size) + 2 * max(1, workers)
        making_s: float = batches * scale * self.passes.batch_s / max(1, min(workers, self.feasible.cpus))
        start_s: float = workers * (
            START_S if (values["start_method"] or "fork") == "fork" else SPAWN_S / self.feasible.cpus
        )
        return FORK_S + making_s + start_s * (1 if values["persistent_workers"] else 2)

    def _under_way(self, name: str) -> str:
        best = self.race.best
        if best is None:
            return name
        cost = quantity(self.race.costs.cost(best), "s")
        open_ones = len(self.race.open_ones)
        return f"{name} · best so far {best}: {cost} for {COSTS[self.objective][1]} · {open_ones} open"

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
