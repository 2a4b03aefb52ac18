"""A/B passes: two loaders over one dataset, one with a cause (control), one without (treatment), read in turns.

Both loaders run in this process, so its state and the moment's load are the same for them. What differs by chance is
their workers: a fresh pair of loaders is one block, the unit of inference.
"""

import random

from loaderbench.benches.explain.consumer import Consumer
from loaderbench.benches.explain.interventions import Intervention
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import Subject
from loaderbench.datasets.recipes.transport import release_slots
from loaderbench.reports.explain.record import PassBlock

PAIRS = 3  # of passes, in a block
SHORT_PASS = 2  # batches of each worker, where only their start matters


def measure_block(intervention: Intervention, subject: Subject, consumer: Consumer, rng: random.Random) -> PassBlock:
    """Read a fresh pair of loaders in turns, after a discarded pass of each; what a loader raises is raised."""
    if intervention.facts.once_per_epoch:
        subject = _short(subject, intervention.control)
    configs = {"control": intervention.control, "treatment": intervention.treatment}
    with NoStrays():
        loaders = {name: config.build(subject.dataset) for name, config in configs.items()}
        seconds: dict[str, list[float]] = {name: [] for name in configs}
        try:
            for name, config in configs.items():  # workers start, files are read
                consumer.pass_s(loaders[name], config)
            for name in _turns(list(configs), rng):
                seconds[name].append(consumer.pass_s(loaders[name], configs[name]))
        finally:
            loaders.clear()  # their workers are joined here
            release_slots()
    return PassBlock(
        cause=intervention.facts.cause, control_s=tuple(seconds["control"]), treatment_s=tuple(seconds["treatment"])
    )


def _turns(names: list[str], rng: random.Random) -> list[str]:
    """Return who reads when: the order of every other pair is drawn, and reversed for the pair after it."""
    turns: list[str] = []
    for pair in range(PAIRS):
        if pair % 2:
            names.reverse()
        else:
            rng.shuffle(names)
        turns += names
    return turns


def _short(subject: Subject, config: LoaderConfig) -> Subject:
    """Return the part of `subject` that is `SHORT_PASS` batches of each worker; a stream is read whole."""
    if subject.is_stream:
        return subject
    return subject.part(SHORT_PASS * max(1, config.num_workers) * (config.batch_size or 1))
