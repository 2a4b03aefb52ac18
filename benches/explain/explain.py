"""What ``loaderbench explain`` does: each known cause removed in turn, and what an epoch gains by that."""

import argparse
import random
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import torch

from loaderbench.benches.cli.publishing import publish
from loaderbench.benches.explain import memory_growth as growth
from loaderbench.benches.explain.ab_passes import Consumer, block
from loaderbench.benches.explain.candidates import Loading, Suspect, Untried, config_of
from loaderbench.benches.explain.interventions import causes
from loaderbench.benches.explain.preflight import storages
from loaderbench.benches.harness import subject as subjects
from loaderbench.benches.harness.clock import keep
from loaderbench.benches.harness.loader import LoaderConfig, without_workers
from loaderbench.benches.harness.record import now
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import DatasetChoice, Subject
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.tracing.breakdown import blocked_s, loop_times
from loaderbench.benches.harness.tracing.timestamps import trace_pass, traced_loader
from loaderbench.benches.harness.training import ModelChoice
from loaderbench.datasets.pytree import count_leaves
from loaderbench.datasets.recipes.compact import compact_lists
from loaderbench.reports.explain.ranking import FEWEST_BLOCKS, rank
from loaderbench.reports.explain.record import (
    SCHEMA,
    DatasetFacts,
    Explanation,
    InterventionFacts,
    LoaderMemory,
    MemoryReadings,
    NotRun,
    PassBlock,
)
from loaderbench.reports.render import explain_outputs as outputs
from loaderbench.reports.render import explain_terminal as terminal

PASS_S = 0.3  # what a pass may take in one process before a part of the dataset is read
BATCHES = 4  # of each worker, in a pass at least
MOST_BLOCKS = 10  # of a cause
FRESH = 3  # pairs of loaders, with lists and with arrays
COPYING = 2  # epochs, in which a worker has read most of what it ever reads


def explain(options: argparse.Namespace) -> int:
    """Try everything, write what came of it, show it, and return the exit code."""
    return publish("explain", options.out, lambda: rank(_explanation(options)), outputs.outputs, terminal.shown)


def _explanation(options: argparse.Namespace) -> Explanation:
    """Everything that was measured: ``explain.json``."""
    seed = secrets.randbelow(1 << 31) if options.seed is None else options.seed
    subject = _subject(options)
    config = _config(options, subject)
    consumer = _consumer(options, subject)
    loading = _loading(subject, config, consumer)
    findings = list(causes(loading))
    inquiry = Inquiry(
        subject=subject,
        consumer=consumer,
        rng=random.Random(seed),  # noqa: S311 - an order, not a secret
        suspects=[each for each in findings if isinstance(each, Suspect)],
        untried=[each for each in findings if isinstance(each, Untried)],
        began=time.perf_counter(),
    )
    inquiry.run(options.budget)
    read = loading.samples
    whole = read if subject.is_stream else subject.contract.length
    return Explanation(
        schema=SCHEMA,
        version=version("loaderbench"),
        started=now().isoformat(),
        command=("loaderbench", *sys.argv[1:]),
        seed=seed,
        machine=machine.facts(),
        loader=_spoken(config),
        dataset=DatasetFacts(name=subject.name, samples=whole or read, samples_read=read),
        time_shares=dict(loading.waits),
        interventions=tuple(
            InterventionFacts(
                cause=each.cause,
                evidence=each.evidence,
                change=each.change,
                once_per_epoch=each.at_start,
                keeps_workers=each.at_start and each.other.persistent_workers,
                builds_on=each.builds_on,
            )
            for each in inquiry.suspects
        ),
        not_run=tuple(NotRun(cause=each.cause, reason=each.why) for each in inquiry.untried),
        blocks=tuple(inquiry.blocks),
        memory=_memory(loading),
    )


def _subject(options: argparse.Namespace) -> Subject:
    least = BATCHES * options.batch_size * max(1, options.num_workers)
    sources = DatasetChoice(
        dataset_args=options.dataset_args, samples=options.samples, pass_s=PASS_S, least_samples=least
    )
    return sources.subject(options.dataset)


def _config(options: argparse.Namespace, subject: Subject) -> LoaderConfig:
    collate_fn = subjects.collate_fn(options.collate_fn or subject.collate_fns[0])
    return config_of(
        num_workers=options.num_workers,
        batch_size=options.batch_size,
        collate_fn=collate_fn,
        shuffle=not subject.is_stream,
        prefetch_factor=options.prefetch_factor if options.num_workers else None,
        persistent_workers=options.persistent_workers == "on" and options.num_workers > 0,
        multiprocessing_context=options.start_method if options.num_workers else None,
        pin_memory=options.pin_memory == "on",
    )


def _consumer(options: argparse.Namespace, subject: Subject) -> Consumer:
    if options.device and options.device not in available():
        raise ValueError(f"--device {options.device}: this machine has {', '.join(available())}")
    device = torch.device(options.device or available()[-1])
    if options.step:
        return Consumer(device=device, step=lambda _: time.sleep(options.step))
    if options.model:
        choice = ModelChoice(model=options.model, model_args=options.model_args, loss=options.loss)
        task = choice.task(subject, device)
        assert task is not None  # a model was named
        return Consumer(device=device, step=task)
    return Consumer(device=device, step=keep)


