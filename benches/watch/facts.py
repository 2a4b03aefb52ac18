"""What is known of a loader without reading it: its arguments, its dataset's class, how another command names it."""

import inspect
import multiprocessing
import sys
from pathlib import Path
from typing import Any

MAIN = "__main__"


def loader_facts(loader: Any) -> dict[str, Any]:
    """Return the arguments of a DataLoader that are numbers, switches and names; no method of its dataset is called."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    batch_size = getattr(loader, "batch_size", None)
    if batch_size is None:
        batch_size = getattr(batch_sampler, "batch_size", None)
    dataset = getattr(loader, "dataset", None)
    num_workers = getattr(loader, "num_workers", 0)
    facts: dict[str, Any] = {
        "kind": type(loader).__name__,
        "dataset": name_of(_own(dataset)),
        "num_workers": num_workers,
        "batch_size": batch_size if type(batch_size) is int else None,
        "pin_memory": bool(getattr(loader, "pin_memory", False)),
        "drop_last": bool(getattr(loader, "drop_last", False)),
        "in_order": bool(getattr(loader, "in_order", True)),
        "collate_fn": name_of(getattr(loader, "collate_fn", None)),
        "is_collate_fn_made": not hasattr(getattr(loader, "collate_fn", None), "__qualname__"),
        "sampler": name_of(type(getattr(loader, "sampler", None))),
        "is_stream": hasattr(type(dataset), "__iter__") and not hasattr(type(dataset), "__getitem__"),
        "named_by": command_name(_own(dataset)),
        "sample_code": sample_code(_own(dataset)),
    }
    if num_workers:
        facts |= {
            "prefetch_factor": getattr(loader, "prefetch_factor", None),
            "persistent_workers": bool(getattr(loader, "persistent_workers", False)),
            "start_method": start_method(loader),
        }
    return facts


def start_method(loader: Any) -> str | None:
    """Return how a loader starts its workers; asking decides nothing."""
    context = getattr(loader, "multiprocessing_context", None)
    if context is not None:
        return str(context.get_start_method())
    decided = multiprocessing.get_start_method(allow_none=True)
    return decided or multiprocessing.get_all_start_methods()[0]


def _own(dataset: Any) -> type:
    """Return the class of a dataset; of one of torch's subsets, of what it is a part of."""
    while type(dataset).__module__ == "torch.utils.data.dataset" and type(dataset).__name__ == "Subset":
        dataset = dataset.dataset
    return type(dataset)


def sample_code(dataset: type) -> str:
    """Return where a dataset's class says how a sample is read; empty where that is no code of Python's."""
    from loaderbench.benches.harness.failures.failure_line import readable  # noqa: PLC0415 - imports torch: it is there

    for name in ("__getitem__", "__iter__"):
        code = getattr(getattr(dataset, name, None), "__code__", None)
        if code is not None:
            return f"{dataset.__name__}.{name}, {readable(code.co_filename)}:{code.co_firstlineno}"
    return ""


def name_of(thing: Any) -> str:
    """Return ``module:attribute`` of a class or function, of the script itself by its file's name."""
    if thing is None:
        return ""
    cls = thing if hasattr(thing, "__qualname__") else type(thing)
    module = getattr(cls, "__module__", "") or ""
    return f"{_importable(module)}:{cls.__qualname__}".removeprefix("builtins:")


def _importable(module: str) -> str:
    if module != MAIN:
        return module
    main = sys.modules[MAIN]
    spec = getattr(main, "__spec__", None)
    return spec.name if spec is not None else Path(getattr(main, "__file__", None) or MAIN).stem


def command_name(dataset: type) -> list[str]:
    """Return the options by which a command builds such a dataset; nothing where no module holds its class."""
    if "." in dataset.__qualname__ or dataset.__module__ in {"builtins", "torch.utils.data.dataset"}:
        return []
    options = ["--dataset", name_of(dataset)]
    needed = []
    try:
        parameters = inspect.signature(dataset).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    for parameter in parameters:
        is_named = parameter.kind in {
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        }
        if is_named and parameter.default is parameter.empty:
            needed.append(parameter.name)
    if needed:
        options += ["--dataset-args", "{" + ", ".join(f'"{name}": …' for name in needed) + "}"]
    return options
