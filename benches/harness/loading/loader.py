"""The configuration of a DataLoader: every argument, checked before anything is started."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain, islice
from multiprocessing.context import BaseContext
from typing import Any, Protocol

import torch
from torch import multiprocessing
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate, default_convert

from loaderbench.benches.harness.errors import NotRebuiltError, RefusedError
from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.failures.position import dump_folder, dump_on_signal
from loaderbench.benches.harness.samples.parts import Wrapper, unwrap_in_worker
from loaderbench.benches.harness.samples.sampling import sampler_of
from loaderbench.benches.harness.system.child import dies_with_parent, once_in_child
from loaderbench.datasets.pytree import count_leaves
from loaderbench.datasets.recipes.worker_init import InTurn
from loaderbench.reports.vocabulary import of_workers

TORCHS_PREFETCH_FACTOR = 2
NO_BATCH = "the collate_fn returned None in place of the first batch; return a batch of tensors"

# Settings that DataLoader knows by another name.
_ARGUMENTS: Mapping[str, str] = {"start_method": "multiprocessing_context"}

Samples = Iterable[int] | Callable[[Dataset[Any]], Iterable[int]]
Batches = Iterable[list[int]] | Callable[[Dataset[Any]], Iterable[list[int]]]


class Named(Protocol):
    """An object that the command line named."""

    def call(self, arguments: str) -> Any:
        """Return the object, or what it returns where it is a function."""

    def refuse(self, why: str) -> RefusedError:
        """Return the error that names it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AsIs:
    """A loader of the user's that can only be measured as it is: its class has an ``__init__`` and methods of its own.

    No loader with other arguments can be built from such a class. It is made anew in each process that reads it.
    """

    named: Named
    kind: str
    """The name of its class."""
    arguments: Mapping[str, Any]
    """Of the `LoaderConfig` that says what it is."""

    def config(self) -> "LoaderConfig":
        """Return the only configuration that it has."""
        return LoaderConfig(**self.arguments, loader_class=self)

    def check(self, config: "LoaderConfig") -> None:
        """Raise NotRebuiltError where `config` is another one."""
        names = (entry.name for entry in fields(config) if entry.name not in {"seed", "loader_class"})
        changed = [name for name in names if getattr(config, name) != self.arguments.get(name, _DEFAULTS[name])]
        if changed:
            raise self.refuse(f"{changed[0]} cannot be varied")

    def refuse(self, what: str) -> NotRebuiltError:
        """Return the error of something that would need another loader, such as "num_workers cannot be varied"."""
        why = f"{self.kind} has an __init__ and methods of its own, so no other loader can be built from it"
        return NotRebuiltError(str(self.named.refuse(f"{what}: {why}")))

    def make(self) -> "DataLoader[Any]":
        """Return the loader, made anew where it is a function that makes it."""
        return self.named.call("")  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderConfig:
    """Arguments of ``torch.utils.data.DataLoader``, with torch's own defaults, as one immutable value.

    ``sampler`` and ``batch_sampler`` may also be functions of the dataset, so that a config can be stated
    before its dataset exists. ``seed`` stands for ``generator``: each `build` seeds a fresh one.

    Raises ValueError where DataLoader would refuse the combination, or would ignore an argument.
    """

    batch_size: int | None = 1
    shuffle: bool = False
    sampler: Samples | None = None
    batch_sampler: Batches | None = None
    num_workers: int = 0
    collate_fn: Callable[[list[Any]], Any] | None = None
    pin_memory: bool = False
    drop_last: bool = False
    timeout: float = 0  # seconds to wait for a batch; 0 waits for ever
    worker_init_fn: Callable[[int], None] | None = None
    multiprocessing_context: str | BaseContext | None = None
    seed: int | None = None
    prefetch_factor: int | None = None  # batches in flight for each worker
    persistent_workers: bool = False
    in_order: bool = True
    loader_class: Any = DataLoader
    """What is built: DataLoader, a class that takes its arguments, or `AsIs`."""

    def __post_init__(self) -> None:
        if isinstance(self.loader_class, AsIs):
            self.loader_class.check(self)
            return
        fault = next(chain(self._out_of_range(), self._needs_workers(), self._exclusive()), None)
        if fault is not None:
            raise ValueError(fault)

    def build(self, dataset: Dataset[Any]) -> "DataLoader[Any]":
        """Return a DataLoader over `dataset`; two builds with the same seed draw the same order."""
        if isinstance(self.loader_class, AsIs):
            return self.loader_class.make()
        arguments = {name: value for name, value in self._arguments().items() if value is not None}
        if self.num_workers:
            arguments["worker_init_fn"] = WorkerInit(self.worker_init_fn, dump_folder())
        for name in ("sampler", "batch_sampler"):
            if name in arguments:
                arguments[name] = sampler_of(arguments[name], dataset)
        if self.batch_sampler is not None:
            arguments.pop("batch_size", None)
        elif self.batch_size is None:
            arguments["batch_size"] = None
        if isinstance(dataset, IterableDataset) and not self.shuffle:
            arguments.pop("shuffle")  # some versions of torch refuse it for a stream
        return self.loader_class(dataset, **arguments)  # type: ignore[no-any-return]

    @property
    def is_as_is(self) -> bool:
        """Return whether it is a loader of the user's that can only be read as it is."""
        return isinstance(self.loader_class, AsIs)

    @property
    def batches_per_worker(self) -> int:
        """Return the batches in flight for each worker: torch's own number where none is given."""
        return self.prefetch_factor or TORCHS_PREFETCH_FACTOR

    @property
    def batch_fn(self) -> Callable[[Any], Any]:
        """Return what makes a batch of samples, or of one where batching is off: torch's own where none is given."""
        is_batched = self.batch_size is not None or self.batch_sampler is not None
        return self.collate_fn or (default_collate if is_batched else default_convert)

    def _arguments(self) -> dict[str, Any]:
        ours = {"seed", "loader_class"}
        arguments = {name: getattr(self, name) for name in self.__slots__ if name not in ours}
        if self.seed is not None:
            arguments["generator"] = torch.Generator().manual_seed(self.seed)
        return arguments

    def _out_of_range(self) -> Iterator[str]:
        if self.num_workers < 0:
            yield f"num_workers must be >= 0, got {self.num_workers}"
        if self.batch_size is not None and self.batch_size < 1:
            yield f"batch_size must be >= 1, or None for single samples, got {self.batch_size}"
        if self.prefetch_factor is not None and self.prefetch_factor < 1:
            yield f"prefetch_factor must be >= 1, got {self.prefetch_factor}"
        if self.timeout < 0:
            yield f"timeout must be >= 0 seconds, got {self.timeout}"
        methods = multiprocessing.get_all_start_methods()
        if isinstance(self.multiprocessing_context, str) and self.multiprocessing_context not in methods:
            yield (
                f"multiprocessing_context must be one of {', '.join(methods)} here, "
                f"got {self.multiprocessing_context!r}"
            )

    def _needs_workers(self) -> Iterator[str]:
        if self.num_workers:
            return
        for name, only in only_without_workers().items():
            if getattr(self, name) != only:
                yield f"{name} needs num_workers > 0, got {name}={getattr(self, name)!r} with num_workers=0"

    def _exclusive(self) -> Iterator[str]:
        if self.shuffle and (self.sampler is not None or self.batch_sampler is not None):
            yield "shuffle cannot go with a sampler or batch_sampler: the sampler decides the order"
        if self.batch_sampler is not None and (
            self.sampler is not None or self.drop_last or self.batch_size not in (1, None)
        ):
            yield "batch_sampler cannot go with batch_size, sampler or drop_last: it decides what a batch is"
        if self.batch_size is None and self.batch_sampler is None and self.drop_last:
            yield "drop_last needs a batch_size: with batch_size=None there is no last batch to drop"


