"""What ``loaderbench whatif`` measures: the costs of a loader's batches, and passes to compare predictions with.

Each pass is read in a process of its own, in which its loader is built: nothing is read in the process that forks them.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from time import perf_counter
from typing import Any

import torch
from torch.utils.data import Sampler

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import reason
from loaderbench.benches.harness.loading.first_batch import loader_config, silence_warnings
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring import clock
from loaderbench.benches.harness.progress import Progress
from loaderbench.benches.harness.session.record import now
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.interruption import Interruption
from loaderbench.benches.harness.tracing.timestamps import PassTrace, trace_pass, traced_loader
from loaderbench.benches.whatif.trace_costs import pass_costs
from loaderbench.reports.units import count, quantity
from loaderbench.reports.whatif.batch_costs import CostRound
from loaderbench.reports.whatif.cost_correction import MeasuredPass, cost_corrections
from loaderbench.reports.whatif.pass_choice import APART, cost_passes, cost_sizes, held_out_passes
from loaderbench.reports.whatif.pass_schedule import FEWEST_BATCHES, LoaderPass, PassSchedule, PassTime, reads
from loaderbench.reports.whatif.prediction import Question, check_predictions, predict
from loaderbench.reports.whatif.whatif_record import WhatIf

WARM_UP_BATCHES = 2  # of each worker, before a pass


def whatif(
    subject: Subject,
    config: LoaderConfig,
    question: Question,
    *,
    budget_s: float,
    seed: int,
    command: tuple[str, ...],
) -> WhatIf:
    """Measure for `budget_s` seconds at most, and predict what was asked; Ctrl-C keeps the rounds that were complete.

    `config` is the loader, but for its batch size and its workers: those are varied, and workers are kept from pass to
    pass.

    Raises RefusedError for a stream, a dataset that is too small, a pass that raises, and a budget in which no round
    was complete; KeyboardInterrupt where none was complete before Ctrl-C.
    """
    started = now().isoformat()
    cpus = machine.usable_cpus()
    schedule = _schedule(subject, question.batch_sizes, cpus, budget_s, seed)
    measuring = PassMeasuring(subject=subject, config=config, schedule=schedule)
    measuring.run()
    rounds = measuring.costs
    corrections = cost_corrections(rounds, measuring.correcting, cpus)
    costs = [correction.apply(of_round) for correction, of_round in zip(corrections, rounds, strict=True)]
    held_out = check_predictions(costs, measuring.held_out, cpus)
    predictions, needed = predict(costs, held_out, question)
    return WhatIf(
        **WhatIf.head(started=started, command=command, machine=machine.facts()),
        seed=seed,
        dataset=subject.name,
        samples=subject.properties.length or schedule.dataset_samples,
        rounds=len(rounds),
        held_out=held_out,
        not_measured=measuring.not_measured,
        predictions=predictions,
        workers_needed=needed,
        not_simulated=("pin_memory=True",) if config.pin_memory else (),
        interrupted=measuring.interrupted,
    )


def _schedule(subject: Subject, batch_sizes: Sequence[int], cpus: int, budget_s: float, seed: int) -> PassSchedule:
    """Return which passes are measured; raises RefusedError where the dataset has too few samples for them."""
    samples = _samples(subject)
    sizes = cost_sizes(batch_sizes, samples)
    if max(sizes) * FEWEST_BATCHES > samples:
        raise RefusedError(
            f"--dataset {subject.name} has {samples} samples: to predict batch_size={max(sizes)} takes "
            f"{FEWEST_BATCHES} batches of that size, {FEWEST_BATCHES * max(sizes)} samples"
        )
    if len(sizes) == 1:  # how costs depend on the size takes another one
        larger = FEWEST_BATCHES * APART * max(sizes)
        raise RefusedError(
            f"--dataset {subject.name} has {samples} samples: to predict batch_size={max(sizes)} takes {larger}, as "
            f"batches of {APART * max(sizes)} are read too"
        )
    return PassSchedule(
        passes=(*cost_passes(sizes, cpus), *held_out_passes(batch_sizes, cpus, samples)),
        dataset_samples=samples,
        budget_s=budget_s,
        rng=random.Random(seed),  # noqa: S311 - an order, not a secret
    )


def _samples(subject: Subject) -> int:
    if subject.is_stream:
        raise RefusedError(
            f"--dataset {subject.name}: a stream cannot be predicted, as its workers split it in their own way"
        )
    return len(subject.dataset)  # type: ignore[arg-type]  # a map-style dataset


@dataclass(kw_only=True)
class PassMeasuring:
    """Passes in the order of a `PassSchedule`, and what they showed in each of its rounds."""

    subject: Subject
    config: LoaderConfig
    schedule: PassSchedule
    shown: list[dict[LoaderPass, Any]] = field(default_factory=list)  # a round each
    interrupted: bool = False

    @property
    def costs(self) -> list[CostRound]:
        """Return the costs of each round that is complete: round 0 warms up, and is used where there is no other."""
        return [self._costs_of(shown) for shown in self._rounds]

    @property
    def correcting(self) -> list[MeasuredPass]:
        """Return the passes with workers that costs are corrected by."""
        passes = [cost_pass for cost_pass in self._cost_passes if cost_pass.num_workers and not cost_pass.is_traced]
        return list(map(self._measured, passes))

    @property
    def held_out(self) -> list[MeasuredPass]:
        """Return the held-out passes that were measured."""
        measured = {loader_pass for shown in self._rounds for loader_pass in shown}
        passes = [loader_pass for loader_pass in self.schedule.passes if loader_pass.purpose == "held out"]
        return [self._measured(loader_pass) for loader_pass in passes if loader_pass in measured]

    def _measured(self, loader_pass: LoaderPass) -> MeasuredPass:
        """Return what a pass showed in the rounds in which it was measured."""
        readings = [shown[loader_pass] for shown in self._rounds if loader_pass in shown]
        return MeasuredPass(
            num_workers=loader_pass.num_workers,
            batch_size=loader_pass.batch_size,
            batches=readings[0].batches[0],
            rounds_s=tuple(reading.seconds for reading in readings),
        )

    @property
    def not_measured(self) -> tuple[LoaderPass, ...]:
        """Return the passes for which there was no time."""
        measured = {loader_pass for shown in self._rounds for loader_pass in shown}
        unmeasured = [loader_pass for loader_pass in self.schedule.passes if loader_pass not in measured]
        return (*unmeasured, *self.schedule.left_out)

    def run(self) -> None:
        """Measure until the schedule ends; raises RefusedError where a pass raises or no round is complete."""
        with Interruption() as interruption:
            try:
                self._run(interruption)
            except KeyboardInterrupt:
                self.interrupted = True
        if not self.costs and self.interrupted:
            raise KeyboardInterrupt
        if not self.costs:
            raise RefusedError(
                f"--budget: {quantity(max(0.0, self.schedule.budget_s), 's')} of it were left to measure "
                f"{self.subject.name}, too few for a pass with one worker and one without any at two batch sizes: "
                "give more"
            )

    def _run(self, interruption: Interruption) -> None:
        with Progress.of_budget(max(0.0, self.schedule.budget_s)) as progress:
            while (loader_pass := self.schedule.next(progress.elapsed_s)) is not None:
                workers, size = loader_pass.num_workers, loader_pass.batch_size
                progress.describe(f"round {self.schedule.round}: {count(workers, 'worker')}, batches of {size}")
                self._measure(loader_pass, self.schedule.budget_s - progress.elapsed_s, interruption)

    def _measure(self, loader_pass: LoaderPass, left_s: float, interruption: Interruption) -> None:
        began = perf_counter()
        try:
            read = as_case_failure()(partial(self._read, loader_pass, self.schedule.samples_of(loader_pass)))
            shown = in_child(read, timeout_s=left_s)
            silence_warnings()
        except Exception as error:
            interruption.check()
            if perf_counter() - began >= left_s:
                return  # and the schedule ends
            raise RefusedError(f"{self.subject.name}: a pass: {reason(error)}") from error
        interruption.check()
        if len(self.shown) == self.schedule.round:
            self.shown.append({})
        self.shown[-1][loader_pass] = shown
        time = PassTime(
            seconds=perf_counter() - began, read_s=shown.seconds, samples=self.schedule.samples_of(loader_pass)
        )
        self.schedule.measured(loader_pass, time)

    def _read(self, loader_pass: LoaderPass, samples: int) -> PassTrace | clock.PassTimes:
        """Return the median one of some passes, after a short one that is discarded; traced where costs need it."""
        dataset, config = self.subject.dataset, self._config(loader_pass, samples)
        if self.schedule.part < len(dataset):  # type: ignore[arg-type]  # a map-style dataset
            dataset = self.subject.part(self.schedule.part).dataset
        is_traced = loader_pass.is_traced
        loader = traced_loader(dataset, config, config.batch_fn) if is_traced else config.build(dataset)
        for _ in loader:  # the few samples of the first pass
            pass
        read: Callable[[Any], PassTrace | clock.PassTimes] = trace_pass if is_traced else clock.read
        first = read(loader)
        every = sorted((first, *(read(loader) for _ in range(reads(first.seconds) - 1))), key=attrgetter("seconds"))
        return every[(len(every) - 1) // 2]

    def _costs_of(self, shown: Mapping[LoaderPass, Any]) -> CostRound:
        """Return the costs at each batch size that a round showed."""
        traces = {entry.batch_size: shown[entry] for entry in self._cost_passes if entry.is_traced}
        alone = {entry.batch_size: shown[entry] for entry in self._cost_passes if not entry.num_workers}
        return {size: pass_costs(trace, alone[size].waits_s[0].tolist()) for size, trace in traces.items()}

    @property
    def _cost_passes(self) -> list[LoaderPass]:
        return [loader_pass for loader_pass in self.schedule.passes if loader_pass.purpose == "costs"]

    @property
    def _rounds(self) -> list[dict[LoaderPass, Any]]:
        """Return the rounds whose costs are complete, without the one that warmed up where there are others."""
        complete = [shown for shown in self.shown if all(cost_pass in shown for cost_pass in self._cost_passes)]
        return complete[1:] or complete

    def _config(self, loader_pass: LoaderPass, samples: int) -> LoaderConfig:
        workers, size = loader_pass.num_workers, loader_pass.batch_size
        return loader_config(
            num_workers=workers,
            batch_size=size,
            collate_fn=self.config.batch_fn,
            worker_init_fn=self.config.worker_init_fn,
            multiprocessing_context=self.config.multiprocessing_context,
            timeout=self.config.timeout,
            sampler=partial(
                FewAtFirst,
                few=WARM_UP_BATCHES * max(1, workers) * size,
                most=samples,
                seed=self.schedule.round if self.config.shuffle else None,
            ),
            drop_last=True,
            persistent_workers=workers > 0,
        )


class FewAtFirst(Sampler[int]):
    """Samples in drawn order: `few` in the first pass, by which workers start and warm up, `most` in the others.

    Those of one seed begin with the same samples. Without a seed, samples come in the order of their indices.
    """

    def __init__(self, dataset: Sized, *, few: int, most: int, seed: int | None) -> None:
        self.dataset, self.few, self.most = dataset, few, most
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.is_first = True

    def __iter__(self) -> Iterator[int]:
        samples, self.is_first = self.few if self.is_first else self.most, False
        if self.generator is None:
            return iter(range(min(samples, len(self.dataset))))
        return iter(torch.randperm(len(self.dataset), generator=self.generator)[:samples].tolist())

    def __len__(self) -> int:
        return self.most
