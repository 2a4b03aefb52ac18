"""What ``loaderbench explain`` measures: each intervention against the loader as it is, within a budget of time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any

from loaderbench.benches.explain.ab_passes import block_in_child, turns_of
from loaderbench.benches.explain.baseline.baseline import Baseline, measure_baseline
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.explain.baseline.loader_call import plain_arguments
from loaderbench.benches.explain.interventions.intervention import TOGETHER, Intervention, together
from loaderbench.benches.explain.interventions.known import INTERVENTIONS, interventions_of
from loaderbench.benches.explain.loader_memory import loader_memory
from loaderbench.benches.explain.observations import observations_of
from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.loading.case_loader import cut
from loaderbench.benches.harness.loading.first_batch import TIMEOUT_S
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.session.record import now
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.datasets.recipes.compact import collections_of
from loaderbench.reports.explain.ab_schedule import (
    PassPlan,
    Schedule,
    leaves_others_time,
    lengthened,
    passes_of,
    plan_passes,
)
from loaderbench.reports.explain.explain_record import (
    DatasetFacts,
    Explanation,
    LoaderMemory,
    NotRun,
    Observation,
    PassBlock,
)
from loaderbench.reports.explain.ranking import FEWEST_BLOCKS, rank
from loaderbench.reports.units import quantity

WRITING_S = 1.0  # that showing and writing the result takes, about
LONGEST_WRITING = 0.1  # of the budget
FIRST_PASSES, OBSERVING = 0.04, 0.05  # of the budget: for a traced pass, and for each observer
MEMORY, MEMORY_OF_OBJECTS = 0.12, 0.3  # of what is left then, at least
COMBINED_BLOCKS = 6  # for which time is kept: the fewest, and some to spare
BUSY = 1.5  # how much longer blocks may take than expected
OVERRUN_SHARE = 0.1  # of the budget: the most that a block may exceed it by
MOST_SAMPLES = 1 << 20  # that are ever read: a sampler draws an order of all that a loader has
FORK_S = 0.15  # of a block: its process, and the workers of two loaders


def explain(
    subject: Subject,
    config: LoaderConfig,
    consumer: Consumer,
    *,
    budget_s: float,
    seed: int,
    command: tuple[str, ...],
    began: float | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Explanation:
    """Measure the interventions that apply to the loader, and its memory; Ctrl-C keeps what was measured.

    All of it takes `budget_s` seconds from `began` on, by ``time.monotonic`` (default: from now on). `timeout_s` is for
    a batch of workers, where the loader itself has none. Raises RefusedError where the loader as it is cannot be read.
    """
    budget = Budget(seconds=budget_s, began=monotonic() if began is None else began)
    started = now().isoformat()
    subject, config = cut(subject, config, MOST_SAMPLES)
    longest_s = max(0.1, FIRST_PASSES * budget_s)
    baseline = measure_baseline(
        subject, config, consumer, longest_s=longest_s, left_s=lambda: budget.left_s, timeout_s=timeout_s
    )
    interventions, not_run = interventions_of(baseline)
    experiment = Experiment(
        baseline=baseline,
        consumer=consumer,
        budget=budget,
        rng=random.Random(seed),  # noqa: S311 - an order, not a secret
        interventions={intervention.facts.cause: intervention for intervention in interventions},
        not_run=not_run,
        facts={"seed": seed, **Explanation.head(started=started, command=command, machine=in_child(machine.facts))},
    )
    try:
        with Interruption() as interruption, Progress.of_budget(budget.left_s) as progress:
            experiment.run(interruption, progress)
    except KeyboardInterrupt:
        experiment.interrupted = True
    return experiment.explanation()


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Seconds that a command may take, and when they began to count, by ``time.monotonic``."""

    seconds: float
    began: float

    @property
    def spent_s(self) -> float:
        """Return the seconds since it began."""
        return monotonic() - self.began

    @property
    def left_s(self) -> float:
        """Return the seconds that are left for measuring: what comes then is shown and written."""
        return max(0.0, self.seconds - self.spent_s - min(WRITING_S, LONGEST_WRITING * self.seconds))