def only_without_workers() -> dict[str, Any]:
    """Return the arguments that mean nothing without worker processes, each with its only value there."""
    settings = {_ARGUMENTS.get(name, name): value for name, value in of_workers().items()}
    return {name: value for name, value in settings.items() if name in LoaderConfig.__slots__} | {"timeout": 0}


_DEFAULTS = {entry.name: entry.default for entry in fields(LoaderConfig)}


@dataclass(frozen=True, slots=True)
class WorkerInit:
    """A ``worker_init_fn`` that binds a worker to its parent, and shows user code its own dataset, not one around it.

    Linux kills such a worker at once when its parent dies, even in the user's code. torch's own watchdog waits until
    the worker returns from the user's code, if it does. Under ``forkserver`` it stays the only one: there the parent is
    the fork server, which lives as long as its workers do.
    """

    init: Callable[[int], None] | None
    dumps_into: str
    """The folder where a worker writes, when it is asked, which line it is at."""

    def __call__(self, worker_id: int) -> None:
        """Set the worker up, then do what the user's own function does."""
        dies_with_parent()
        dump_on_signal(self.dumps_into)
        unwrap_in_worker()
        if self.init is not None:
            self.init(worker_id)


def worker_init(*inits: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """Return a ``worker_init_fn`` that calls those of `inits` that are not None, in their order; None without any."""
    given: list[Callable[[int], None]] = []
    for init in filter(None, inits):
        given += init.functions if isinstance(init, InTurn) else [init]
    return InTurn(*given) if len(given) > 1 else next(iter(given), None)


class WithoutGetitems(Dataset[Any], Wrapper):
    """A map-style dataset without its ``__getitems__``: the loader asks for one sample at a time."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]


class WrappedIterable(IterableDataset[Any], Wrapper):
    """Any object with ``__iter__``, given the base class by which DataLoader knows a stream."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.dataset = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self.dataset)


def as_dataset(thing: Any) -> Dataset[Any]:
    """Return `thing` as DataLoader wants it: streams need torch's base class, map-style objects nothing."""
    is_map = hasattr(thing, "__getitem__") and hasattr(thing, "__len__")
    return thing if is_map or isinstance(thing, IterableDataset) else WrappedIterable(thing)


def without_workers(config: LoaderConfig) -> LoaderConfig:
    """Return `config` without workers, and without what is theirs: read in this process alone."""
    return replace(config, num_workers=0, **only_without_workers())


def in_process(config: LoaderConfig) -> LoaderConfig:
    """Return `config` for batches that are not timed: no workers, nothing pinned; as it is where it has to be."""
    return config if config.is_as_is else replace(without_workers(config), pin_memory=False)


def batch_facts(dataset: Dataset[Any], config: LoaderConfig) -> dict[str, int]:
    """Return the tensors, other objects and bytes of the first batch, read without workers in a process of its own.

    Raises CaseFailedError where there is none.
    """
    return _batch_facts(in_process(config), dataset)


@once_in_child
def _batch_facts(config: LoaderConfig, dataset: Dataset[Any]) -> dict[str, int]:
    with as_case_failure():
        batches = list(islice(config.build(dataset), 1))
    if not batches:
        raise CaseFailedError("it delivers no batch" + (f" of {config.batch_size}" if config.batch_size else ""))
    batch = batches[0]
    parts = count_leaves(batch)
    if batch is None:
        raise CaseFailedError(NO_BATCH)
    if isinstance(config.collate_fn, type) and not parts.tensors:
        made = f"{config.collate_fn.__name__} is a class, and the object that it makes of the samples holds no tensor"
        raise CaseFailedError(f"the collate_fn {made}; name a function, or a class whose objects can be called")
    return {
        "batch_tensors": parts.tensors,
        "batch_objects": parts.arrays + parts.strings + parts.objects,
        "batch_bytes": parts.bytes,
    }
