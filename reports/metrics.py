"""The quantities a report speaks of: what each is called, its unit, and which way is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A named quantity."""

    name: str
    """The column that holds it."""
    label: str
    """What a reader sees."""
    unit: str
    """SI; "share" is a fraction of one, "ratio" a quotient of two like quantities, "" a count."""
    direction: Direction | None = None
    """Which way is better, where one is."""
    meaning: str = ""
    """One sentence for the reader who has never met it."""


def _metric(
    name: str, label: str, unit: str, direction: Direction | None = None, meaning: str = ""
) -> tuple[str, Metric]:
    return name, Metric(name=name, label=label, unit=unit, direction=direction, meaning=meaning)


# One value a round, as the run file holds them.
ROUND_METRICS: Mapping[str, Metric] = dict(
    [
        _metric("seconds", "time", "s", "lower"),
        _metric("samples", "samples", ""),
        _metric("batches", "batches", ""),
        _metric("bytes", "bytes", "bytes"),
        _metric("first_batch_s", "first batch", "s", "lower"),
        _metric("wait_s", "wait", "s", "lower"),
        _metric("wait_p05_s", "wait a batch, 5th percentile", "s", "lower"),
        _metric("wait_p25_s", "wait a batch, lower quartile", "s", "lower"),
        _metric("wait_p50_s", "wait a batch, median", "s", "lower"),
        _metric("wait_p75_s", "wait a batch, upper quartile", "s", "lower"),
        _metric("wait_p95_s", "wait a batch, 95th percentile", "s", "lower"),
        _metric("wait_max_s", "wait a batch, longest", "s", "lower"),
        _metric("cpu_s", "CPU time", "s", "lower"),
        _metric("loader_seconds", "time, loader alone", "s", "lower"),
        _metric("loader_samples", "samples, loader alone", ""),
        _metric("step_seconds", "time, step alone", "s", "lower"),
        _metric("step_samples", "samples, step alone", ""),
        _metric("start_s", "start", "s", "lower"),
        _metric("shutdown_s", "shutdown", "s", "lower"),
        _metric("next_first_batch_s", "first batch of the next epoch", "s", "lower"),
        _metric("gap_s", "gap between epochs", "s", "lower", "From the last batch to the first of the next epoch."),
        _metric("ask_s", "queues", "s", "lower"),
        _metric("process_s", "a worker's process", "s", "lower", "It starts, and its interpreter; or it is forked."),
        _metric("main_s", "the main module again", "s", "lower", "Imported by a worker that is not forked."),
        _metric("imports_s", "a worker's imports", "s", "lower", "Torch, and what the dataset's class needs."),
        _metric("init_s", "its first sample", "s", "lower"),
        _metric("first_fetch_s", "its first batch", "s", "lower"),
        _metric("deliver_s", "handing it over", "s", "lower"),
        _metric("pss_bytes", "memory (PSS)", "bytes", "lower"),
        _metric("uss_bytes", "memory (USS)", "bytes", "lower"),
        _metric("base_pss_bytes", "memory before the loader", "bytes", "lower"),
        _metric(
            "worker_pss_bytes",
            "memory a worker",
            "bytes",
            "lower",
            "PSS of the mean worker: what it added, and its share of what others hold too.",
        ),
        _metric("shm_bytes", "shared memory", "bytes", "lower"),
        _metric("alone_s", "dataset alone", "s", "lower", "Every sample asked of the dataset, in one process."),
        _metric("collated_s", "and collated", "s", "lower"),
        _metric("kept_s", "with workers, nothing handed over", "s", "lower"),
        _metric("handed_s", "and handed over", "s", "lower", "Where batches are then copied to a device."),
        _metric("copy_s", "copying to the device", "s", "lower"),
        _metric("off_cpu_s", "fetching and collating, off the CPU", "s", "lower", "Waiting for files, or for a CPU."),
        _metric("fetch_s", "fetching", "s", "lower", "Over all batches, of workers side by side."),
        _metric("transform_s", "transforming", "s", "lower", "Of fetching, in the dataset's transform."),
        _metric("collate_s", "collating", "s", "lower"),
        _metric("queue_s", "waiting to be sent", "s", "lower"),
        _metric("pickle_s", "pickling", "s", "lower"),
        _metric("transit_s", "in the pipe", "s", None, "Until the main process turns to it."),
        _metric("unpickle_s", "unpickling", "s", "lower"),
        _metric("to_pin_s", "waiting to be pinned", "s", "lower"),
        _metric("pin_s", "pinning", "s", "lower"),
        _metric("ready_s", "ready, not asked for", "s"),
        _metric("wait_begin_s", "waited: not begun", "s", "lower"),
        _metric("wait_fetch_s", "waited: fetching", "s", "lower"),
        _metric("wait_collate_s", "waited: collating", "s", "lower"),
        _metric("wait_hand_over_s", "waited: handing over", "s", "lower"),
        _metric("wait_pin_s", "waited: pinning", "s", "lower"),
        _metric("wait_loop_s", "waited: the loop itself", "s", "lower"),
        _metric("step_s", "the step", "s"),
        _metric("blocked_s", "waited behind a slower batch", "s", "lower"),
        _metric("closure", "unexplained", "share"),
        _metric("stamping", "cost of stamps", "ratio", "lower"),
        _metric("truth", "truth", ""),
        _metric("reading", "reading", ""),
    ]
)

# One value a case, derived in summary.py.
CASE_METRICS: Mapping[str, Metric] = dict(
    [
        _metric("samples_per_s", "throughput", "samples/s", "higher", "Total samples over total time."),
        _metric("low_samples_per_s", "throughput, low", "samples/s", "higher"),
        _metric("high_samples_per_s", "throughput, high", "samples/s", "higher"),
        _metric("spread", "spread", "share", "lower", "Standard deviation of the rounds' log throughput."),
        _metric("stall_share", "waiting", "share", "lower", "Share of a pass that the step spends waiting for data."),
        _metric("loader_samples_per_s", "loader alone", "samples/s", "higher", "The loader with no step."),
        _metric("step_samples_per_s", "step alone", "samples/s", "higher", "The step on one cached batch."),
        _metric("bound_samples_per_s", "bound", "samples/s", "higher", "The lower of loader and step alone."),
        _metric(
            "overlap",
            "overlap",
            "ratio",
            "higher",
            "Throughput together over its bound: 1 when neither waits for the other.",
        ),
        _metric("cpu_share", "CPU cores busy", "ratio", None, "CPU time of all processes over time."),
        _metric("cpu_per_sample_s", "CPU time a sample", "s", "lower", "CPU time of all processes over samples."),
        _metric("bytes_per_s", "bandwidth", "bytes/s", "higher"),
        _metric(
            "added_pss_bytes", "memory added", "bytes", "lower", "PSS of the process tree, less that before the loader."
        ),
        _metric("error", "error", "share", None, "Reading over truth, less one; the median of the rounds."),
    ]
)

METRICS: Mapping[str, Metric] = {**ROUND_METRICS, **CASE_METRICS}

_NOUNS = {"images": "images", "shards": "images", "text": "texts", "tokens": "sequences", "table": "rows"}


def sample_rate(dataset: object) -> str:
    """Return the unit of a dataset's throughput: what its samples are, where that is known.

    >>> sample_rate("images"), sample_rate("my.data:Train")
    ('images/s', 'samples/s')
    """
    return f"{_NOUNS.get(str(dataset), 'samples')}/s"
