"""What would fail in every case: a first batch that cannot be made. It is refused once, before anything is timed."""

from collections.abc import Iterable, Mapping
from typing import Any

from loaderbench.benches.harness.cases.pytest_options import Options
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.loading.loader import batch_facts
from loaderbench.benches.harness.system.child import ChildError


def refuse_unbatchable(cases: Iterable[Mapping[str, Any]], options: Options) -> None:
    """Raise RefusedError if no dataset of the user's, with no collate function, gives a first batch.

    `cases` are the settings of those that read through a loader. If one combination works, the others are failed cases.
    """
    fault = ""
    for settings in _smallest_batches(cases):
        try:
            subject, config = options.loaded(settings)
            batch_facts(subject.dataset, config)
        except (CaseFailedError, ChildError) as error:
            fault = fault or f"--dataset {settings['dataset']}: its first batch cannot be made: {error}"
        else:
            return
    if fault:
        raise RefusedError(fault)


def _smallest_batches(cases: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the settings with the smallest batch of each dataset and collate function, where either is the user's."""
    smallest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for settings in cases:
        if settings["dataset"] is None:  # a bench of which no case is feasible
            continue
        names = (settings["dataset"], settings["collate_fn"])
        known = smallest.setdefault(names, settings)
        if (settings["batch_size"] or 0) < (known["batch_size"] or 0):
            smallest[names] = settings
    return [settings for names, settings in smallest.items() if ":" in "".join(names)]
