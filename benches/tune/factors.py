"""What can be varied on the loader at hand, with which values; and what would crash, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import Any

from torch.multiprocessing import get_all_start_methods, get_start_method

from loaderbench.benches.check.imports import import_fault
from loaderbench.benches.check.loader_demand import limits
from loaderbench.benches.explain.baseline.baseline import FirstBatchFacts
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.tune.space import (
    DEEPER,
    FACTORS,
    MOST_WORKERS_PER_CPU,
    USUAL_PREFETCH,
    WORKERS_PER_CPU,
    Space,
    Values,
)
from loaderbench.datasets.collate import default
from loaderbench.datasets.recipes.transport import FEW_TENSORS
from loaderbench.reports.check.preflight import Demand, findings
from loaderbench.reports.tune.tune_record import TuneLimits
from loaderbench.reports.units import quantity
from loaderbench.reports.vocabulary import SETTINGS

NAMES: Mapping[str, tuple[str, ...]] = {
    "fetch": ("samples", "batches"),
    "collate_fn": ("own", "stack_into", "packed", "reused"),
}
SWITCHES: Mapping[str, bool] = {"on": True, "off": False}


def read_fixed(text: str) -> tuple[str, Any]:
    """Return factor and value of ``name=value``; raises ValueError."""
    name, _, value = text.partition("=")
    name = name.replace("-", "_")
    if name not in FACTORS or name == "batch_size":
        raise ValueError(
            f"takes name=value with a name of {', '.join(f for f in FACTORS if f != 'batch_size')}, got {text!r}"
        )
    if name in NAMES or name in ("one_thread", "keep_memory"):
        taken = NAMES.get(name, tuple(SWITCHES))
        if value not in taken:
            raise ValueError(f"{name} takes {', '.join(taken)}, got {value!r}")
        return name, SWITCHES.get(value, value)
    try:
        return name, SETTINGS[name].read(value)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(SETTINGS[name].option).strip()) from None


def values_of(config: LoaderConfig, num_workers: int) -> dict[str, Any]:
    """Return the values of a user's loader, which has `num_workers` whatever `config` has."""
    context: Any = config.multiprocessing_context
    method = context if context is None or isinstance(context, str) else context.get_start_method()
    return {
        "num_workers": num_workers,
        "batch_size": config.batch_size,
        "prefetch_factor": config.prefetch_factor or USUAL_PREFETCH,
        "persistent_workers": config.persistent_workers and num_workers > 0,
        "pin_memory": config.pin_memory,
        "in_order": config.in_order,
        "start_method": None if method == get_start_method() else method,
        "fetch": "samples",
        "collate_fn": "own",
        "one_thread": False,
        "keep_memory": False,
    }


def torchs_values(own: Values) -> dict[str, Any]:
    """Return torch's defaults, for the user's batches."""
    return {
        **own,
        "num_workers": 0,
        "prefetch_factor": USUAL_PREFETCH,
        "persistent_workers": False,
        "pin_memory": False,
        "in_order": True,
        "start_method": None,
    }


@dataclass(frozen=True, kw_only=True)
class Feasible:
    """What may be tried: the demand of the user's loader with two workers, and the limits."""

    subject: Subject
    config: LoaderConfig
    demand: Demand
    dtypes: int
    """Of a batch's tensors: as many are left when they are packed."""
    limit: TuneLimits
    cpus: int

    @property
    def most_workers(self) -> int:
        """Return the workers that are tried at most."""
        return MOST_WORKERS_PER_CPU * self.cpus if self.limit.workers is None else self.limit.workers

    def fault(self, values: Values) -> str:
        """Return why a setting is not to be tried; "" where nothing speaks against it."""
        workers = values["num_workers"]
        if self.limit.workers is not None and workers > self.limit.workers:
            return f"{workers} workers are more than --max-workers {self.limit.workers}"
        wrong = next((one for one in findings(self._demand(values), self._limits) if one.level == "wrong"), None)
        if wrong is None:
            return ""
        if wrong.needed is None or wrong.limit is None:
            return f"{wrong.name}: {wrong.why}"
        return f"{wrong.name}: {quantity(wrong.needed, wrong.unit)} of {quantity(wrong.limit, wrong.unit)}: {wrong.why}"

    def _demand(self, values: Values) -> Demand:
        workers, usual = values["num_workers"], self.config.batch_size
        method = values["start_method"] or get_start_method()
        scale = 1.0 if usual is None else values["batch_size"] / usual
        is_packed = values["collate_fn"] in ("packed", "reused")
        return replace(
            self.demand,
            num_workers=workers,
            prefetch_factor=values["prefetch_factor"],
            start_method=method,
            storages=min(self.demand.storages, self.dtypes) if is_packed else self.demand.storages,
            storage_bytes=round(self.demand.storage_bytes * scale),
            object_bytes=round(self.demand.object_bytes * scale),
            batch_error=self.demand.batch_error if workers else None,
            worker_error=self.demand.worker_error if workers > 1 else None,  # it was seen of two: one is tried
            repeated=self.demand.repeated if workers > 1 else None,
            import_error=self._import_error if workers and method != "fork" else None,
        )

    @cached_property
    def _limits(self) -> Any:
        here, limit = limits(), self.limit
        memory = here.memory_bytes if limit.memory_bytes is None else min(here.memory_bytes, int(limit.memory_bytes))
        shm = min((size for size in (here.shm_bytes, limit.shm_bytes) if size is not None), default=None)
        return replace(here, memory_bytes=memory, shm_bytes=None if shm is None else int(shm))

    @cached_property
    def _import_error(self) -> str | None:
        module, colon, _ = self.subject.name.partition(":")
        return import_fault(module) if colon else None


