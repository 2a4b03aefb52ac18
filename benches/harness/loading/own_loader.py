"""The user's own DataLoader (``--from-loader``): taken apart into settings, so that it can be varied; or read as it is.

Nothing of its dataset is read here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing import active_children
from pkgutil import resolve_name
from typing import Any

import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
    default_convert,
)

from loaderbench.benches.harness.loading.loader import AsIs, LoaderConfig, only_without_workers
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.loading.subject import GivenDataset
from loaderbench.benches.harness.system import processes
from loaderbench.reports.vocabulary import SETTINGS, loader_arguments, loader_settings, names, of_workers

OPTION = "--from-loader"
DRAWING = frozenset({"sampling", "sampler", "batch_sampler"})
# What a class may define and still do no more than pass arguments on to DataLoader.
_OF_NO_CONSEQUENCE = {
    "__init__", "__module__", "__doc__", "__qualname__", "__annotations__", "__parameters__", "__orig_bases__",
    "__firstlineno__", "__static_attributes__", "__dict__", "__weakref__",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OwnLoader:
    """A DataLoader taken apart."""

    named: NamedObject
    dataset: Any
    settings: Mapping[str, Any]
    """Its arguments as settings of the vocabulary, objects by their names."""
    objects: Mapping[str, Any]
    """The objects that these names stand for; None where it has none, or torch's own."""
    loader_class: Any
    """What it is built by: DataLoader, a class that only adds methods, or `AsIs`."""
    timeout_s: float

    @property
    def is_as_is(self) -> bool:
        """Return whether it can only be read as it is: no other loader can be built from its class."""
        return isinstance(self.loader_class, AsIs)

    @property
    def given_dataset(self) -> GivenDataset:
        """Return its dataset, under the loader's name."""
        return GivenDataset(
            named=self.named,
            dataset=self.dataset,
            collate_fns=(str(self.settings["collate_fn"]),),
            is_read_whole=self.is_as_is,
        )

    def object(self, argument: str, name: Any) -> Any:
        """Return the object that it has for an argument under this name; raises KeyError where it has another."""
        if name is None or self.settings[argument] != name or self.objects[argument] is None:
            raise KeyError(name)
        return self.objects[argument]

    def config_as_is(self) -> LoaderConfig:
        """Return what builds it as it is, once more."""
        return self.loader_class.config()  # type: ignore[no-any-return]


@cache
def load_own_loader(target: str) -> OwnLoader:
    """Return the loader that `target` (module:attribute) names: a DataLoader, or a function that returns one.

    Workers that it has started are ended. Raises RefusedError where it is none.
    """
    named = NamedObject(option=OPTION, target=target)
    before = set(active_children())
    loader = named.call("")
    processes.end(set(active_children()) - before)
    if not isinstance(loader, DataLoader):
        raise named.refuse(
            f"it is a {type(loader).__name__}, neither a torch.utils.data.DataLoader nor a function that returns one"
        )
    objects = _objects(loader)
    arguments = _arguments(loader, objects)
    return OwnLoader(
        named=named,
        dataset=loader.dataset,
        settings=_settings(loader, objects, target),
        objects=objects,
        loader_class=_class_of(loader) or AsIs(named=named, kind=type(loader).__name__, arguments=arguments),
        timeout_s=loader.timeout,
    )


def _class_of(loader: "DataLoader[Any]") -> "type[DataLoader[Any]] | None":
    """Return a class that builds another loader of the same behaviour; None where there is none."""
    classes = type(loader).__mro__[: type(loader).__mro__.index(DataLoader)]
    if all(set(vars(kind)) <= _OF_NO_CONSEQUENCE for kind in classes):
        return DataLoader  # what a class does to its arguments has been done
    return None if any("__init__" in vars(kind) for kind in classes) else type(loader)


def _objects(loader: "DataLoader[Any]") -> dict[str, Any]:
    """Return the loader's objects by argument; None in place of torch's own."""
    batch_sampler = loader.batch_sampler if loader.batch_size is None else None  # else torch has made it
    is_plain = batch_sampler is not None or isinstance(loader.dataset, IterableDataset) or _sampling(loader)
    return {
        "collate_fn": None if loader.collate_fn in (default_collate, default_convert) else loader.collate_fn,
        "worker_init_fn": loader.worker_init_fn,
        "sampler": None if is_plain else loader.sampler,
        "batch_sampler": batch_sampler,
    }