@dataclass(kw_only=True)
class Experiment:
    """What is measured, one after the other, and what came of it."""

    baseline: Baseline
    consumer: Consumer
    budget: Budget
    rng: random.Random
    interventions: dict[str, Intervention]
    not_run: list[NotRun]
    facts: dict[str, Any]  # of the record
    blocks: list[PassBlock] = field(default_factory=list)
    observations: Sequence[Observation] = ()
    memory: LoaderMemory | None = None
    interrupted: bool = False
    plan: PassPlan = field(init=False)

    def __post_init__(self) -> None:
        self.plan = PassPlan(batches=1, batch_samples=self.baseline.passes.batch_samples, pairs=1)

    def run(self, interruption: Interruption, progress: Progress) -> None:
        """Observe, measure every intervention and then those that help in one, and memory; within the budget."""
        progress.describe("what a sample costs")
        observing_s = min(OBSERVING * self.budget.seconds, self.budget.left_s)
        if observing_s > 0:  # slow samples may have spent all of it already
            self.observations = observations_of(self.baseline.subject, self.baseline.config, most_s=observing_s)
        interruption.check()
        has_objects = collections_of(self.baseline.subject.dataset) and self.baseline.config.num_workers
        measuring_s = (1 - (MEMORY_OF_OBJECTS if has_objects else MEMORY)) * self.budget.left_s
        self.plan = self._plan(measuring_s / BUSY)
        self._drop_too_long(measuring_s)
        until_s = self.budget.spent_s + measuring_s
        schedule = self._schedule(self.interventions.values(), until_s, reserved_blocks=COMBINED_BLOCKS)
        self._measure(schedule, interruption, progress)
        if combination := self._combination():
            self.interventions[TOGETHER] = combination
            self._measure(self._schedule([combination], until_s), interruption, progress)
        schedule.reserved_blocks = 0
        self._measure(schedule, interruption, progress)
        progress.describe("memory over the epochs")
        self.memory = loader_memory(self.baseline, most_s=self.budget.left_s)
        interruption.check()

    def explanation(self) -> Explanation:
        """Return the record of what has been measured."""
        baseline = self.baseline
        samples_read = min(self.plan.samples, baseline.samples)
        dataset = DatasetFacts(
            name=baseline.subject.name,
            samples=baseline.samples,
            samples_read=samples_read,
            is_whole=baseline.is_whole,
        )
        return Explanation(
            **self.facts,
            loader=plain_arguments(baseline.config),
            dataset=dataset,
            budget_s=self.budget.seconds,
            time_shares=dict(baseline.passes.time_shares),
            start_s=0.0 if baseline.config.persistent_workers else baseline.passes.start_s,
            interventions=tuple(intervention.facts for intervention in self.interventions.values()),
            not_run=tuple(self.not_run),
            blocks=tuple(self.blocks),
            observations=tuple(self.observations),
            memory=self.memory,
            interrupted=self.interrupted,
        )

    def _plan(self, budget_s: float) -> PassPlan:
        baseline = self.baseline
        return plan_passes(
            budget_s=budget_s,
            causes=len(self.interventions) + 1,  # those that help, in one
            batch_s=baseline.passes.batch_s,
            start_s=FORK_S + 2 * baseline.passes.start_s,
            batches=MOST_SAMPLES if baseline.passes.is_cut else baseline.passes.batches,
            batch_samples=baseline.passes.batch_samples,
            num_workers=baseline.config.num_workers,
        )

    def _plan_of(self, intervention: Intervention) -> PassPlan:
        """Return the plan of an intervention: longer passes, where it cannot save anything in those of the others."""
        epoch_batches = -(-self.baseline.samples // self.baseline.passes.batch_samples)
        return lengthened(
            self.plan,
            fewest_batches=intervention.facts.fewest_batches,
            batches=epoch_batches if self.baseline.is_whole else MOST_SAMPLES,
        )

    def _block_s(self, intervention: Intervention) -> float:
        """Return the seconds that a block of an intervention may take."""
        passes, plan = self.baseline.passes, self._plan_of(intervention)
        starts = 2 + (plan.pairs if intervention.facts.keeps_workers else 0)
        return FORK_S + starts * passes.start_s + passes_of(plan.pairs) * plan.batches * passes.batch_s

    def _drop_too_long(self, measuring_s: float) -> None:
        """Leave out an intervention whose longer passes would take the time of the others."""
        for cause, intervention in list(self.interventions.items()):
            plan, block_s = self._plan_of(intervention), self._block_s(intervention)
            if plan != self.plan and not leaves_others_time(block_s, measuring_s):
                needed = quantity(FEWEST_BLOCKS * block_s, "s")
                self._drop(cause, f"not tried: the budget. Its passes need {plan.batches} batches: {needed} in all")

    def _schedule(self, interventions: Any, budget_s: float, *, reserved_blocks: int = 0) -> Schedule:
        entries = {intervention.facts.cause: intervention for intervention in interventions}
        return Schedule(
            possible_gains={cause: intervention.facts.possible_gain for cause, intervention in entries.items()},
            expected_s={cause: self._block_s(intervention) for cause, intervention in entries.items()},
            budget_s=budget_s,
            rng=self.rng,
            reserved_blocks=reserved_blocks,
        )

    def _measure(self, schedule: Schedule, interruption: Interruption, progress: Progress) -> None:
        """Measure block after block; an intervention whose loader fails is one that was not run."""
        while (cause := schedule.next(self.budget.spent_s)) is not None:
            progress.describe(cause)
            began = perf_counter()
            timeout_s = schedule.budget_s - self.budget.spent_s + OVERRUN_SHARE * self.budget.seconds
            intervention = self.interventions[cause]
            plan, subject = self._plan_of(intervention), self.baseline.subject
            turns = turns_of(plan.pairs, self.rng)
            try:
                block = block_in_child(intervention, subject, self.consumer, plan, turns, timeout_s=timeout_s)
            except Exception as error:  # noqa: BLE001 - a user's dataset may fail under the change in any way
                interruption.check()
                schedule.failed(cause)
                self._drop(cause, f"it failed: {reason(error)}")
            else:
                schedule.measured(cause, perf_counter() - began)
                self.blocks.append(block)
            interruption.check()

    def _combination(self) -> Intervention | None:
        ranked = rank(self.explanation()).interventions
        gains = [(self.interventions[entry.cause], entry.gain) for entry in ranked if entry.outcome == "helps"]
        return together(self.baseline, gains, list(INTERVENTIONS))

    def _drop(self, cause: str, why: str) -> None:
        del self.interventions[cause]
        self.blocks = [block for block in self.blocks if block.cause != cause]
        self.not_run.append(NotRun(cause=cause, reason=why))
