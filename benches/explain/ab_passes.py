"""Rivals: two loaders over one dataset, with and without a cause, that read it in turns.

Two loaders of one process share its state and the machine's moment. What is left between them is their workers, and
so a fresh pair of loaders is one *block*, the unit of inference, and what a block says is the median over its pairs
of passes.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from loaderbench.benches.explain.candidates import Suspect
from loaderbench.benches.harness import clock as passes
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system.devices import place, synchronise
from loaderbench.datasets.recipes import transport

PAIRS = 3  # of passes, in a block
SHORT = 2  # batches of each worker, where it is the start that matters


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """What the loop does with a batch: place it on the device, and take its step."""

    device: torch.device
    step: Callable[[Any], object] = passes.keep

    def read(self, loader: Any, config: LoaderConfig) -> float:
        """Seconds of a whole pass, the device synchronised at both its edges."""
        synchronise(self.device)
        began = perf_counter()
        passes.read(loader, self.stepped(config))
        synchronise(self.device)
        return perf_counter() - began

    def stepped(self, config: LoaderConfig) -> Callable[[Any], object]:
        """What is done with each batch."""
        if self.device.type == "cpu":
            return self.step
        return lambda batch: self.step(place(batch, self.device, non_blocking=config.pin_memory))


def block(suspect: Suspect, subject: Subject, consumer: Consumer, rng: random.Random) -> dict[str, list[float]]:
    """Seconds of the passes with the cause (``base_s``) and without it (``other_s``), pair by pair."""
    part = short(subject, suspect.base) if suspect.at_start else subject
    with NoStrays():
        loaders = {
            name: (config.build(part.dataset), config)
            for name, config in (("base_s", suspect.base), ("other_s", suspect.other))
        }
        try:
            _ = [consumer.read(*each) for each in loaders.values()]  # workers start, files are read
            return _pairs(loaders, consumer, rng)
        finally:
            loaders.clear()  # their workers are joined here
            transport.release_slots()


def _pairs(
    loaders: dict[str, tuple[Any, LoaderConfig]], consumer: Consumer, rng: random.Random
) -> dict[str, list[float]]:
    """The passes of a block: who goes first is drawn for every other pair, and reversed for the one after."""
    seconds: dict[str, list[float]] = {name: [] for name in loaders}
    order = list(loaders)
    for number in range(PAIRS):
        if number % 2:
            order.reverse()
        else:
            rng.shuffle(order)
        for name in order:
            seconds[name].append(consumer.read(*loaders[name]))
    return seconds


def short(subject: Subject, config: LoaderConfig) -> Subject:
    """The part of `subject` that is `SHORT` batches of each worker; a stream is read whole."""
    if subject.is_stream:
        return subject
    return subject.part(SHORT * max(1, config.num_workers) * (config.batch_size or 1))
