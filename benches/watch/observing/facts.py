"""What is known of a loader without reading it: its arguments, and its dataset's class."""

import multiprocessing
from typing import Any

from loaderbench.benches.watch.observing.command_facts import command_facts, name_of


def loader_facts(loader: Any) -> dict[str, Any]:
    """Return the arguments of a DataLoader that are numbers, switches and names; no method of its dataset is called."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    batch_size = getattr(loader, "batch_size", None)
    is_own = batch_size is None and batch_sampler is not None  # a batch_sampler of the script's own
    dataset = getattr(loader, "dataset", None)
    if is_own:
        batch_size = getattr(batch_sampler, "batch_size", None)
    num_workers = getattr(loader, "num_workers", 0)
    facts: dict[str, Any] = {
        "kind": type(loader).__name__,
        "dataset": name_of(type(dataset_itself(dataset))),
        "num_workers": num_workers,
        "batch_size": batch_size if type(batch_size) is int else None,
        "pin_memory": bool(getattr(loader, "pin_memory", False)),
        "drop_last": bool(getattr(loader, "drop_last", False)),
        "in_order": bool(getattr(loader, "in_order", True)),
        "collate_fn": name_of(getattr(loader, "collate_fn", None)),
        "is_collate_fn_made": not hasattr(getattr(loader, "collate_fn", None), "__qualname__"),
        "sampler": "" if is_own else name_of(type(getattr(loader, "sampler", None))),
        "batch_sampler": name_of(type(batch_sampler)) if is_own else "",
        "is_stream": hasattr(type(dataset), "__iter__") and not hasattr(type(dataset), "__getitem__"),
        **command_facts(dataset_itself(dataset)),
        "sample_code": sample_code(type(dataset_itself(dataset))),
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


def dataset_itself(dataset: Any) -> Any:
    """Return a dataset; of one of torch's subsets, what it is a part of."""
    while type(dataset).__module__ == "torch.utils.data.dataset" and type(dataset).__name__ == "Subset":
        dataset = dataset.dataset
    return dataset


def sample_code(dataset: type) -> str:
    """Return where a dataset's class says how a sample is read; empty where that is no code of Python's."""
    from loaderbench.benches.harness.failures.failure_line import readable  # noqa: PLC0415 - imports torch: it is there

    for name in ("__getitem__", "__iter__"):
        code = getattr(getattr(dataset, name, None), "__code__", None)
        if code is not None:
            return f"{dataset.__name__}.{name}, {readable(code.co_filename)}:{code.co_firstlineno}"
    return ""
