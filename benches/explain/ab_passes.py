"""A/B passes: two loaders over one dataset, one with a cause and one without, read in turns.

Both loaders run in one process, so its state and the moment's load are the same for them. What differs by chance is
their workers: a fresh pair of loaders, in a process forked for it, is one block, the unit of inference.
"""

import random

from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.explain.interventions.intervention import Intervention
from loaderbench.benches.harness.loading.case_loader import cut
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.samples.parts import samples_of
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.processes import NoStrays
from loaderbench.datasets.recipes.transport import release_slots
from loaderbench.reports.explain.ab_schedule import PassPlan
from loaderbench.reports.explain.explain_record import PassBlock

SHORT_PASS = 2  # batches of each worker, where only their start matters


def block_in_child(
    intervention: Intervention, subject: Subject, consumer: Consumer, plan: PassPlan, turns: list[str], timeout_s: float
) -> PassBlock:
    """Measure a block in a process of its own; raises what the loader raises, and ChildError where it takes too long.

    `turns` says which loader is read when.
    """
    return in_child(lambda: measure_block(intervention, subject, consumer.ready(), plan, turns), timeout_s=timeout_s)


def measure_block(
    intervention: Intervention, subject: Subject, consumer: Consumer, plan: PassPlan, turns: list[str]
) -> PassBlock:
    """Read a fresh pair of loaders in turns, after a discarded pass of each; what a loader raises is raised."""
    samples = plan.samples
    if intervention.facts.once_per_epoch:
        samples = min(samples, SHORT_PASS * max(1, intervention.with_cause.num_workers) * plan.batch_samples)
    passes = {
        "with": cut(subject, intervention.with_cause, samples),
        "without": cut(subject, intervention.without_cause, samples),
    }
    configs = {name: config for name, (_, config) in passes.items()}
    with NoStrays():
        loaders = {name: config.build(part.dataset) for name, (part, config) in passes.items()}
        seconds: dict[str, list[float]] = {name: [] for name in configs}
        try:
            for name in dict.fromkeys(turns):  # workers start, files are read
                consumer.pass_s(loaders[name], configs[name])
            for name in turns:
                seconds[name].append(consumer.pass_s(loaders[name], configs[name]))
        finally:
            loaders.clear()  # their workers are joined here
            release_slots()
    return PassBlock(
        cause=intervention.facts.cause,
        samples=min(samples, samples_of(passes["with"][0].dataset) or samples),
        with_cause_s=tuple(seconds["with"]),
        without_cause_s=tuple(seconds["without"]),
    )


def turns_of(pairs: int, rng: random.Random) -> list[str]:
    """Return who reads when: the order of every other pair is drawn, and reversed for the pair after it."""
    names = ["with", "without"]
    turns: list[str] = []
    for pair in range(pairs):
        if pair % 2:
            names.reverse()
        else:
            rng.shuffle(names)
        turns += names
    return turns
