"""The loader that a command is asked about: its dataset, its collate function, its arguments, its first batch."""

import warnings
from collections.abc import Callable
from itertools import islice
from typing import Any

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.loading.loader import NO_BATCH, LoaderConfig, in_process, only_without_workers
from loaderbench.benches.harness.loading.subject import Subject

TIMEOUT_S = 60.0  # for a batch


def loader_config(*, num_workers: int, collate_fn: Callable[[Any], Any], **arguments: Any) -> LoaderConfig:
    """Return a loader's configuration; without workers, the arguments that need them are left out.

    Raises ValueError where DataLoader would refuse the arguments.
    """
    arguments = {"timeout": TIMEOUT_S, **arguments} if num_workers else {**arguments, **only_without_workers()}
    return LoaderConfig(num_workers=num_workers, collate_fn=collate_fn, seed=0, **arguments)


def first_batch(subject: Subject, config: LoaderConfig) -> Any:
    """Return the first batch of the loader, made without workers; raises RefusedError.

    It reads the dataset in this process: call it in one that nothing is measured in.
    """
    try:
        with as_case_failure():
            batches = list(islice(in_process(config).build(subject.dataset), 1))
    except CaseFailedError as error:
        raise RefusedError(f"{subject.name}: its first batch of {config.batch_size}: {error}") from error
    if not batches:
        raise RefusedError(f"{subject.name}: it delivers no batch of {config.batch_size}")
    if batches[0] is None:
        raise RefusedError(f"{subject.name}: {NO_BATCH}")
    return batches[0]


def silence_warnings() -> None:
    """Ignore warnings in this process and those forked from it: one has shown what user code warns of, as all would."""
    warnings.simplefilter("ignore")