def space_of(
    feasible: Feasible,
    shown: FirstBatchFacts,
    own: Values,
    *,
    batch_sizes: Sequence[int],
    fixed: Values,
    on_device: bool,
) -> Space:
    """Return what there is to try; raises RefusedError where what is `fixed` cannot be had of this loader."""
    choices: dict[str, list[Any]] = {
        "num_workers": _ladder(feasible, own["num_workers"]),
        "batch_size": list(batch_sizes) or [own["batch_size"]],
        "prefetch_factor": sorted({own["prefetch_factor"], USUAL_PREFETCH, DEEPER}),
        "persistent_workers": [False, True],
        "pin_memory": [False, True] if on_device and shown.has_accelerator else [own["pin_memory"]],
        "in_order": [True, False],
        "start_method": _start_methods(feasible, own["start_method"]),
        "fetch": ["samples", *(["batches"] if shown.indexes_batches else [])],
        "collate_fn": _collate_fns(feasible.config, shown),
        "one_thread": [False, *([True] if any(threads > 1 for threads in shown.thread_pools.values()) else [])],
        "keep_memory": [False, True],
    }
    _fix(choices, fixed)
    return Space(
        config=feasible.config,
        choices=choices,
        fixed={name: choices[name][0] for name in fixed},
        usual={**torchs_values(own), "batch_size": choices["batch_size"][0]},
        most_workers=0 if "num_workers" in fixed else feasible.most_workers,
        is_stream=feasible.subject.is_stream,
    )


def _start_methods(feasible: Feasible, own: str | None) -> list[str | None]:
    if feasible.demand.pickle_error is not None:
        return [own]
    return [None, *(name for name in get_all_start_methods() if name != get_start_method())]


def _collate_fns(config: LoaderConfig, shown: FirstBatchFacts) -> list[str]:
    tensors, can_rebuild = shown.batch.leaves.tensors, not shown.batch.not_rebuilt
    is_torchs = config.collate_fn is None or config.collate_fn is default
    return [
        "own",
        *(["stack_into"] if is_torchs and config.batch_size is not None else []),
        *(["packed"] if tensors >= FEW_TENSORS and can_rebuild else []),
        *(["reused"] if tensors and can_rebuild else []),
    ]


def _fix(choices: dict[str, list[Any]], fixed: Values) -> None:
    """Leave one value of every factor that is fixed; raises RefusedError where it cannot be had of this loader."""
    for name, given in fixed.items():
        value = None if name == "start_method" and given == get_start_method() else given
        if value not in choices[name] and name not in ("num_workers", "prefetch_factor"):
            raise RefusedError(
                f"--fix {name}: it cannot be {value} with this loader, but {', '.join(map(str, choices[name]))}"
            )
        choices[name] = [value]


def _ladder(feasible: Feasible, own: int) -> list[int]:
    """Return the numbers of workers that are tried first."""
    most = min(WORKERS_PER_CPU * feasible.cpus, feasible.most_workers)
    powers = takewhile(lambda workers: workers <= most, (1 << power for power in range(32)))
    return sorted({0, *powers, min(feasible.cpus, most), *([own] if own <= most else [])})
