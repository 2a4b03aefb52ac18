"""How long a model's step takes, on batches that are there: what ``whatif`` predicts with."""

from functools import partial
from time import perf_counter

import torch

from loaderbench.benches.harness.loading.batch_source import BatchSource
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.devices import available, place, synchronise
from loaderbench.benches.harness.training.model_choice import ModelChoice

BATCHES = 8  # timed, after as many that are not


def step_s(model: ModelChoice, subject: Subject, config: LoaderConfig) -> float:
    """Return the mean seconds of a step on different batches of `config`'s size, measured in a process of its own.

    The step runs on the accelerator, where there is one. Raises RefusedError where there is no such model.
    """
    return in_child(partial(_step_s, model, subject, config))


def _step_s(model: ModelChoice, subject: Subject, config: LoaderConfig) -> float:
    device = torch.device(available()[-1])
    step = model.task(subject, device)
    with BatchSource(subject, config) as source:
        for _ in range(2):
            batches = [place(batch, device) for batch in source.next_batches(BATCHES)]
            synchronise(device)
            began = perf_counter()
            for batch in batches:
                step(batch)
            synchronise(device)
            seconds = perf_counter() - began
    return seconds / len(batches)
