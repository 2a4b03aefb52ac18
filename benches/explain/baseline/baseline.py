"""The baseline: the loader as its user has it, and what its first batch and two passes show before anything is changed.

Whatever reads the dataset does so in a process forked for it: the one that all blocks are forked from reads nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, TypeVar

from loaderbench.benches.explain.baseline.batch_facts import BatchFacts, batch_facts_of, indexes_batches
from loaderbench.benches.explain.baseline.consumer import Consumer
from loaderbench.benches.explain.baseline.sending import SendingCosts, sending_costs
from loaderbench.benches.explain.baseline.usage import fault_s, usage
from loaderbench.benches.harness.errors import RefusedError
from loaderbench.benches.harness.failures.diagnosis import as_case_failure
from loaderbench.benches.harness.failures.failure_line import CaseFailedError
from loaderbench.benches.harness.loading.first_batch import TIMEOUT_S, first_batch, silence_warnings
from loaderbench.benches.harness.loading.loader import LoaderConfig
from loaderbench.benches.harness.loading.subject import Subject
from loaderbench.benches.harness.measuring.clock import keep
from loaderbench.benches.harness.samples.parts import samples_of
from loaderbench.benches.harness.samples.sampling import sampler_of
from loaderbench.benches.harness.system import machine
from loaderbench.benches.harness.system.child import ChildError, LateChildError, in_child
from loaderbench.benches.harness.system.devices import available
from loaderbench.benches.harness.system.processes import NoStrays
from loaderbench.benches.harness.tracing.breakdown import blocked_s, loop_times, stage_times
from loaderbench.benches.harness.tracing.timestamps import PassTrace, trace_pass, traced_loader
from loaderbench.datasets.recipes.worker_init import thread_pools

T = TypeVar("T")

LEAST_S = 10.0  # that reading the first batches may take, however small the budget


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstBatchFacts:
    """What the first batch shows, made without workers in a process of its own."""

    batch: BatchFacts
    sending: SendingCosts
    indexes_batches: bool  # dataset[[0, 1, …]] is a batch
    sets_epoch: bool  # the dataset has set_epoch
    thread_pools: Mapping[str, int]  # threads of the native libraries that it has loaded
    has_accelerator: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstPasses:
    """What two traced passes show: one that starts the workers, and one with them running."""

    time_shares: Mapping[str, float]  # of a pass, by what the loop waited for, and its step
    blocked_share: float  # of a pass: a later batch was ready, and the loop waited
    making_share: float  # of a pass: fetching and collating, added up over the workers
    other_threads_share: float  # of a pass: CPU time of threads other than those that fetch and collate
    faults_share: float  # of a pass: page faults of the workers, by their number
    batches: int  # of a pass
    samples: int  # of a pass
    pass_s: float
    start_s: float  # that the first pass took more
    is_cut: bool  # the pass was not read to its end
    drawn: int | None = None  # samples of an epoch, by the user's own sampler

    @property
    def batch_samples(self) -> int:
        """Return the samples of a batch; of batches that differ, their mean, rounded up."""
        return -(-self.samples // self.batches)

    @property
    def batch_s(self) -> float:
        """Return the seconds from batch to batch."""
        return self.pass_s / self.batches


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A loader as its user has it, and what is known of it."""

    subject: Subject
    config: LoaderConfig
    first_batch: FirstBatchFacts
    passes: FirstPasses
    cpus: int  # that may be used
    samples: int  # of an epoch
    is_whole: bool  # `samples` is all of it: not so of a stream without a length that had not ended
    device: str  # where batches go
    timeout_s: float = TIMEOUT_S  # for a batch of workers, where the loader has none

    @property
    def prefetch_factor(self) -> int:
        """Return the batches in flight for each worker."""
        return self.config.batches_per_worker

    @property
    def start_share(self) -> float:
        """Return the share of an epoch that starting its workers takes."""
        epoch_s = self.passes.pass_s * self.samples / self.passes.samples
        return self.passes.start_s / (self.passes.start_s + epoch_s)

    @property
    def step_share(self) -> float:
        """Return the share of a pass that the loop's step takes."""
        return self.passes.time_shares.get("step_s", 0.0)

    def waits(self, *names: str) -> float:
        """Return the share of a pass in which the loop waited for these."""
        return sum(self.passes.time_shares.get(f"wait_{name}_s", 0.0) for name in names)

    @property
    def making_wait(self) -> float:
        """Return the share of a pass in which the loop waited for a batch to be made, or for a worker to begin it."""
        return self.waits("begin", "fetch", "collate")

    @property
    def sending_wait(self) -> float:
        """Return the share of a pass that sending may take: memory to send a batch in is taken as it is collated."""
        return self.waits("transport", "collate", "loop")


