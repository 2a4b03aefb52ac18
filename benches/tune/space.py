"""The settings there are to try on a loader: its factors, the values of each, and the loader that they make.

A *candidate* is one value for each factor. First the numbers of workers are tried; then, around the best so far and the
best that has workers, one value at a time; then what helped together, also with fewer workers.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import isfunction
from typing import Any

from torch.utils.data import default_collate

from loaderbench.benches.explain.baseline.batch_facts import WholeBatches
from loaderbench.benches.harness.loading.first_batch import TIMEOUT_S
from loaderbench.benches.harness.loading.loader import LoaderConfig, without_workers, worker_init
from loaderbench.datasets.collate import stack_into
from loaderbench.datasets.recipes.transport import Packed, Reused, fewest_slots
from loaderbench.datasets.recipes.worker_init import keep_memory, one_thread
from loaderbench.reports.stats.conventions import MARGIN

Values = Mapping[str, Any]

USUAL_PREFETCH, DEEPER = 2, 8  # prefetch_factor: torch's, and another one
WORKERS_PER_CPU, MOST_WORKERS_PER_CPU = 2, 8  # tried first, and where workers wait for a disk or a network
BETTER = 1 - MARGIN  # of the cost of what it changes: a value that is tried together with others
FACTORS = (
    "num_workers", "batch_size", "prefetch_factor", "persistent_workers", "pin_memory", "in_order", "start_method",
    "fetch", "collate_fn", "one_thread", "keep_memory",
)  # fmt: skip
# One at a time they are tried in this order: what usually gains most comes first, for where there is no time for all.
# Sending batches and asking for whole ones may gain several times; starting workers once, what their start takes; their
# number, what a core does; the rest, some per cent. No model orders them by the trials at hand: in replays even the
# order of the true costs, which no prediction can surpass, ends no nearer to the best (`make prove`, topic tune).
LIKELY = (
    "collate_fn", "fetch", "persistent_workers", "num_workers", "in_order", "prefetch_factor", "batch_size",
    "pin_memory", "start_method", "one_thread", "keep_memory",
)  # fmt: skip
OF_WORKERS = ("prefetch_factor", "persistent_workers", "in_order", "start_method", "one_thread", "keep_memory")
RECIPES = ("in_order", "fetch", "collate_fn", "one_thread", "keep_memory")  # they change the user's code
OF_TRANSPORT = ("packed", "reused")
WORDS: Mapping[str, Callable[[Any], str]] = {
    "num_workers": "workers={}".format,
    "batch_size": "batch={}".format,
    "prefetch_factor": "prefetch={}".format,
    "persistent_workers": lambda _: "persistent",
    "pin_memory": lambda _: "pinned",
    "in_order": lambda _: "as ready",
    "start_method": "{}".format,
    "fetch": lambda _: "batches fetched",
    "collate_fn": "{}".format,
    "one_thread": lambda _: "one thread each",
    "keep_memory": lambda _: "malloc keeps",
}
TRANSPORT, WORKER_INIT = "loaderbench.datasets.recipes.transport", "loaderbench.datasets.recipes.worker_init"


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedLoader:
    """A value for each factor, under the name that the race knows it by."""

    name: str
    values: Values
    size: tuple[Any, ...]
    """Sorts the smaller of two first: fewer workers, less to change in the code, less prefetched …"""


@dataclass(kw_only=True)
class Space:
    """All candidates of a loader. `config` is the user's, with workers; `choices` are the values of each factor."""

    config: LoaderConfig
    choices: Mapping[str, Sequence[Any]]
    """By factor, the smallest value first."""
    usual: Values
    """Values that a name does not mention: torch's defaults, and the user's own code."""
    fixed: Values = field(default_factory=dict)
    """Values that no other may take the place of."""
    most_workers: int = 0
    """That are ever tried."""
    is_stream: bool = False
    known: dict[str, TunedLoader] = field(default_factory=dict)

    def candidate(self, values: Values) -> TunedLoader:
        """Return the candidate that has these values; without workers, those of workers are the usual ones."""
        values = {name: values[name] for name in FACTORS}
        if not values["num_workers"]:
            values |= {name: self.usual[name] for name in OF_WORKERS}
            values["collate_fn"] = "own" if values["collate_fn"] in OF_TRANSPORT else values["collate_fn"]
        if values["fetch"] == "batches":
            values["collate_fn"] = "own"  # what is fetched is a batch
        if values["num_workers"] < 2:  # noqa: PLR2004 - the batches of one worker have one order
            values["in_order"] = True
        named = (name for name in FACTORS if name in self._always_named or values[name] != self.usual[name])
        name = " · ".join(WORDS[name](values[name]) for name in named)
        return TunedLoader(name=name, values=values, size=self._size(values))

    @property
    def _always_named(self) -> tuple[str, ...]:
        return ("num_workers", "batch_size") if len(self.choices["batch_size"]) > 1 else ("num_workers",)

    def allows(self, candidate: TunedLoader) -> bool:
        """Return whether a candidate has the values that are fixed; without workers, those of workers are none."""
        fixed = {name: self.fixed.get(name, value) for name, value in candidate.values.items()}
        return (
            self.candidate(fixed).name == candidate.name
            and candidate.values["batch_size"] in self.choices["batch_size"]
        )

    def offers(self, candidate: TunedLoader) -> bool:
        """Return whether a candidate has values that are tried on this loader; the workers may be any number."""
        values = candidate.values
        return all(values[name] in (*self.choices[name], self.usual[name]) for name in FACTORS if name != "num_workers")

    def first(self, own: Values, baselines: Sequence[Values]) -> list[TunedLoader]:
        """Return what is tried first: the baselines, and every number of workers and samples in a batch."""
        settled = {**own, **self.fixed}
        settled["persistent_workers"] = self.choices["persistent_workers"][-1]
        grid = [
            {**settled, "batch_size": size, "num_workers": workers}
            for size in self.choices["batch_size"]
            for workers in self.choices["num_workers"]
        ]
        return self._new([*baselines, *grid])

    def further(
        self, effects: Mapping[str, float], best: str, best_with_workers: str | None, best_without: str | None = None
    ) -> list[TunedLoader]:
        """Return what is tried next, by the logarithms of what was measured so far; none where all of it is known.

        Around the best without workers, if that is another one: the few factors that it has, of which whole batches may
        make workers superfluous. Then around the best, and around the best that has workers.
        """
        values: list[Values] = []
        if best_without is not None and best_without != best:
            values += [one for one in self._around(best_without, effects) if not one["num_workers"]]
        values += self._around(best, effects)
        if best_with_workers is not None and best_with_workers != best:
            values += self._around(best_with_workers, effects)
        return self._new(values)

    def _around(self, name: str, effects: Mapping[str, float]) -> list[Values]:
        base = self.known[name]
        return [*self._together(base, effects), *self._one_at_a_time(base)]

    def _new(self, values: Sequence[Values]) -> list[TunedLoader]:
        candidates = {candidate.name: candidate for candidate in map(self.candidate, values)}
        new = [candidate for name, candidate in candidates.items() if name not in self.known]
        self.known.update({candidate.name: candidate for candidate in new})
        return new

    def _one_at_a_time(self, base: TunedLoader) -> Iterator[Values]:
        for name in LIKELY:
            if name == "start_method" and base.values["persistent_workers"]:
                continue  # they start once
            for value in (*self.choices[name], *(self._between(base) if name == "num_workers" else ())):
                if value != base.values[name]:
                    yield {**base.values, name: value}

    def _between(self, base: TunedLoader) -> Iterator[int]:
        """Yield the numbers of workers half way to those that were tried first, and twice as many as the most."""
        ladder, workers = self.choices["num_workers"], base.values["num_workers"]
        below = max((number for number in ladder if number < workers), default=0)
        above = min((number for number in ladder if number > workers), default=0)
        for other in (below, above):
            if other and workers and abs(other - workers) > 1:
                yield (other + workers) // 2
        if workers and not above and 2 * workers <= self.most_workers:
            yield 2 * workers

    def _together(self, base: TunedLoader, effects: Mapping[str, float]) -> Iterator[Values]:
        """Yield all values that helped `base` by themselves in one, with its number of workers and with fewer."""
        best: dict[str, tuple[float, Any]] = {}
        for name in FACTORS:
            for value in self.choices[name]:
                other = self.candidate({**base.values, name: value})
                if other.name in effects and base.name in effects and name != "num_workers":
                    ratio = math.exp(effects[other.name] - effects[base.name])
                    if ratio < min(BETTER, best.get(name, (1.0, None))[0]):
                        best[name] = (ratio, value)
        helping = {name: value for name, (_, value) in best.items()}
        if len(helping) > 1:
            yield {**base.values, **helping}
        if helping:
            fewer = [n for n in self.choices["num_workers"] if 0 < n < base.values["num_workers"]][-2:]
            yield from ({**base.values, **helping, "num_workers": workers} for workers in fewer)

    def _size(self, values: Values) -> tuple[Any, ...]:
        places = {
            name: self._place(name, values[name]) for name in FACTORS if name not in ("num_workers", "batch_size")
        }
        changes = sum(values[name] != self.usual[name] for name in RECIPES)
        rest = (places[name] for name in FACTORS if name in places)
        return (values["num_workers"], changes, values["batch_size"] or 0, *rest)

    def _place(self, name: str, value: Any) -> int:
        order = dict.fromkeys([self.usual[name], *self.choices[name]])
        if name == "prefetch_factor":
            order = dict.fromkeys(sorted(order))
        return list(order).index(value) if value in order else len(order)

    def config_of(self, candidate: TunedLoader) -> LoaderConfig:
        """Return the loader of a candidate."""
        values = candidate.values
        config = self.config
        if config.batch_sampler is None:
            config = replace(config, batch_size=values["batch_size"])
        config = replace(config, pin_memory=values["pin_memory"], collate_fn=self._collate_fn(values))
        if values["num_workers"]:
            config = replace(
                config,
                num_workers=values["num_workers"],
                timeout=config.timeout or TIMEOUT_S,
                prefetch_factor=None if values["prefetch_factor"] == USUAL_PREFETCH else values["prefetch_factor"],
                persistent_workers=values["persistent_workers"],
                in_order=values["in_order"],
                multiprocessing_context=values["start_method"],
                worker_init_fn=self._worker_init_fn(values),
            )
        else:
            config = without_workers(config)
        return self._fetching(config) if values["fetch"] == "batches" else config

    def imports_of(self, candidate: TunedLoader) -> tuple[str, ...]:
        """Return the lines of code that import what the call of a candidate names."""
        values = candidate.values
        names = {
            "loaderbench.datasets.collate": [name for name in ("stack_into",) if name == values["collate_fn"]],
            TRANSPORT: [name.capitalize() for name in OF_TRANSPORT if name == values["collate_fn"]],
            WORKER_INIT: self._init_names(values),
            "torch.utils.data": ["DataLoader"],
        }
        if values["fetch"] == "batches":
            names["torch.utils.data"] += [
                "BatchSampler",
                "RandomSampler" if self.config.shuffle else "SequentialSampler",
            ]
        for function in self._own_functions(values):
            module = "torch.utils.data" if function is default_collate else function.__module__
            names.setdefault(module, []).append(function.__name__)
        return tuple(
            f"from {module} import {', '.join(sorted(some))}" for module, some in sorted(names.items()) if some
        )

    def caveats_of(self, candidate: TunedLoader, *, sets_epoch: bool) -> Iterator[str]:
        """Yield what else a candidate changes."""
        values = candidate.values
        if not values["in_order"]:
            yield "Batches come as they are ready, not as the sampler drew them."
        if values["collate_fn"] == "reused":
            yield "Memory that is used again is overwritten: copy a batch that you keep."
        if values["persistent_workers"] and sets_epoch:
            yield "The dataset has set_epoch: persistent workers do not see a later call of it."

    def _own_functions(self, values: Values) -> Iterator[Any]:
        """Yield the functions of the user's, or torch's, that the call of these values names."""
        if values["fetch"] == "samples" and values["collate_fn"] != "stack_into":
            is_named = values["collate_fn"] in OF_TRANSPORT or self.config.collate_fn is not None
            yield from (function for function in (self.config.batch_fn,) if is_named and isfunction(function))
        if values["num_workers"] and isfunction(self.config.worker_init_fn):
            yield self.config.worker_init_fn

    def _init_names(self, values: Values) -> list[str]:
        names = [name for name in ("keep_memory", "one_thread") if values[name]]
        is_several = len(names) + (self.config.worker_init_fn is not None) > 1
        return [*(["InTurn"] if names and is_several else []), *names]

    def _collate_fn(self, values: Values) -> Any:
        own, name = self.config.batch_fn, values["collate_fn"]
        if name == "own":
            return self.config.collate_fn
        if name == "stack_into":
            return stack_into
        if name == "packed":
            return Packed(own)
        slots = fewest_slots(values["prefetch_factor"], values["num_workers"], is_stream=self.is_stream)
        return Reused(own, slots)

    def _worker_init_fn(self, values: Values) -> Any:
        wanted = [function for function in (one_thread, keep_memory) if values[function.__name__]]
        return worker_init(self.config.worker_init_fn, *wanted)

    def _fetching(self, config: LoaderConfig) -> LoaderConfig:
        sampler: Any = WholeBatches(config.batch_size or 1, config.shuffle, config.drop_last)
        return replace(config, sampler=sampler, batch_size=None, shuffle=False, drop_last=False, collate_fn=None)
