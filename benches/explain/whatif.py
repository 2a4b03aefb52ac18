"""What ``loaderbench whatif`` measures: the costs of a loader's batches, and passes to compare predictions with."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from loaderbench.benches.explain.costs import pass_costs
from loaderbench.benches.explain.loaders import loader_config
from loaderbench.benches.harness import clock
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.interruption import Interruption
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.outcome import reason
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.record import now
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.tracing.timestamps import PassTrace, trace_pass, traced_loader
from loaderbench.reports.explain.prediction import CostRound, MeasuredPass, Question, check_predictions, predict
from loaderbench.reports.explain.whatif_record import SCHEMA, WhatIf

ROUNDS = 5
FEWEST_BATCHES = 3  # of a pass
APART = 4  # the ratio of the two batch sizes at which costs are measured

PassKey = tuple[int, int]  # num_workers, batch_size


def whatif(
    subject: Subject,
    collate_fn: Callable[[Any], Any],
    question: Question,
    *,
    seed: int,
    command: tuple[str, ...],
) -> WhatIf:
    """Measure, and predict what was asked; Ctrl-C keeps the rounds that were complete.

    Raises RefusedError for a stream, a dataset that is too small, and a pass that raises; KeyboardInterrupt where no
    round was complete.
    """
    started = now().isoformat()
    cpus = machine.usable_cpus()
    samples = _samples(subject)
    sizes = cost_sizes(question.batch_sizes)
    if max(sizes) * FEWEST_BATCHES > samples:
        raise RefusedError(
            f"--dataset {subject.name}: {samples} samples are not {FEWEST_BATCHES} batches of {max(sizes)}"
        )
    survey = Survey(
        subject=subject,
        collate_fn=collate_fn,
        cost_sizes=sizes,
        held_out=held_out_cases(question.batch_sizes, cpus, samples),
        rng=random.Random(seed),  # noqa: S311 - an order, not a secret
    )
    survey.run()
    held_out = check_predictions(survey.costs, survey.measured, cpus)
    predictions, needed = predict(survey.costs, held_out, question)
    return WhatIf(
        schema=SCHEMA,
        version=version("loaderbench"),
        started=started,
        command=command,
        seed=seed,
        machine=machine.facts(),
        dataset=subject.name,
        samples=subject.properties.length or samples,
        rounds=len(survey.costs),
        held_out=held_out,
        predictions=predictions,
        workers_needed=needed,
        interrupted=survey.interrupted,
    )


def _samples(subject: Subject) -> int:
    if subject.is_stream:
        raise RefusedError(
            f"--dataset {subject.name}: a stream cannot be predicted, as its workers split it in their own way"
        )
    return len(subject.dataset)  # type: ignore[arg-type]  # a map-style dataset


def cost_sizes(batch_sizes: Sequence[int]) -> tuple[int, int]:
    """Return the two batch sizes at which costs are measured: the middle one that is asked about, and a smaller one."""
    middle = _middle(batch_sizes)
    return (max(1, middle // APART), middle) if middle > 1 else (1, APART)


def held_out_cases(batch_sizes: Sequence[int], cpus: int, samples: int) -> tuple[PassKey, ...]:
    """Return the workers and batch sizes that are measured only to be compared with their predictions."""
    middle = _middle(batch_sizes)
    sizes = [size for size in sorted({max(1, middle // 2), 2 * middle}) if size <= samples]
    others = [(workers, size) for workers in sorted({0, 1, 2, cpus}) for size in sizes]
    return (*others, *((workers, middle) for workers in sorted({2, cpus} - {0, 1})))


def _middle(batch_sizes: Sequence[int]) -> int:
    return sorted(batch_sizes)[len(batch_sizes) // 2]


@dataclass(kw_only=True)
class Survey:
    """Rounds of measuring: in each, every pass that costs are computed of, and every held-out pass, in drawn order."""

    subject: Subject
    collate_fn: Callable[[Any], Any]
    cost_sizes: tuple[int, int]
    held_out: tuple[PassKey, ...]
    rng: random.Random
    costs: list[CostRound] = field(default_factory=list)
    held_out_s: dict[PassKey, list[float]] = field(default_factory=dict)
    batches: dict[PassKey, int] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def measured(self) -> list[MeasuredPass]:
        """Return the held-out passes, with the rounds that were complete."""
        return [
            MeasuredPass(
                num_workers=workers,
                batch_size=size,
                batches=self.batches[workers, size],
                rounds_s=tuple(seconds[: len(self.costs)]),
            )
            for (workers, size), seconds in self.held_out_s.items()
        ]

    def run(self) -> None:
        """Measure `ROUNDS` rounds, after a discarded one; raises RefusedError where a pass raises."""
        with Interruption() as interruption:
            try:
                self._run(interruption)
            except KeyboardInterrupt:
                self.interrupted = True
            except Exception as error:
                if not interruption.happened:
                    raise RefusedError(f"{self.subject.name}: a pass raised {reason(error)}") from error
                self.interrupted = True
        if not self.costs:
            raise KeyboardInterrupt

    def _run(self, interruption: Interruption) -> None:
        with self._loaders() as loaders, Progress(total=ROUNDS + 1) as progress:
            for number in range(ROUNDS + 1):
                progress.describe(f"round {number}" if number else "warming up")
                self._round(loaders, keep=number > 0)
                progress.advance()
                interruption.check()

    @contextmanager
    def _loaders(self) -> Iterator[dict[tuple[str, PassKey], Any]]:
        """Build a loader for every pass: costs with one worker, costs without any, and the held-out ones."""
        dataset = self.subject.dataset
        with NoStrays():
            loaders: dict[tuple[str, PassKey], Any] = {}
            for size in self.cost_sizes:
                loaders["traced", (1, size)] = traced_loader(dataset, self._config((1, size)), self.collate_fn)
                loaders["alone", (0, size)] = self._config((0, size)).build(dataset)
            for case in self.held_out:
                loaders["held out", case] = self._config(case).build(dataset)
                self.batches[case] = len(loaders["held out", case])
            try:
                yield loaders
            finally:
                loaders.clear()  # their workers are joined here

    def _round(self, loaders: dict[tuple[str, PassKey], Any], *, keep: bool) -> None:
        traces: dict[int, PassTrace] = {}
        alone_s: dict[int, list[float]] = {}
        held_out_s: dict[PassKey, float] = {}
        for kind, case in self.rng.sample(list(loaders), len(loaders)):
            loader = loaders[kind, case]
            if kind == "traced":
                traces[case[1]] = trace_pass(loader)
            elif kind == "alone":
                alone_s[case[1]] = clock.read(loader).waits_s[0].tolist()
            else:
                held_out_s[case] = clock.read(loader).seconds
        if keep:
            self.costs.append({size: pass_costs(traces[size], alone_s[size]) for size in self.cost_sizes})
            for case in self.held_out:
                self.held_out_s.setdefault(case, []).append(held_out_s[case])

    def _config(self, case: PassKey) -> LoaderConfig:
        workers, size = case
        return loader_config(
            num_workers=workers,
            batch_size=size,
            collate_fn=self.collate_fn,
            shuffle=True,
            drop_last=True,
            persistent_workers=workers > 0,
        )
