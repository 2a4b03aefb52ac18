"""Suspects: a loader as its user has it, and pairs of loaders, with and without a cause, that can be tried."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loaderbench.benches.harness.loader import LoaderConfig, only_without_workers
from loaderbench.benches.harness.subject import Subject
from loaderbench.datasets.pytree import LeafCounts

TIMEOUT_S = 60.0  # for a batch


@dataclass(frozen=True, kw_only=True, slots=True)
class Loading:
    """A loader as its user has it, and what is known of it."""

    subject: Subject
    config: LoaderConfig
    batch: Any  # its first one
    parts: LeafCounts  # of that batch
    waits: Mapping[str, float]  # shares of a pass, by what the loop waited for
    blocked: float  # share of a pass in which a later batch was ready
    cpus: int
    samples: int  # of a pass
    device: str  # where batches go

    @property
    def prefetch(self) -> int:
        """Batches in flight for each worker."""
        return self.config.prefetch_factor or 2

    @property
    def collate_fn(self) -> Callable[[Any], Any]:
        """What makes a batch."""
        assert self.config.collate_fn is not None
        return self.config.collate_fn


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """A cause that can be tried: both loaders, what speaks for it beforehand, and what to change."""

    cause: str
    evidence: str
    change: str
    base: LoaderConfig
    other: LoaderConfig
    at_start: bool = False  # it is paid once an epoch, however long that is
    builds_on: str = ""  # another cause, without which both loaders are


@dataclass(frozen=True, kw_only=True, slots=True)
class Untried:
    """A cause that was not run, and why."""

    cause: str
    why: str


def config_of(
    *, num_workers: int, batch_size: int, collate_fn: Callable[[Any], Any], shuffle: bool, **arguments: Any
) -> LoaderConfig:
    """The loader's arguments as a command line gives them, without those that need workers where there are none."""
    if not num_workers:
        arguments = {**arguments, **only_without_workers()}
    return LoaderConfig(
        num_workers=num_workers,
        batch_size=batch_size,
        collate_fn=collate_fn,
        shuffle=shuffle,
        seed=0,
        **({"timeout": TIMEOUT_S} if num_workers else {}) | arguments,
    )
