"""Datasets with one fault each, which ``loaderbench explain`` is to find, and one without any.

A fault costs several times what sending batches does (some 0.2 ms each, which ``explain`` removes too where it can);
a dataset without any waits for so long that sending is under 1 % of a pass.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loaderbench.benches.harness.system.devices import available

NO_WORKERS = "workers where none would do"  # nothing is sent then
TOGETHER = "all that helped, together"
PITFALLS = "loaderbench.datasets.synthetic.pitfalls"
SLEEPING = "loaderbench.datasets.synthetic.known_cost:Sleeping"


@dataclass(frozen=True, kw_only=True, slots=True)
class Injected:
    """A dataset with one fault, and the cause that is to be found, by a part of its name."""

    cause: str
    dataset: str
    dataset_args: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ("--samples", "64")
    others: tuple[str, ...] = ()  # causes whose removal removes this one too: they may be ranked before it

    @property
    def arguments(self) -> tuple[str, ...]:
        """Options of ``loaderbench explain``; workers are forked and persistent, unless `options` say otherwise."""
        dataset = self.dataset if ":" in self.dataset else f"{PITFALLS}:{self.dataset}"
        named = ("--dataset", dataset, "--dataset-args", json.dumps(dict(self.dataset_args)), "--seed", "1")
        return *named, "--start-method", "fork", "--persistent-workers", "on", *self.options


CAUSES: tuple[Injected, ...] = (
    Injected(
        cause="few workers",
        dataset=SLEEPING,
        dataset_args={"samples": 64, "sleep_s": 5e-4},
        options=("--num-workers", "1", "--batch-size", "4", "--samples", "64"),
    ),
    Injected(
        cause="many tensors",
        dataset="ManyTensors",
        dataset_args={"small": 12, "large_bytes": 1000},
        options=("--batch-size", "4", "--samples", "32"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="objects",
        dataset="ManyObjects",
        options=("--collate-fn", f"{PITFALLS}:concatenate", "--samples", "256"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="one by one",
        dataset="Indexable",
        options=("--batch-size", "1024", "--samples", "8192"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="started in every epoch",
        dataset="SlowStart",
        dataset_args={"start_s": 0.03},
        options=("--persistent-workers", "off", "--samples", "64"),
        others=(NO_WORKERS,),  # none are started then
    ),
    Injected(
        cause="a slower one",
        dataset="SlowSamples",
        options=("--batch-size", "4", "--samples", "128"),
    ),
    Injected(cause="malloc", dataset="LargeAllocation", options=("--batch-size", "1", "--samples", "8")),
    Injected(
        cause="new shared memory",
        dataset="LargeSamples",
        options=("--batch-size", "16", "--samples", "64"),
        others=(NO_WORKERS,),
    ),
    Injected(
        cause="batches prefetched",
        dataset="StorageStalls",
        dataset_args={"period_s": 0.036, "stall_s": 0.024},
        options=("--batch-size", "1", "--samples", "24", "--step", "1.5ms"),
    ),
    Injected(
        cause="threads",
        dataset="ManyThreads",
        dataset_args={"side": 200},
        options=("--batch-size", "1", "--samples", "8"),
        others=(NO_WORKERS,),  # one process alone has the CPUs for its threads
    ),
    Injected(
        cause="start method",
        dataset=SLEEPING,
        dataset_args={"samples": 64, "sleep_s": 1e-3},
        options=("--num-workers", "1", "--batch-size", "8", "--start-method", "spawn", "--persistent-workers", "off"),
        others=("workers started in every epoch", NO_WORKERS, "too few workers"),
    ),
    Injected(
        cause=NO_WORKERS,
        dataset=SLEEPING,
        dataset_args={"samples": 64, "sleep_s": 0.0},
        options=("--batch-size", "4", "--samples", "64"),
    ),
    Injected(
        cause=TOGETHER,
        dataset="SlowStart",  # one worker is too few, too
        dataset_args={"start_s": 0.05, "sleep_s": 1.5e-3},
        options=("--num-workers", "1", "--batch-size", "4", "--samples", "64", "--persistent-workers", "off"),
    ),
)
if "cuda" in available():
    CAUSES += (
        Injected(  # workers that keep up with the step, so that the copy in the loop is what costs
            cause="pageable batches",
            dataset="LargeSamples",
            dataset_args={"samples": 512},
            options=(
                *("--device", "cuda", "--num-workers", "4", "--batch-size", "8", "--samples", "512"),
                *("--step", "4ms"),
            ),
        ),
    )
NOTHING = Injected(
    cause="nothing", dataset=SLEEPING, dataset_args={"samples": 64, "sleep_s": 5e-3}, options=("--batch-size", "8")
)
LITTLE = Injected(  # for the short form: few causes can be removed where there are no workers
    cause="one by one", dataset="Indexable", options=("--num-workers", "0", "--batch-size", "128", "--samples", "512")
)
LEAK = Injected(cause="memory that leaks", dataset="Leaking", options=("--samples", "256"))
COPIED = Injected(
    cause="memory copied on write",
    dataset="PythonList",
    dataset_args={"samples": 100_000},
    options=("--samples", "all", "--batch-size", "4096"),
)
COPIED_DICT = Injected(
    cause="a dict copied on write",
    dataset="PythonDict",
    dataset_args={"samples": 100_000},
    options=("--samples", "all", "--batch-size", "4096"),
)
OBSERVED = (
    Injected(cause="random numbers alike in all workers", dataset="SharedGenerator"),
    Injected(cause="a line that costs", dataset="TensorsOfLists"),
)
