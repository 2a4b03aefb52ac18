"""The baseline: the loader as its user has it, and what one pass of it shows before anything is changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loaderbench.benches.explain.consumer import Consumer
from loaderbench.benches.explain.loaders import first_batch
from loaderbench.benches.harness.clock import keep
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.wording import reason
from loaderbench.benches.harness.loader import LoaderConfig
from loaderbench.benches.harness.rounds import NoStrays
from loaderbench.benches.harness.subject import Subject
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.tracing.breakdown import blocked_s, loop_times
from loaderbench.benches.harness.tracing.timestamps import trace_pass, traced_loader
from loaderbench.datasets.pytree import LeafCounts, count_leaves


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A loader as its user has it, and what is known of it."""

    subject: Subject
    config: LoaderConfig
    batch: Any  # its first one
    leaves: LeafCounts  # of that batch
    time_shares: Mapping[str, float]  # of a pass, by what the loop waited for, and its step
    blocked_share: float  # of a pass: a later batch was ready, and the loop waited
    cpus: int  # that may be used
    samples: int  # of a pass
    device: str  # where batches go

    @property
    def prefetch_factor(self) -> int:
        """Return the batches in flight for each worker."""
        return self.config.prefetch_factor or 2

    @property
    def collate_fn(self) -> Callable[[Any], Any]:
        """Return what makes a batch of samples."""
        return self.config.batch_fn


def measure_baseline(subject: Subject, config: LoaderConfig, consumer: Consumer) -> Baseline:
    """Trace one pass of the loader, its workers running; raises RefusedError where it cannot be read."""
    batch = first_batch(subject, config)
    steady = replace(config, persistent_workers=config.num_workers > 0)
    step = None if consumer.step is keep else consumer.on_device(config)
    try:
        with NoStrays():
            loader = traced_loader(subject.dataset, steady, config.batch_fn)
            trace_pass(loader)  # workers start, files are read
            trace = trace_pass(loader, step)
            del loader
    except Exception as error:
        raise RefusedError(f"{subject.name}: a pass raised {reason(error)}") from error
    return Baseline(
        subject=subject,
        config=config,
        batch=batch,
        leaves=count_leaves(batch),
        time_shares={name: seconds / trace.seconds for name, seconds in loop_times(trace).items()},
        blocked_share=blocked_s(trace) / trace.seconds,
        cpus=machine.usable_cpus(),
        samples=trace.samples,
        device=consumer.device.type,
    )