def measure_baseline(
    subject: Subject,
    config: LoaderConfig,
    consumer: Consumer,
    *,
    longest_s: float,
    left_s: Callable[[], float],
    timeout_s: float = TIMEOUT_S,
) -> Baseline:
    """Read the first batch, then trace two passes of `longest_s` at most.

    Raises RefusedError where one fails, or is not done in the seconds that `left_s` returns, or `LEAST_S`: a pass has
    one batch at least. `timeout_s` is for a batch of workers, where the loader has none but is tried with some.
    """
    shown = refusing(subject, "its first batch", lambda: first_batch_facts(subject, config), left_s())
    silence_warnings()
    passes = refusing(subject, "a pass", lambda: first_passes(subject, config, consumer.ready(), longest_s), left_s())
    samples, is_whole = epoch_samples(passes, subject.properties.length, is_stream=subject.is_stream)
    return Baseline(
        subject=subject.part(samples) if subject.is_stream and samples < passes.samples else subject,
        config=config,
        first_batch=shown,
        passes=passes,
        cpus=machine.usable_cpus(),
        samples=samples,
        is_whole=is_whole,
        device=consumer.device.type,
        timeout_s=timeout_s,
    )


def epoch_samples(passes: FirstPasses, length: int | None, *, is_stream: bool) -> tuple[int, bool]:
    """Return the samples of an epoch, and whether these are all of it, after `passes` over a dataset of `length`.

    A stream that goes on beyond its length is read that far; one that ends before it has as many as it delivers. What
    the user's own sampler draws may be a part of the dataset, or more than all of it.
    """
    if passes.drawn is not None:
        return passes.drawn, True
    if length is None:
        return passes.samples, not passes.is_cut
    if is_stream and not passes.is_cut:
        return min(length, passes.samples), True
    return max(length, 0 if is_stream else passes.samples), True


def refusing(subject: Subject, what: str, work: Callable[[], T], left_s: float | None = None) -> T:
    """Return what `work` returns in a process of its own; raises RefusedError in one line, whatever it raises.

    That is so too where it takes longer than the `left_s` seconds of a budget that are left, and `LEAST_S`.
    """
    timeout_s = None if left_s is None else max(LEAST_S, left_s)
    try:
        return in_child(as_case_failure()(work), timeout_s=timeout_s)
    except LateChildError as error:
        raise RefusedError(
            f"{subject.name}: {what} took more than {timeout_s:.3g} s, all that the budget has for it: give more "
            "(--budget), or smaller batches (--batch-size)"
        ) from error
    except (CaseFailedError, ChildError) as error:
        raise RefusedError(f"{subject.name}: {what}: {error}") from error


def first_batch_facts(subject: Subject, config: LoaderConfig) -> FirstBatchFacts:
    """Read the first batch without workers; it reads the dataset in this process."""
    batch = first_batch(subject, config)
    facts = batch_facts_of(batch)
    is_plain = not subject.is_stream and config.sampler is None and config.batch_sampler is None
    return FirstBatchFacts(
        batch=facts,
        sending=sending_costs(batch, facts.storage_bytes) if config.num_workers else SendingCosts(),
        indexes_batches=is_plain and indexes_batches(subject.dataset, config.batch_fn),
        sets_epoch=any(callable(getattr(part, "set_epoch", None)) for part in (subject.source, subject.dataset)),
        thread_pools=thread_pools(),
        has_accelerator=len(available()) > 1,
    )


