"""A/B passes: two loaders over one dataset, one with a cause (control), one without (treatment), read in turns.

Both loaders run in this process, so its state and the moment's load are the same for them. What differs by chance is
their workers: a fresh pair of loaders is one block, the unit of inference.
"""

import random

from loaderbench.benches.explain.consumer import Consumer
from loaderbench.benches.explain.interventions import Intervention
from loaderbench.benches.harness.case_loader import cut
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import Subject
from loaderbench.datasets.recipes.transport import release_slots
from loaderbench.reports.explain.record import PassBlock

PAIRS = 3  # of passes, in a block
SHORT_PASS = 2  # batches of each worker, where only their start matters


def measure_block(intervention: Intervention, subject: Subject, consumer: Consumer, rng: random.Random) -> PassBlock:
    """Read a fresh pair of loaders in turns, after a discarded pass of each; what a loader raises is raised."""
    configs = {"control": intervention.control, "treatment": intervention.treatment}
    if intervention.facts.once_per_epoch:
        subject, configs = _short(subject, configs)
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


def _short(subject: Subject, configs: dict[str, LoaderConfig]) -> tuple[Subject, dict[str, LoaderConfig]]:
    """Return passes of `SHORT_PASS` batches of each worker; a stream is read whole."""
    control = configs["control"]
    samples = SHORT_PASS * max(1, control.num_workers) * (control.batch_size or 1)
    shortened = {name: cut(subject, config, samples) for name, config in configs.items()}
    return shortened["control"][0], {name: config for name, (_, config) in shortened.items()}
