"""What ``loaderbench whatif`` does: a trace of this loader, and what it would do with settings that were not run."""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median
from typing import Any

import numpy as np

from loaderbench.benches.cli.publishing import publish
from loaderbench.benches.explain.candidates import config_of
from loaderbench.benches.harness import clock as passes
from loaderbench.benches.harness import subject as subjects
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.record import now
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import DatasetChoice, Subject
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.tracing.timestamps import BatchTrace, PassTrace, trace_pass, traced_loader
from loaderbench.reports.documents import whatif as prediction_outputs
from loaderbench.reports.explain import prediction
from loaderbench.reports.explain.prediction import Cell, Lookup
from loaderbench.reports.explain.simulation import Costs, Setting

PASS_S = 1.0  # of the passes that are measured, in one process
ROUNDS = 5
FEWEST = 3  # batches of a pass
SLOWEST = 0.05  # pace at which a batch is taken from a worker that works
APART = 4  # the two batch sizes that costs are read at are so many times apart


def whatif(options: argparse.Namespace) -> int:
    """Measure, predict, write, show, and return the exit code."""
    shown = prediction_outputs.terminal
    return publish("whatif", options.out, lambda: _lookup(options), prediction_outputs.outputs, shown)


def _lookup(options: argparse.Namespace) -> Lookup:
    subject = DatasetChoice(
        dataset_args=options.dataset_args,
        samples=options.samples,
        pass_s=PASS_S,
        least_samples=8 * APART * max(options.batch_size),
    ).subject(options.dataset)
    if subject.is_stream:
        raise ValueError(f"--dataset {options.dataset}: a stream is not predicted: its workers split it as they like")
    collate_fn = subjects.collate_fn(options.collate_fn or subject.collate_fns[0])
    survey = Survey(subject=subject, collate_fn=collate_fn, rng=random.Random(options.seed))  # noqa: S311 - an order
    sizes, samples = _read_at(options.batch_size), len(subject.dataset)  # type: ignore[arg-type]
    if max(sizes) * FEWEST > samples:
        raise ValueError(f"--dataset {options.dataset}: {samples} samples are not {FEWEST} batches of {max(sizes)}")
    try:
        ledgers = survey.ledgers(sizes)
        held_out = list(survey.held_out(_held_out(options.batch_size, machine.usable_cpus(), samples)))
    except Exception as error:
        raise ValueError(
            f"{subject.name}: a pass raised {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error
    whole = subject.contract.length or len(subject.dataset)  # type: ignore[arg-type]
    asked = [
        replace(setting, storage_bytes_per_s=options.storage) if options.storage else setting
        for setting in _asked(options)
    ]
    return prediction.lookup(
        about={
            "command": ["loaderbench", *sys.argv[1:]],
            "started": now().isoformat(),
            "machine": machine.facts(),
            "dataset": subject.name,
            "samples": whole,
        },
        ledgers=ledgers,
        held_out=held_out,
        cpus=machine.usable_cpus(),
        asked=asked,
        batch_sizes=options.batch_size,
        sample_bytes=options.sample_bytes,
    )


def _asked(options: argparse.Namespace) -> Iterator[Setting]:
    cpus = options.cpus or [machine.usable_cpus()]
    for ranks, cpu, workers in product(options.ranks, cpus, options.num_workers):
        yield Setting(
            num_workers=workers, cpus=cpu, ranks=ranks, step_s=options.step, prefetch_factor=options.prefetch_factor
        )


def _read_at(batch_sizes: Sequence[int]) -> tuple[int, int]:
    """Two batch sizes at which costs are read, about the middle one: what is linear between them is taken to go on."""
    middle = _middle(batch_sizes)
    return (max(1, middle // APART), middle) if middle > 1 else (1, APART)


def _middle(batch_sizes: Sequence[int]) -> int:
    return sorted(batch_sizes)[len(batch_sizes) // 2]


def _held_out(batch_sizes: Sequence[int], cpus: int, samples: int) -> Iterator[tuple[int, int]]:
    """Workers and batch sizes that are measured only to be compared with what is predicted for them."""
    middle = _middle(batch_sizes)
    for workers in sorted({0, 1, 2, cpus}):
        for size in sorted({max(1, middle // 2), 2 * middle}):
            if size <= samples:
                yield workers, size
    for workers in sorted({2, cpus} - {0, 1}):
        yield workers, middle


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """Measures a dataset's costs, and the passes that they are to predict."""

    subject: Subject
    collate_fn: Any
    rng: random.Random

    def ledgers(self, sizes: tuple[int, int]) -> list[dict[int, prediction.Read]]:
        """Costs by batch size, of each round: with one worker, from timestamps; with none, from the clock alone."""
        dataset = self.subject.dataset
        found = []
        with NoStrays():
            alone = {size: self._config(0, size).build(dataset) for size in sizes}
            loaders = {size: traced_loader(dataset, self._config(1, size), self.collate_fn) for size in sizes}
            _ = [trace_pass(loader) for loader in loaders.values()]  # workers start, files are read
            order = [(workers, size) for workers in (0, 1) for size in sizes]
            ones: dict[int, PassTrace] = {}
            nones: dict[int, list[float]] = {}
            for _ in range(ROUNDS):
                self.rng.shuffle(order)
                for workers, size in order:
                    if workers:
                        ones[size] = trace_pass(loaders[size])
                    else:
                        nones[size] = passes.read(alone[size]).waits_s[0].tolist()
                found.append({size: _read(ones[size], nones[size]) for size in sizes})
            del loaders
        return found

    def held_out(self, cells: Iterator[tuple[int, int]]) -> Iterator[Cell]:
        """Plain passes, in turns: the median of their rounds."""
        with NoStrays():
            loaders = {cell: self._config(*cell).build(self.subject.dataset) for cell in cells}
            seconds: dict[tuple[int, int], list[float]] = {cell: [] for cell in loaders}
            _ = [passes.read(loader) for loader in loaders.values()]
            for _ in range(ROUNDS):
                order = list(loaders)
                self.rng.shuffle(order)
                for cell in order:
                    seconds[cell].append(passes.read(loaders[cell]).seconds)
            lengths = {cell: len(loaders[cell]) for cell in loaders}
            loaders.clear()
        for (workers, size), taken in seconds.items():
            yield Cell(
                num_workers=workers, batch_size=size, batches=lengths[workers, size], seconds=median(taken),
                rounds=tuple(taken),
            )  # fmt: skip

    def _config(self, workers: int, size: int) -> LoaderConfig:
        return config_of(
            num_workers=workers,
            batch_size=size,
            collate_fn=self.collate_fn,
            shuffle=True,
            drop_last=True,
            persistent_workers=workers > 0,
        )


def _read(one: PassTrace, alone: Sequence[float]) -> prediction.Read:
    """What batches took: in one worker, and in this process without any.

    With two batches in flight a worker is given the one after the next when one arrives: what it takes from there, or
    from the end of its last batch, to the next one's beginning is its own loop's. What this process takes of a batch
    that is there already is its part.
    """
    entries = one.batches
    loops = [
        max(0.0, after.timestamps.fetching - max(each.timestamps.collated, before.received))
        for before, each, after in zip(entries, entries[1:], entries[2:], strict=False)
    ]
    loop_s = median(loops) if loops else 0.0
    pickle_s = median(each.timestamps.pickled - each.timestamps.pickling for each in entries)
    take_s, pace = _taking(entries)
    return prediction.Read(
        begin_s=max(0.0, entries[0].timestamps.fetching - entries[0].requested),
        costs=tuple(
            Costs(
                read_s=max(0.0, _made(each) - each.timestamps.cpu_s),
                work_s=min(_made(each), each.timestamps.cpu_s),
                send_s=pickle_s + loop_s,
                take_s=take_s,
                pace=pace,
                alone_s=alone[number % len(alone)],
            )
            for number, each in enumerate(entries)
        ),
    )


def _taking(entries: Sequence[BatchTrace]) -> tuple[float, float]:
    """What the loop takes for a batch while its worker rests, and at what pace it goes while that works.

    Of each taking so much fell into the worker's work; the least squares' line of what did not, over that, says both.
    """
    begun = np.array([max(each.requested, each.timestamps.pickled) for each in entries])[:, None]
    ended = np.array([each.received for each in entries])[:, None]
    works = np.array([(each.timestamps.fetching, each.timestamps.collated) for each in entries])
    within = (np.minimum(ended, works[:, 1]) - np.maximum(begun, works[:, 0])).clip(min=0).sum(axis=1)
    beside = (ended - begun)[:, 0] - within
    spread = float(within.var())
    slope = float(np.cov(within, beside, bias=True)[0, 1]) / spread if spread else -1.0
    pace = min(1.0, max(SLOWEST, -slope))
    return float(np.median(beside + pace * within)), pace


def _made(entry: BatchTrace) -> float:
    return entry.timestamps.collated - entry.timestamps.fetching