def first_passes(subject: Subject, config: LoaderConfig, consumer: Consumer, longest_s: float) -> FirstPasses:
    """Trace a pass that starts the workers and one with them running, each of `longest_s` or until its end."""
    steady = replace(config, persistent_workers=config.num_workers > 0)
    step = None if consumer.step is keep else consumer.on_device(config)
    with NoStrays():
        loader = TimeLimited(traced_loader(subject.dataset, steady, config.batch_fn), longest_s)
        starting = trace_pass(loader)
        before = usage()
        trace = trace_pass(loader, step)
        after = usage()
        del loader.loader
    if not starting.samples or not trace.samples:
        raise RefusedError(
            f"{subject.name}: its second pass has {trace.samples} samples, the first {starting.samples}: "
            "iter() must begin anew for every epoch"
        )
    if not loader.is_cut:
        _refuse_short_pass(subject, config, trace.samples)
    faults_s = fault_s() * (after.faults - before.faults)
    return FirstPasses(
        time_shares={name: seconds / trace.seconds for name, seconds in loop_times(trace).items()},
        blocked_share=blocked_s(trace) / trace.seconds,
        making_share=sum(stage_times(trace)[stage] for stage in ("fetch_s", "collate_s")) / trace.seconds,
        other_threads_share=_other_threads_share(trace, after.cpu_s - before.cpu_s),
        faults_share=min(1.0, faults_s / trace.seconds / max(1, config.num_workers)),
        batches=len(trace.batches),
        samples=trace.samples,
        pass_s=trace.seconds,
        start_s=max(0.0, _first_wait_s(starting) - _first_wait_s(trace)) if config.num_workers else 0.0,
        is_cut=loader.is_cut,
        drawn=_drawn(subject, config, trace, is_cut=loader.is_cut),
    )


def _drawn(subject: Subject, config: LoaderConfig, trace: PassTrace, *, is_cut: bool) -> int | None:
    """Return the samples that the user's own sampler draws for an epoch; None without one, or where it does not say."""
    sampler = config.batch_sampler if config.sampler is None else config.sampler
    if sampler is None:
        return None
    if not is_cut:
        return trace.samples
    try:
        draws = len(sampler_of(sampler, subject.dataset))  # type: ignore[arg-type]  # where it has none: TypeError
    except (TypeError, NotImplementedError):
        return None
    draws_batches = config.batch_sampler is not None or config.batch_size is None  # else one sample at a time
    return round(draws * trace.samples / len(trace.batches)) if draws_batches else draws


def _refuse_short_pass(subject: Subject, config: LoaderConfig, read: int) -> None:
    """Raise RefusedError if a pass that has ended delivered fewer samples than torch's own sampler draws."""
    samples = samples_of(subject.dataset) or 0
    is_drawn_by_torch = not subject.is_stream and config.sampler is None and config.batch_sampler is None
    if is_drawn_by_torch and not config.drop_last and read < samples:
        raise RefusedError(
            f"{subject.name}: a pass ended after {read} of {samples} samples: a __getitem__ that raises StopIteration, "
            "as next() does at an end, ends it there"
        )


@dataclass(slots=True)
class TimeLimited:
    """A loader whose passes end after `longest_s` seconds, or where they end anyway; each has one batch at least."""

    loader: Any
    longest_s: float
    is_cut: bool = field(default=False, init=False)

    def __iter__(self) -> Iterator[Any]:
        began = perf_counter()
        for batch in self.loader:
            yield batch
            self.is_cut = perf_counter() - began > self.longest_s
            if self.is_cut:
                return


def _first_wait_s(trace: PassTrace) -> float:
    return trace.batches[0].received - trace.batches[0].requested


def _other_threads_share(trace: PassTrace, cpu_s: float) -> float:
    """Return what the tree's CPU time that is not of the threads which fetch and collate is of the pass, 1 at most."""
    making_s = sum(batch.timestamps.cpu_s for batch in trace.batches)
    return min(1.0, max(0.0, cpu_s - making_s) / trace.seconds)