def _loading(subject: Subject, config: LoaderConfig, consumer: Consumer) -> Loading:
    """What is known of the loader before any cause is tried: its first batch, and the time breakdown of one pass."""
    try:
        batch = next(iter(without_workers(config).build(subject.dataset)))
    except Exception as error:
        raise ValueError(
            f"{subject.name}: its first batch of {config.batch_size} raised {type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}. Name a collate function that fits with --collate-fn"
        ) from error
    collate_fn = config.collate_fn
    assert collate_fn is not None
    step = None if consumer.step is keep else consumer.stepped(config)
    steady = replace(config, persistent_workers=config.num_workers > 0)
    try:
        with NoStrays():
            loader = traced_loader(subject.dataset, steady, collate_fn)
            trace_pass(loader)
            trace = trace_pass(loader, step)
            del loader
    except Exception as error:
        raise ValueError(
            f"{subject.name}: a pass raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error
    return Loading(
        subject=subject,
        config=config,
        batch=batch,
        parts=count_leaves(batch),
        waits={name: seconds / trace.seconds for name, seconds in loop_times(trace).items()},
        blocked=blocked_s(trace) / trace.seconds,
        samples=trace.samples,
        device=consumer.device.type,
        cpus=machine.usable_cpus(),
    )


@dataclass(kw_only=True)
class Inquiry:
    """Blocks of every suspect, in shuffled decks: as many as tell anything, and more while the budget lasts."""

    subject: Subject
    consumer: Consumer
    rng: random.Random
    suspects: list[Suspect]
    untried: list[Untried]
    began: float
    blocks: list[PassBlock] = field(default_factory=list)

    @property
    def spent_s(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.began

    def run(self, budget_s: float) -> None:
        """Measure; a suspect whose loader fails without its cause is one that was not tried."""
        taken: dict[str, float] = {}
        for number, suspect in self._decks():
            if suspect not in self.suspects:
                continue
            if number >= FEWEST_BLOCKS and self.spent_s + taken[suspect.cause] > budget_s:
                return
            began = self.spent_s
            self._block(suspect)
            taken[suspect.cause] = self.spent_s - began
            _tell(f"{suspect.cause} · {max(0.0, budget_s - self.spent_s):.0f} s left")

    def _decks(self) -> Iterator[tuple[int, Suspect]]:
        for number in range(MOST_BLOCKS):
            deck = list(self.suspects)
            self.rng.shuffle(deck)
            yield from ((number, suspect) for suspect in deck)

    def _block(self, suspect: Suspect) -> None:
        try:
            found = block(suspect, self.subject, self.consumer, self.rng)
        except Exception as error:  # noqa: BLE001 - a stranger's dataset may not bear the change, in any way
            self.suspects.remove(suspect)
            self.blocks = [each for each in self.blocks if each.cause != suspect.cause]
            why = f"it failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            self.untried.append(Untried(cause=suspect.cause, why=why))
        else:
            self.blocks.append(
                PassBlock(cause=suspect.cause, control_s=tuple(found["base_s"]), treatment_s=tuple(found["other_s"]))
            )


def _memory(loading: Loading) -> LoaderMemory:
    """What the loader's processes hold, epoch by epoch: as it is, and with its long lists, if any, in arrays."""
    config = loading.config
    readings = growth.memory_readings(loading.subject.dataset, config)
    try:
        names, in_lists, in_arrays = _pairs(loading)
    except Exception:  # noqa: BLE001 - a stranger's dataset may not bear its lists to be others, in any way
        names, in_lists, in_arrays = (), [], []
    in_flight = loading.prefetch * config.num_workers + 1 if config.num_workers else 0
    return LoaderMemory(
        readings=readings,
        lists=names,
        in_lists=tuple(in_lists),
        in_arrays=tuple(in_arrays),
        expected_shm_bytes=in_flight * storages(loading.batch)[1],
    )


def _pairs(loading: Loading) -> tuple[tuple[str, ...], list[MemoryReadings], list[MemoryReadings]]:
    """Fresh loaders of the dataset as it is, and of one whose long lists are arrays; the names of these lists."""
    kept, names = compact_lists(loading.subject.dataset)
    in_lists: list[MemoryReadings] = []
    in_arrays: list[MemoryReadings] = []
    for number in range(FRESH if names and loading.config.num_workers else 0):
        for readings, dataset in ((in_lists, loading.subject.dataset), (in_arrays, kept)):
            readings.append(growth.memory_readings(dataset, loading.config, COPYING))
        _tell(f"memory, pair {number + 1}")
    return names, in_lists, in_arrays


def _spoken(config: LoaderConfig) -> dict[str, Any]:
    """The arguments that are not torch's defaults, as texts and numbers."""
    held = {name: getattr(config, name) for name in LoaderConfig.__dataclass_fields__}
    usual = LoaderConfig()
    changed = {name: value for name, value in held.items() if value != getattr(usual, name) and name != "seed"}
    return {name: value if isinstance(value, (int, float, str)) else _name(value) for name, value in changed.items()}


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", type(value).__name__))


def _tell(line: str) -> None:
    print(f"\r\x1b[2K{line}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
    sys.stderr.flush()
