"""What can be seen without A/B passes: lines that cost, randomness that workers share, attributes with side effects.

Each observer runs in a process of its own, which may read samples; one that fails, or takes too long, shows nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from torch.utils.data import DataLoader, get_worker_info

from loaderbench.benches.explain.costly_lines import costly_lines
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.system.child import in_child
from loaderbench.benches.harness.system.processes import NoStrays
from loaderbench.datasets.pytree import fingerprint
from loaderbench.reports.explain.explain_record import Observation

DEEPEST = 3  # wrappers around a dataset, or objects in objects, that are looked into
GENERATORS = {  # types whose copies in forked workers are in the same state, by module and name
    ("numpy.random._generator", "Generator"),
    ("numpy.random.mtrand", "RandomState"),
    ("random", "Random"),
    ("torch._C", "Generator"),
}

Observer = Callable[[Subject, LoaderConfig, float], list[Observation]]


def observations_of(subject: Subject, config: LoaderConfig, *, most_s: float) -> list[Observation]:
    """Return everything that is seen, in `most_s` seconds for each observer, about, and a second more."""
    seen: list[Observation] = []
    for observe in OBSERVERS:
        with suppress(Exception):  # what user code raises here, it did not raise in the loader
            seen += in_child(partial(observe, subject, config, most_s), timeout_s=1.0 + most_s)
    return seen


def parts_of(thing: Any, name: str = "dataset", depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """Yield an object and the objects that it holds, by the path to them, without calling any code of its own."""
    yield name, thing
    attributes = getattr(type(thing), "__dict__", {}) and _attributes(thing)
    for attribute, value in attributes.items() if depth else ():
        if hasattr(type(value), "__module__") and not isinstance(value, (type, str, bytes, int, float)):
            yield from parts_of(value, f"{name}.{attribute}", depth - 1)


def _attributes(thing: Any) -> dict[str, Any]:
    try:
        return dict(object.__getattribute__(thing, "__dict__"))
    except AttributeError:
        return {}


def _indices_mapping(subject: Subject, _: LoaderConfig, __: float) -> list[Observation]:
    """A Hugging Face dataset after select, shuffle, filter or train_test_split: each row is looked up twice."""
    return [
        Observation(
            what="rows read through an indices mapping",
            evidence=f"{name}._indices has {len(part)} rows: each index is looked up, and neighbours are far apart",
            change=f"{name} = {name}.flatten_indices(), once, before training",
        )
        for name, part in ((name, _attributes(part).get("_indices")) for name, part in parts_of(subject.source))
        if part is not None and hasattr(part, "__len__")
    ]


def _frozen_epoch(subject: Subject, config: LoaderConfig, _: float) -> list[Observation]:
    if not config.num_workers or not config.persistent_workers:
        return []
    if not callable(getattr(type(subject.source), "set_epoch", None)):
        return []
    return [
        Observation(
            what="set_epoch does not reach the workers",
            evidence="the dataset has set_epoch, and persistent_workers is on: workers keep their first copy of it",
            change="keep the epoch in shared memory (a tensor after share_memory_()), or persistent_workers=False",
        )
    ]


def _shared_randomness(subject: Subject, config: LoaderConfig, _: float) -> list[Observation]:
    """A generator on the dataset that is in the same state in two workers, and is drawn from by their first batch."""
    names = [name for name, part in parts_of(subject.source) if _is_generator(part)]
    if not names or config.num_workers < 2:  # noqa: PLR2004 - one worker shares with no other
        return []
    states = _states_in_workers(subject, config)
    alike = [
        name
        for name in names
        if len({before[name] for before, _ in states}) == 1
        and any(before[name] != after[name] for before, after in states)
    ]
    return [
        Observation(
            what="random numbers alike in all workers",
            evidence=f"{name} is in the same state in every worker, and each draws from its own copy",
            change="make it in worker_init_fn, or at the first use in a worker, seeded with torch.initial_seed()",
        )
        for name in alike
    ]


def _is_generator(part: Any) -> bool:
    return (type(part).__module__, type(part).__name__) in GENERATORS


def _states_in_workers(subject: Subject, config: LoaderConfig) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return the states of the dataset's generators in two workers: when they have started, and after a batch."""
    at_start: dict[str, str] = {}

    def init(worker_id: int) -> None:
        if config.worker_init_fn is not None:
            config.worker_init_fn(worker_id)
        at_start.update(_states(subject.source))

    def collate(_: Any) -> tuple[int, dict[str, str], dict[str, str]]:
        worker = get_worker_info()
        return (worker.id if worker else 0), at_start, _states(subject.source)

    size = config.batch_size or 1
    with NoStrays():
        loader: Any = DataLoader(
            subject.part(2 * size).dataset, size, num_workers=2, collate_fn=collate, worker_init_fn=init,
            multiprocessing_context="fork",
        )  # fmt: skip
        first: dict[int, tuple[dict[str, str], dict[str, str]]] = {}
        for worker_id, before, after in loader:
            first.setdefault(worker_id, (before, after))
            if len(first) == 2:  # noqa: PLR2004 - both
                break
        del loader
    return list(first.values())


def _states(dataset: Any) -> dict[str, str]:
    return {name: _state(part) for name, part in parts_of(dataset) if _is_generator(part)}


def _state(generator: Any) -> str:
    if hasattr(generator, "bit_generator"):
        return repr(generator.bit_generator.state)
    get_state = getattr(generator, "getstate", None) or generator.get_state
    return repr(fingerprint(get_state()))


def _costly_lines(subject: Subject, _: LoaderConfig, most_s: float) -> list[Observation]:
    return costly_lines(subject.part(1 << 16).dataset if not subject.is_stream else subject.dataset, most_s)


OBSERVERS: tuple[Observer, ...] = (_frozen_epoch, _indices_mapping, _shared_randomness, _costly_lines)