def _sampling(loader: "DataLoader[Any]") -> str | None:
    """Return what torch's own samplers do, as the setting calls it; None of another one."""
    sampler: Any = loader.sampler
    if type(sampler) is SequentialSampler:
        return "sequential"
    is_shuffle = (
        type(sampler) is RandomSampler and not sampler.replacement and sampler.num_samples == len(sampler.data_source)
    )
    return "shuffle" if is_shuffle else None


def _arguments(loader: "DataLoader[Any]", objects: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a LoaderConfig that are not torch's defaults."""
    own_sampler = objects["sampler"] is not None or objects["batch_sampler"] is not None
    arguments = {
        **_plain_arguments(loader),
        **objects,
        "shuffle": not own_sampler and _sampling(loader) == "shuffle",
        "timeout": loader.timeout,
        "multiprocessing_context": loader.multiprocessing_context,
    }
    if objects["batch_sampler"] is not None:
        arguments |= {"batch_size": None, "drop_last": False}
    return {**arguments, **({} if loader.num_workers else only_without_workers())}


def _plain_arguments(loader: "DataLoader[Any]") -> dict[str, Any]:
    """Return the arguments that are numbers or switches; objects are named."""
    plain = names(lambda setting: setting.is_argument and setting.kind != "name")
    return {name: getattr(loader, name, SETTINGS[name].default) for name in plain}


def _settings(loader: "DataLoader[Any]", objects: Mapping[str, Any], target: str) -> dict[str, Any]:
    own_sampler = objects["sampler"] is not None or objects["batch_sampler"] is not None
    context: Any = loader.multiprocessing_context
    plain = _plain_arguments(loader)
    named = {name: _name(thing, f"{target}.{name}") for name, thing in objects.items()}
    settings = {
        **plain,
        **named,
        "dataset": target,
        "collate_fn": named["collate_fn"] or "default",
        "sampling": None if own_sampler else _sampling(loader) or "sequential",
        "start_method": (context or torch.multiprocessing).get_start_method(),
    }
    if not loader.num_workers:  # torch's defaults, for when it is varied
        settings |= {name: SETTINGS[name].default for name in of_workers() if name in plain}
    return settings


def _name(thing: Any, otherwise: str) -> str | None:
    """Return the name by which an object can be imported, else `otherwise`; None for None."""
    if thing is None:
        return None
    name = f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', '')}"
    try:
        return name if resolve_name(name) is thing else otherwise
    except (ImportError, AttributeError, ValueError):
        return otherwise


def varied_settings(own_loader: OwnLoader, asked: Collection[str]) -> dict[str, Any]:
    """Return the loader's settings where those called `asked` are varied: one way of drawing replaces another.

    Without its batch_sampler, batches have torch's usual size.
    """
    settings = dict(own_loader.settings)
    if not DRAWING & set(asked):
        return settings
    if settings["batch_size"] is None and settings["batch_sampler"] is not None:
        settings["batch_size"] = SETTINGS["batch_size"].default
    usual = SETTINGS["sampling"].default if settings["sampling"] is None else settings["sampling"]
    return {**settings, "sampler": None, "batch_sampler": None, "sampling": usual}


def check_variation(own_loader: OwnLoader, asked: Collection[str], samples: str) -> None:
    """Raise RefusedError where what is `asked` cannot be had of this loader."""
    if "dataset" in asked:
        raise own_loader.named.refuse("its dataset is measured, leave out --dataset")
    if own_loader.is_as_is and samples not in {"auto", "all"}:
        raise own_loader.loader_class.refuse("--samples cannot be given")
    varied = next((name for name in asked if name in {*loader_settings(), "fetch"}), None)
    if own_loader.is_as_is and varied:
        raise own_loader.loader_class.refuse(f"{varied} cannot be varied")
    if "batch_size" in asked and own_loader.settings["batch_sampler"] is not None and not DRAWING & set(asked):
        fault = "its batch_sampler decides what a batch is: to vary --batch-size, give --sampling too"
        raise own_loader.named.refuse(fault)


def settings_around(own_loader: OwnLoader | None, given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one loader: those `given`, else those of the user's own, else torch's or `usual`.

    Raises RefusedError where what is given cannot be had of the user's own.
    """
    if own_loader is not None:
        check_variation(own_loader, given, "all")
        settings = {**varied_settings(own_loader, given), **given}
    else:
        settings = {**{name: SETTINGS[name].default for name in loader_arguments()}, **usual, **given}
    has_no_last = settings["batch_size"] is None or settings["batch_sampler"] is not None
    return {**settings, "drop_last": False} if has_no_last else settings
