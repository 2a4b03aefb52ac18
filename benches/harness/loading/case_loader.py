"""The loader of a case: from settings by name, as the command line and the record have them, to a LoaderConfig."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import Any

from torch.utils.data import Dataset

from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.loading.collate_choice import collate_fn
from loaderbench.benches.harness.loading.loader import LoaderConfig, only_without_workers, worker_init
from loaderbench.benches.harness.loading.named_object import NamedObject
from loaderbench.benches.harness.loading.own_loader import OwnLoader
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.samples.sampling import OF_BATCHES, FirstDrawn, sampler_of, sampling_arguments
from loaderbench.benches.harness.system.placement import Placement
from loaderbench.reports.vocabulary import SETTINGS, loader_arguments

SAMPLERS = ("sampler", "batch_sampler")


def case_loader(
    subject: Subject,
    settings: Mapping[str, Any],
    *,
    seed: int,
    timeout_s: float,
    placement: Placement | None = None,
    own_loader: OwnLoader | None = None,
) -> tuple[Subject, LoaderConfig]:
    """Return a loader with these settings (the vocabulary's, by name), and the dataset that it is to be built over.

    That is `subject`; with a sampler of the user's own it is the whole of it, of which such a sampler draws, and a
    pass ends when it has drawn as many indices as `subject` has samples. Raises RefusedError naming the object that
    cannot be had, and ValueError where DataLoader would refuse the combination. Names of `own_loader` stand for
    its objects.
    """
    if own_loader is not None and own_loader.is_as_is:
        return subject.whole(), own_loader.config_as_is()
    objects = {name: _object(name, settings.get(name), own_loader) for name in (*SAMPLERS, "worker_init_fn")}
    arguments = {
        **{name: settings[name] for name in loader_arguments() if name in settings},
        **objects,
        "worker_init_fn": worker_init(placement, objects["worker_init_fn"]),
        "collate_fn": _collate_fn(settings, subject, own_loader),
        "multiprocessing_context": settings.get("start_method"),
        "timeout": timeout_s,
        "seed": seed,
    }
    if own_loader is not None:
        arguments |= {"loader_class": own_loader.loader_class, "timeout": own_loader.timeout_s or timeout_s}
    if has_sampler(settings):
        subject, arguments = _with_sampler(subject, arguments)
    else:
        name, size = _sampling(settings, subject), settings["batch_size"]
        drop_last = bool(settings.get("drop_last"))
        arguments |= sampling_arguments(name, subject.dataset, size, seed, drop_last=drop_last)
    if not arguments["num_workers"]:
        arguments |= only_without_workers()
    return subject, LoaderConfig(**arguments)


def _sampling(settings: Mapping[str, Any], subject: Subject) -> str | None:
    """Return how samples are drawn; raises RefusedError where that cannot be had of this dataset, or its batches."""
    usual = "sequential" if subject.is_stream else SETTINGS["sampling"].default
    name = settings.get("sampling", usual)
    if subject.is_stream and name not in {"sequential", None}:
        raise RefusedError(f"--sampling {name}: {subject.name} is a stream, which is read in its own order")
    if name in OF_BATCHES and settings["batch_size"] is None:
        raise RefusedError(f"--sampling {name} needs a --batch-size")
    return None if name is None else str(name)


def has_sampler(settings: Mapping[str, Any]) -> bool:
    """Return whether a sampler of the user's own decides what is drawn."""
    return any(settings.get(name) is not None for name in SAMPLERS)


@cache
def loader_object(argument: str, target: str | None) -> Any:
    """Return the object that `target` (module:attribute) names for an argument of DataLoader; None for None.

    A sampler may be a function or a class, to be called with the dataset; a class given as ``worker_init_fn`` is
    instantiated. Raises RefusedError.
    """
    if target is None:
        return None
    named = NamedObject(option=SETTINGS[argument].option, target=target)
    if ":" not in target:
        raise named.refuse("it must be named as module:attribute")
    given = named.load()
    if argument == "worker_init_fn":
        made = given() if isinstance(given, type) else given
        if not callable(made):
            raise named.refuse(f"it is a {type(made).__name__}, which cannot be called")
        return made
    if not (callable(given) or hasattr(given, "__iter__")):
        raise named.refuse(f"it is a {type(given).__name__}: neither iterable nor a function of the dataset")
    return given


def cut(subject: Subject, config: LoaderConfig, samples: int) -> tuple[Subject, LoaderConfig]:
    """Return a loader, and its dataset, for a pass over `samples` of it, whoever chooses them."""
    if config.is_as_is:
        return subject, config
    for name in SAMPLERS:
        if (sampler := getattr(config, name)) is not None:
            drawn: dict[str, Any] = {name: partial(_first_drawn, sampler, samples)}
            return subject, replace(config, **drawn)
    return subject.part(samples), config


def _object(argument: str, name: str | None, own_loader: OwnLoader | None) -> Any:
    """Return the object that a name stands for: one of `own_loader`, or one that can be imported."""
    if own_loader is not None:
        with suppress(KeyError):
            return own_loader.object(argument, name)
    return loader_object(argument, name)


def _collate_fn(
    settings: Mapping[str, Any], subject: Subject, own_loader: OwnLoader | None
) -> Callable[[Any], Any] | None:
    name = settings.get("collate_fn") or subject.collate_fns[0]
    if own_loader is not None:
        with suppress(KeyError):
            return own_loader.object("collate_fn", name)  # type: ignore[no-any-return]
    is_batched = settings["batch_size"] is not None or settings.get("batch_sampler") is not None
    return collate_fn(name) if is_batched or name != "default" else None  # torch's own for what is no batch


def _with_sampler(subject: Subject, arguments: dict[str, Any]) -> tuple[Subject, dict[str, Any]]:
    """Return the whole of `subject`, and arguments whose sampler draws as many indices as it has samples.

    Raises RefusedError for a stream.
    """
    if subject.is_stream:
        name = next(name for name in SAMPLERS if arguments[name] is not None)
        option = SETTINGS[name].option
        raise RefusedError(f"{option}: {subject.name} is a stream, which is read in its own order")
    whole, samples = subject.whole(), len(subject.dataset)  # type: ignore[arg-type]  # a stream has no sampler
    for name in SAMPLERS:
        if arguments[name] is not None and whole is not subject:
            arguments[name] = partial(_first_drawn, arguments[name], samples)
    if arguments["batch_sampler"] is not None:
        arguments |= {"batch_size": None, "drop_last": False}
    return whole, arguments


def _first_drawn(sampler: Any, samples: int, dataset: Dataset[Any]) -> Iterable[Any]:
    return FirstDrawn(sampler_of(sampler, dataset), samples)
