"""What ``loaderbench explain`` measures: each intervention against the loader as it is, then memory over the epochs."""

import random
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter
from typing import Any

from loaderbench.benches.explain.ab_passes import measure_block
from loaderbench.benches.explain.baseline import Baseline, measure_baseline
from loaderbench.benches.explain.consumer import Consumer
from loaderbench.benches.explain.interventions import Intervention, interventions_of
from loaderbench.benches.explain.memory_growth import loader_memory
from loaderbench.benches.harness.failures.wording import reason
from loaderbench.benches.harness.interruption import Interruption
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.record import now
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system import machine
from loaderbench.reports.explain.record import (
    SCHEMA,
    DatasetFacts,
    Explanation,
    LoaderMemory,
    NotRun,
    PassBlock,
)
from loaderbench.reports.explain.schedule import Schedule

OURS = ("seed", "timeout")  # arguments of a loader that its user did not give


def explain(
    subject: Subject,
    config: LoaderConfig,
    consumer: Consumer,
    *,
    budget_s: float,
    seed: int,
    command: tuple[str, ...],
) -> Explanation:
    """Measure every intervention that applies to the loader, and its memory; Ctrl-C keeps what was measured.

    Raises RefusedError where the loader as it is cannot be read.
    """
    started = now().isoformat()
    baseline = measure_baseline(subject, config, consumer)
    interventions, not_run = interventions_of(baseline)
    experiment = Experiment(
        subject=subject,
        consumer=consumer,
        rng=random.Random(seed),  # noqa: S311 - an order, not a secret
        interventions={intervention.facts.cause: intervention for intervention in interventions},
        not_run=not_run,
    )
    memory: LoaderMemory | None = None
    try:
        with Interruption() as interruption:
            experiment.run(budget_s, interruption)
            with Progress(total=1) as progress:
                progress.describe("memory over the epochs")
                memory = loader_memory(baseline)
                progress.advance()
    except KeyboardInterrupt:
        experiment.interrupted = True
    return Explanation(
        schema=SCHEMA,
        version=version("loaderbench"),
        started=started,
        command=command,
        seed=seed,
        machine=machine.facts(),
        loader=_arguments(config),
        dataset=_dataset_facts(baseline),
        time_shares=dict(baseline.time_shares),
        interventions=tuple(intervention.facts for intervention in experiment.interventions.values()),
        not_run=tuple(experiment.not_run),
        blocks=tuple(experiment.blocks),
        memory=memory,
        interrupted=experiment.interrupted,
    )


@dataclass(kw_only=True)
class Experiment:
    """Blocks of A/B passes of every intervention, in the order of a `Schedule`."""

    subject: Subject
    consumer: Consumer
    rng: random.Random
    interventions: dict[str, Intervention]
    not_run: list[NotRun]
    blocks: list[PassBlock] = field(default_factory=list)
    interrupted: bool = False

    def run(self, budget_s: float, interruption: Interruption) -> None:
        """Measure block after block; an intervention whose loader fails is one that was not run."""
        schedule = Schedule(causes=list(self.interventions), budget_s=budget_s, rng=self.rng)
        with Progress(total=schedule.most_left) as progress:
            progress.estimate_by(lambda: schedule.left_s(progress.elapsed_s) or budget_s)
            while (cause := schedule.next(progress.elapsed_s)) is not None:
                progress.describe(cause)
                began = perf_counter()
                try:
                    block = measure_block(self.interventions[cause], self.subject, self.consumer, self.rng)
                except Exception as error:  # noqa: BLE001 - a user's dataset may fail under the change in any way
                    interruption.check()
                    schedule.failed(cause)
                    self._drop(cause, f"it failed: {reason(error)}")
                else:
                    schedule.measured(cause, perf_counter() - began)
                    self.blocks.append(block)
                progress.advance()
                interruption.check()

    def _drop(self, cause: str, why: str) -> None:
        del self.interventions[cause]
        self.blocks = [block for block in self.blocks if block.cause != cause]
        self.not_run.append(NotRun(cause=cause, reason=why))


def _dataset_facts(baseline: Baseline) -> DatasetFacts:
    read, subject = baseline.samples, baseline.subject
    samples = None if subject.is_stream else subject.properties.length
    return DatasetFacts(name=subject.name, samples=samples or read, samples_read=read)


def _arguments(config: LoaderConfig) -> dict[str, Any]:
    """Return the loader's arguments that are not torch's defaults, as texts and numbers."""
    defaults = LoaderConfig()
    values = {name: getattr(config, name) for name in LoaderConfig.__dataclass_fields__ if name not in OURS}
    return {name: _plain(value) for name, value in values.items() if value != getattr(defaults, name)}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else str(getattr(value, "__qualname__", type(value).__name__))
