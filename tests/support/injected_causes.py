"""Datasets with one fault each, and the cause that `loaderbench explain` must rank first: for `make prove`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PITFALLS = "loaderbench.datasets.synthetic.pitfalls"
KNOWN_COST = "loaderbench.datasets.synthetic.known_cost"


@dataclass(frozen=True, kw_only=True)
class InjectedCause:
    """A dataset, the loader in which its fault shows, and the cause; no cause: nothing may be said to help or harm."""

    cause: str
    dataset: str
    dataset_args: Mapping[str, Any] = field(default_factory=dict)
    loader: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `loaderbench explain`."""
        usual = ("--start-method", "fork", "--persistent-workers", "on", "--samples", "64")
        return ("--dataset", self.dataset, "--dataset-args", json.dumps(self.dataset_args), *usual, *self.loader)


INJECTED_CAUSES = (
    InjectedCause(
        cause="many tensors in a batch",
        dataset=f"{PITFALLS}:ManyTensors",
        dataset_args={"small": 12, "large_bytes": 1000},
        loader=("--batch-size", "4", "--samples", "32"),
    ),
    InjectedCause(
        cause="Python objects in a batch",
        dataset=f"{PITFALLS}:ManyObjects",
        loader=("--collate-fn", f"{PITFALLS}:concatenate", "--samples", "256"),
    ),
    InjectedCause(
        cause="samples requested one by one",
        dataset=f"{PITFALLS}:Indexable",
        loader=("--batch-size", "1024", "--samples", "8192"),
    ),
    InjectedCause(
        cause="workers started in every epoch",
        dataset=f"{PITFALLS}:SlowStart",
        dataset_args={"start_s": 0.03},
        loader=("--persistent-workers", "off"),
    ),
    InjectedCause(
        cause="batches wait for a slower one",
        dataset=f"{PITFALLS}:SlowSamples",
        dataset_args={"usual_s": 1e-4, "slow_s": 0.015},
        loader=("--batch-size", "4", "--samples", "128"),
    ),
    InjectedCause(
        cause="memory returned by malloc",
        dataset=f"{PITFALLS}:LargeAllocation",
        loader=("--batch-size", "1", "--samples", "8"),
    ),
    InjectedCause(
        cause="new shared memory for each batch", dataset=f"{PITFALLS}:LargeSamples", loader=("--batch-size", "16")
    ),
    InjectedCause(
        cause="few batches prefetched",
        dataset=f"{PITFALLS}:StorageStalls",
        loader=("--batch-size", "1", "--samples", "24", "--step", "1.5ms"),
    ),
    InjectedCause(
        cause="too few workers",
        dataset=f"{KNOWN_COST}:Sleeping",
        dataset_args={"samples": 64, "sleep_s": 5e-4},
        loader=("--num-workers", "1", "--batch-size", "4"),
    ),
    InjectedCause(
        cause="threads in each worker",
        dataset=f"{PITFALLS}:ManyThreads",
        dataset_args={"side": 200},
        loader=("--batch-size", "1", "--samples", "8"),
    ),
    InjectedCause(
        cause="start method of the workers",
        dataset=f"{KNOWN_COST}:Sleeping",
        dataset_args={"samples": 64, "sleep_s": 0.001},
        loader=("--num-workers", "1", "--batch-size", "8", "--start-method", "spawn", "--persistent-workers", "off"),
    ),
    InjectedCause(
        cause="",
        dataset=f"{KNOWN_COST}:Sleeping",
        dataset_args={"samples": 64, "sleep_s": 0.001},
        loader=("--batch-size", "8"),
    ),
)
