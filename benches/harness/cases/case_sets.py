"""The two sets of cases: what each setting may be where neither the command line nor a bench says it.

The first value of a setting is its usual one: the quick set takes it together with the usual values of all others, and
varies one setting at a time around them; the full set takes every combination.
"""

from collections.abc import Mapping
from typing import Any

from torch import multiprocessing

from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.system.machine import usable_cpus
from loaderbench.reports.vocabulary import SETTINGS

Values = tuple[Any, ...]
_NOT_QUICK = ("shards", "rows")  # a stream is read whole; rows is the table, sample by sample


def quick() -> dict[str, Values]:
    """Return the settings that people ask about first."""
    return {
        "dataset": tuple(name for name in SETTINGS["dataset"].choices if name not in _NOT_QUICK),
        "device": available(),
        "num_workers": distinct(2, 0, usable_cpus()),
        "batch_size": (32, 64),
        "pin_memory": (False, True),
        "start_method": (multiprocessing.get_start_method(),),
    }


def full() -> dict[str, Values]:
    """Return more of everything: batch sizes, workers up to the machine's CPUs, prefetch depths."""
    cpus = usable_cpus()
    doubling = [1 << power for power in range(cpus.bit_length())]
    return {
        **quick(),
        "dataset": SETTINGS["dataset"].choices,
        "num_workers": distinct(2, 0, *doubling, cpus),
        "batch_size": (64, 16, 256, 1024),
        "prefetch_factor": (2, 8),
    }


def usual_values(values: Mapping[str, Values], setting: str) -> Values:
    """Return what `setting` may be; where the set does not say, its default alone."""
    return values[setting] if setting in values else (SETTINGS[setting].default,)


def distinct(*values: Any) -> Values:
    """Return the values in their order, each once."""
    return tuple(dict.fromkeys(values))
