"""The vocabulary: every setting, every metric, and every other option that says what is measured, declared once.

Command-line options, feasibility, the identity of a case, columns, tables, figures and docs are derived from these
values. To add one is to add an entry here and the code that uses it; `register` adds one from elsewhere. The order of
the entries is the order in which a reader meets them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_all_start_methods
from typing import Literal

Value = str | int | bool | None
Better = Literal["higher", "lower"]
ANY = object()  # as a value without workers: it matters there too

_SWITCH = {"on": True, "off": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One thing that can be set before loading begins."""

    name: str
    """Its column, its argument of DataLoader where it is one, and its option (with dashes)."""
    help: str
    kind: Literal["whole", "switch", "name"] = "name"
    least: int = 0
    """The smallest value of a whole number."""
    choices: tuple[str, ...] = ()
    """The names that are known, from the smallest to the largest."""
    is_open: bool = False
    """Whether other names than `choices` are allowed, such as module:attribute."""
    takes_none: bool = False
    """Whether ``none`` is one of its values."""
    default: Value = None
    """Its value in a case where nothing sweeps it: torch's own where torch has one."""
    without_workers: object = ANY
    """Its only value with num_workers=0, where DataLoader refuses or ignores any other."""
    cost_rank: int | None = None
    """Its rank among the settings that change speed only, not which batches come; 0 costs most per unit (a worker).

    "The smallest setting" is decided in this order.
    """
    is_panel: bool = False
    """Whether it says what a verdict and a panel are about."""
    is_swept: bool = True
    """Whether it has an option that takes a list of values."""
    is_argument: bool = False
    """Whether it is an argument of DataLoader by its own name."""
    makes_argument: bool = False
    """Whether it is the value of arguments with other names: start_method is ``multiprocessing_context``."""
    has_column: bool = False
    """Whether it has a column of its own in the table of cases; the others share one."""
    phrase: str = ""
    """How a case's name says it, such as ``workers={}``; of a switch, the word for on."""
    phrase_off: str = ""
    """The word for a switch that is off."""

    @property
    def option(self) -> str:
        """Return its option, such as ``--num-workers``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def takes(self) -> str:
        """Return in words which values it takes."""
        none = " or none" if self.takes_none else ""
        if self.kind == "whole":
            return f"whole numbers >= {self.least}{none}"
        if self.kind == "switch":
            return "on or off"
        return (", ".join([*self.choices, *(["module:attribute"] if self.is_open else [])]) or "a name") + none

    def read(self, text: str) -> Value:
        """Return the value that `text` names; raises ValueError saying what is taken.

        >>> SETTINGS["num_workers"].read("2"), SETTINGS["pin_memory"].read("on"), SETTINGS["batch_size"].read("none")
        (2, True, None)
        """
        if self.takes_none and text == "none":
            return None
        if self.kind == "whole" and text.isdecimal() and int(text) >= self.least:
            return int(text)
        if self.kind == "switch" and text in _SWITCH:
            return _SWITCH[text]
        if self.kind == "name" and text and (self.is_open or not self.choices or text in self.choices):
            return text
        raise ValueError(f"{self.option} takes {self.takes}, got {text!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRule:
    """How two revisions are compared by a metric."""

    scale: Literal["ratio", "difference"] = "ratio"
    margins: float = 1.0
    """How many margins a change must exceed: a cold start varies more than a pass."""
    floor: float = 0.0
    """No difference below this, in the metric's unit, is worth a verdict."""
    is_summed: bool = False
    """Whether a block's rounds are summed before revisions are compared: its clock has coarse steps."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity that is measured, or derived from what was measured."""

    name: str
    """The column that holds it."""
    label: str
    unit: str
    """SI; "share" is a fraction of one, "ratio" a quotient of two like quantities, "index" a place, "" a count."""
    better: Better | None = None
    """Which way is better, where one is."""
    meaning: str = ""
    """One sentence for a reader who has never met it."""
    aggregate: Literal["median", "max", "total", "derived"] = "median"
    """What a case keeps of its rounds; "total" only enters quotients, "derived" is worked out in `stats.summary`."""
    quotient: tuple[str, str] | None = None
    """Of a derived metric that is a total over a total: the two metrics of a round."""
    in_table: bool = False
    """Whether it is a column of the table of all cases."""
    result_rank: int | None = None
    """A case's result is the metric it has that comes first by this; None: never the result."""
    trend_rank: int | None = None
    """The same for the trend of a case over runs."""
    gate: GateRule | None = None
    """How the gate judges it; None: it does not."""
    figure: str = ""
    """The section of the report in which it is drawn over the setting that varies; "": other figures show it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadOption:
    """An option that says what is loaded or trained, takes one text and is no setting."""

    name: str
    """As Python writes it: ``dataset_args`` is ``--dataset-args``."""
    metavar: str
    help: str
    default: str = ""
    column: str = ""
    """What the record calls it where that is not its name."""
    identifies: bool = True
    """Whether it is part of a case's identity."""

    @property
    def option(self) -> str:
        """Return how it is written, such as ``--dataset-args``."""
        return f"--{self.name.replace('_', '-')}"


# Benches whose cases are judged in a way of their own.
STEP_BENCHES = ("training", "watch", "ranks_training")  # where a wait is a step's: what ``stall_share`` is of
CONTROL_BENCH = "control"  # no change to the code can affect its cases
FIDELITY_BENCH = "fidelity"  # it asks about the suite itself, so that no revision is judged by it

SETTINGS: dict[str, Setting] = {}
METRICS: dict[str, Metric] = {}


def register(entry: Setting | Metric) -> None:
    """Add a setting or a metric; raises ValueError where its name is taken."""
    if entry.name in SETTINGS or entry.name in METRICS:
        raise ValueError(f"{entry.name} is in the vocabulary already")
    if isinstance(entry, Setting):
        SETTINGS[entry.name] = entry
    else:
        METRICS[entry.name] = entry


def names(condition: Callable[[Setting], bool]) -> tuple[str, ...]:
    """Return the names of the settings for which `condition` holds, in reading order."""
    return tuple(name for name, setting in SETTINGS.items() if condition(setting))


def swept() -> tuple[str, ...]:
    """Return the settings that have an option."""
    return names(lambda setting: setting.is_swept)


def panel_settings() -> tuple[str, ...]:
    """Return the settings that a verdict and a panel are about.

    >>> panel_settings()
    ('dataset', 'device')
    """
    return names(lambda setting: setting.is_panel)


def of_workers() -> Mapping[str, object]:
    """Return the settings that mean nothing at num_workers=0, each with its only value there."""
    return {name: entry.without_workers for name, entry in SETTINGS.items() if entry.without_workers is not ANY}


def loader_arguments() -> tuple[str, ...]:
    """Return the settings that are arguments of DataLoader by their own names."""
    return names(lambda setting: setting.is_argument)


def loader_settings() -> tuple[str, ...]:
    """Return the settings that make a DataLoader: its arguments, under their own names or others."""
    return names(lambda setting: setting.is_argument or setting.makes_argument)


def speed_only_settings() -> tuple[str, ...]:
    """Return the settings that change speed only, not which batches come; the one that costs most per unit first."""
    ranked = [(setting.cost_rank, name) for name, setting in SETTINGS.items() if setting.cost_rank is not None]
    return tuple(name for _, name in sorted(ranked))


def aggregated(how: str) -> tuple[str, ...]:
    """Return the metrics of which a case keeps `how`: "median", "max", …"""
    return tuple(name for name, metric in METRICS.items() if metric.aggregate == how)


def quotients() -> dict[str, tuple[str, str]]:
    """Return the metrics that are a total over a total, each with the two metrics of a round.

    >>> quotients()["samples_per_s"]
    ('samples', 'seconds')
    """
    return {name: metric.quotient for name, metric in METRICS.items() if metric.quotient is not None}


def ranked(by: Literal["result_rank", "trend_rank"]) -> tuple[str, ...]:
    """Return the metrics that have a rank, the first one first."""
    places = [(getattr(metric, by), name) for name, metric in METRICS.items() if getattr(metric, by) is not None]
    return tuple(name for _, name in sorted(places))


# Our datasets, each with what its samples are called; `datasets/catalog.py` builds them.
SAMPLES: Mapping[str, str] = {
    "images": "images",
    "shards": "images",
    "text": "texts",
    "tokens": "sequences",
    "table": "rows",
    "rows": "rows",
}


def sample_rate(dataset: object) -> str:
    """Return the unit of a dataset's throughput: what its samples are, where that is known.

    >>> sample_rate("images"), sample_rate("my.data:Train")
    ('images/s', 'samples/s')
    """
    return f"{SAMPLES.get(str(dataset), 'samples')}/s"


for _entry in (
    Setting(
        name="dataset", help="what is loaded", choices=tuple(SAMPLES), is_open=True, default="text", is_panel=True,
        has_column=True,
    ),
    Setting(
        name="device", help="where batches are placed and models run", default="cpu", is_panel=True, has_column=True
    ),
    Setting(name="model", help="what is trained", is_swept=False),
    Setting(name="quantity", help="what is compared with a known value", is_swept=False, phrase="{}"),
    Setting(
        name="nproc_per_node", help="ranks on each host, each with workers of its own", kind="whole", least=1,
        default=1, has_column=True, phrase="ranks={}",
    ),
    Setting(
        name="pad_ranks", help="samples are repeated until every rank has as many; else the last ones are left out",
        kind="switch", default=True, phrase="padded", phrase_off="last left out",
    ),
    Setting(
        name="num_workers", help="worker processes", kind="whole", default=0, cost_rank=0, is_argument=True,
        has_column=True, phrase="workers={}",
    ),
    Setting(
        name="batch_size", help="samples in a batch; with none the dataset, or its batch_sampler, makes the batches",
        kind="whole", least=1, default=32, takes_none=True, is_argument=True, has_column=True, phrase="batch={}",
    ),
    Setting(
        name="collate_fn", help="the function that makes a batch of samples",
        choices=("default", "pad", "pack", "stack_into"), is_open=True, is_argument=True, has_column=True,
    ),
    Setting(
        name="sampling", help="the order and choice of samples", default="shuffle", makes_argument=True,
        choices=("sequential", "shuffle", "weighted", "batches", "blocks"),
    ),
    Setting(
        name="drop_last", help="the last incomplete batch is left out", kind="switch", default=False, is_argument=True,
        phrase="drop_last", phrase_off="last kept",
    ),
    Setting(
        name="sampler", help="a sampler of your own; a function or class is called with the dataset", is_open=True,
        takes_none=True, is_argument=True,
    ),
    Setting(
        name="batch_sampler", help="a batch_sampler of your own; a function or class is called with the dataset",
        is_open=True, takes_none=True, is_argument=True,
    ),
    Setting(
        name="fetch", help="samples one by one, or a batch in a call", choices=("getitem", "getitems"),
        default="getitems",
    ),
    Setting(
        name="pin_memory", help="page-locked batches; needs an accelerator", kind="switch", default=False,
        cost_rank=2, is_argument=True, phrase="pinned", phrase_off="pageable",
    ),
    Setting(
        name="non_blocking", help="copies to the device run beside the host", kind="switch", default=True,
        cost_rank=5, phrase="non_blocking", phrase_off="blocking",
    ),
    Setting(
        name="prefetch_factor", help="batches in flight for each worker", kind="whole", least=1, default=2,
        without_workers=None, cost_rank=1, is_argument=True, phrase="prefetch={}",
    ),
    Setting(
        name="persistent_workers", help="workers are kept from epoch to epoch", kind="switch", default=False,
        without_workers=False, cost_rank=3, is_argument=True, phrase="persistent", phrase_off="restarted",
    ),
    Setting(
        name="start_method", help="how workers are started", without_workers=None, cost_rank=4, makes_argument=True,
        choices=tuple(name for name in ("fork", "forkserver", "spawn") if name in get_all_start_methods()),
    ),
    Setting(
        name="worker_init_fn", help="called in every worker when it has started", is_open=True, takes_none=True,
        without_workers=None, cost_rank=6, is_argument=True,
    ),
    Setting(
        name="in_order", help="batches in the sampler's order, or as they are ready", kind="switch", default=True,
        without_workers=True, is_argument=True, phrase="in_order", phrase_off="as ready",
    ),
    Setting(name="payload_mb", help="megabytes a dataset holds", kind="whole", is_swept=False, phrase="{} MB"),
):  # fmt: skip
    register(_entry)

WORKLOAD_OPTIONS: Mapping[str, WorkloadOption] = {
    entry.name: entry
    for entry in (
        WorkloadOption(name="dataset_args", metavar="JSON", help="arguments of the dataset: an object or an array"),
        WorkloadOption(
            name="from_loader", metavar="MODULE:NAME", identifies=False,  # it is the name of the dataset
            help="in place of --dataset: your own DataLoader, or a function that returns one; measured as it is, and "
            "varied by the other options",
        ),
        WorkloadOption(
            name="samples", metavar="N", default="auto", column="samples_option",  # a metric has the option's name
            help="how much of your dataset a pass reads: a number, all, or auto (what fits into a short time); a "
            "part is contiguous blocks, or the beginning of a stream",
        ),
        WorkloadOption(
            name="loader_timeout", metavar="TIME", default="60s", identifies=False,
            help="give up on a batch that workers have not delivered for so long (default: 60s; 0 waits for ever)",
        ),
        WorkloadOption(name="model", metavar="MODULE:NAME", help="the model to train; ours where the dataset is ours"),
        WorkloadOption(name="model_args", metavar="JSON", help="arguments of the model: an object or an array"),
        WorkloadOption(
            name="loss", metavar="NAME",
            help="a function of torch.nn.functional, or module:attribute (default: the model's own where it takes the "
            "target, else cross_entropy)",
        ),
        WorkloadOption(
            name="train_step", metavar="MODULE:NAME",
            help="your own step: a function of model, batch and optimizer, or an object or a class with step(batch)",
        ),
        WorkloadOption(
            name="optimizer", metavar="NAME",
            help="a class of torch.optim, or module:attribute, called with the parameters (default: SGD)",
        ),
    )
}  # fmt: skip

_COLD = GateRule(margins=4.0, floor=0.02)

for _metric in (
    # Of a round, as the run file holds them.
    Metric("seconds", "time", "s", "lower", trend_rank=7),
    Metric("samples", "samples", "", aggregate="total"),
    Metric("batches", "batches", "", aggregate="total"),
    Metric("bytes", "bytes", "bytes", aggregate="total"),
    Metric("first_batch_s", "first batch", "s", "lower", in_table=True, result_rank=4, trend_rank=5, gate=_COLD),
    Metric("wait_s", "wait", "s", "lower", aggregate="total"),
    Metric("wait_p05_s", "wait for a batch, 5th percentile", "s", "lower"),
    Metric("wait_p25_s", "wait for a batch, lower quartile", "s", "lower"),
    Metric("wait_p50_s", "wait for a batch, median", "s", "lower"),
    Metric("wait_p75_s", "wait for a batch, upper quartile", "s", "lower"),
    Metric("wait_p95_s", "wait for a batch, 95th percentile", "s", "lower"),
    Metric("wait_max_s", "wait for a batch, longest", "s", "lower", aggregate="max"),
    Metric(
        "rates_sum_per_s", "sum of the ranks' rates", "samples/s", "higher",
        "Each rank's samples over its own time: it hides a slow rank.", in_table=True,
    ),
    Metric(
        "straggler_cost", "straggler cost", "share", "lower",
        "Share of the ranks' time lost by waiting for the slowest: 1 - mean / max of their times.", in_table=True,
    ),
    Metric("slowest_rank", "slowest rank", "index", None, "The median of the rounds; the ranks' own table has all."),
    Metric(
        "repeated_samples", "repeated samples", "", "lower",
        "Samples that another rank has loaded too; they are not counted.",
    ),
    Metric(
        "sync_wait_s", "waiting for other ranks", "s", "lower", "Before a step of all ranks; the mean rank's.", "total"
    ),
    Metric("compute_s", "computing", "s", None, "In the step, when all ranks have a batch.", "total"),
    Metric(
        "accelerator_utilization", "AU (MLPerf Storage)", "share", "higher",
        "Compute time over running time, without the first batch.", in_table=True,
    ),
    Metric("host_wait_s", "wait by the host's clock", "s", "lower"),
    Metric("cpu_s", "CPU time", "s", "lower", aggregate="total"),
    Metric(
        "device_peak_bytes", "device memory, peak", "bytes", "lower", "What torch gave to tensors on the device.",
        "max", in_table=True,
    ),
    Metric(
        "device_busy", "device busy", "share", "higher", "Share of the time in which a kernel ran, as NVML samples it.",
        in_table=True,
    ),
    Metric("loader_seconds", "time, loader alone", "s", "lower", aggregate="total"),
    Metric("loader_samples", "samples, loader alone", "", aggregate="total"),
    Metric("step_seconds", "time, step alone", "s", "lower", aggregate="total"),
    Metric("step_samples", "samples, step alone", "", aggregate="total"),
    Metric("start_s", "start", "s", "lower", gate=_COLD),
    Metric("next_first_batch_s", "first batch of the next epoch", "s", "lower", in_table=True, gate=_COLD),
    Metric("shutdown_s", "shutdown", "s", "lower", in_table=True, gate=_COLD),
    Metric("gap_s", "gap between epochs", "s", "lower", "From the last batch to the first of the next epoch."),
    Metric("queues_s", "queues", "s", "lower"),
    Metric("process_s", "a worker's process", "s", "lower", "It starts, and its interpreter; or it is forked."),
    Metric("main_s", "the main module again", "s", "lower", "Imported by a worker that is not forked."),
    Metric("imports_s", "a worker's imports", "s", "lower", "Torch, and what the dataset's class needs."),
    Metric("init_s", "waiting for the other workers", "s", "lower", "Until its first sample is requested."),
    Metric("first_fetch_s", "its first batch", "s", "lower"),
    Metric("deliver_s", "sending it", "s", "lower"),
    Metric("pss_bytes", "memory (PSS)", "bytes", "lower", trend_rank=4, gate=GateRule(margins=0.5, floor=8 * 2**20)),
    Metric("uss_bytes", "memory (USS)", "bytes", "lower"),
    Metric("base_pss_bytes", "memory before the loader", "bytes", "lower"),
    Metric(
        "worker_pss_bytes", "memory of a worker", "bytes", "lower",
        "PSS of the mean worker: what it added, and its share of what others hold too.", in_table=True,
    ),
    Metric("shm_bytes", "shared memory", "bytes", "lower"),
    Metric("dataset_only_s", "dataset alone", "s", "lower", "Every sample requested in turn, in one process."),
    Metric("with_collate_s", "and collated", "s", "lower"),
    Metric("with_workers_s", "with workers, nothing sent", "s", "lower"),
    Metric("with_transport_s", "and sent to the main process", "s", "lower", "Before batches are copied to a device."),
    Metric("copy_s", "copying to the device", "s", "lower"),
    Metric("off_cpu_s", "fetching and collating, off the CPU", "s", "lower", "Waiting for files, or for a CPU."),
    Metric("fetch_s", "fetching", "s", "lower", "Over all batches, of workers side by side."),
    Metric("transform_s", "transforming", "s", "lower", "Of fetching, in the dataset's transform."),
    Metric("collate_s", "collating", "s", "lower"),
    Metric("queue_s", "waiting to be sent", "s", "lower"),
    Metric("pickle_s", "pickling", "s", "lower"),
    Metric("transit_s", "in the pipe", "s", None, "Until the main process reads it."),
    Metric("unpickle_s", "unpickling", "s", "lower"),
    Metric("to_pin_s", "waiting to be pinned", "s", "lower"),
    Metric("pin_s", "pinning", "s", "lower"),
    Metric("ready_s", "ready, not requested", "s"),
    Metric("wait_begin_s", "waited: not begun", "s", "lower"),
    Metric("wait_fetch_s", "waited: fetching", "s", "lower"),
    Metric("wait_collate_s", "waited: collating", "s", "lower"),
    Metric("wait_transport_s", "waited: transport", "s", "lower"),
    Metric("wait_pin_s", "waited: pinning", "s", "lower"),
    Metric("wait_loop_s", "waited: the loop itself", "s", "lower"),
    Metric("step_s", "the step", "s"),
    Metric("blocked_s", "waited behind a slower batch", "s", "lower"),
    Metric("slowest_sample", "slowest sample", "index", None, "Its index in the dataset.", in_table=True),
    Metric("slowest_share", "its share", "share", "lower", "Of the time of all samples, read in turn.", in_table=True),
    Metric("unexplained", "unexplained", "share"),
    Metric("tracing_overhead", "cost of timestamps", "ratio", "lower"),
    Metric("truth", "known value", "", aggregate="derived"),
    Metric("measured", "measured value", "", trend_rank=6, aggregate="total"),
    # Of a case, derived in stats/summary.py.
    Metric(
        "samples_per_s", "throughput", "samples/s", "higher", "Total samples over total time.", "derived",
        ("samples", "seconds"), in_table=True, result_rank=0, trend_rank=0, gate=GateRule(),
    ),
    Metric("low_samples_per_s", "throughput, low", "samples/s", "higher", aggregate="derived"),
    Metric("high_samples_per_s", "throughput, high", "samples/s", "higher", aggregate="derived"),
    Metric(
        "spread", "spread", "share", "lower", "Standard deviation of the rounds' log throughput.", "derived",
        in_table=True,
    ),
    Metric(
        "stall_share", "waiting", "share", "lower", "Share of a pass that the step spends waiting for data.", "derived",
        ("wait_s", "seconds"), in_table=True, gate=GateRule(scale="difference", floor=0.03),
    ),
    Metric(
        "loader_samples_per_s", "loader alone", "samples/s", "higher", "The loader with no step.", "derived",
        in_table=True,
    ),
    Metric(
        "step_samples_per_s", "step alone", "samples/s", "higher", "The step on batches made before.", "derived",
        in_table=True,
    ),
    Metric(
        "bound_samples_per_s", "bound", "samples/s", "higher", "The lower of loader and step alone.", "derived"
    ),
    Metric(
        "overlap", "overlap", "ratio", "higher",
        "Throughput together over its bound: 1 when neither waits for the other.", "derived", in_table=True,
    ),
    Metric(
        "sync_share", "waiting for ranks", "share", "lower",
        "Share of a pass that the mean rank waits for other ranks.", "derived", ("sync_wait_s", "seconds"),
        in_table=True,
    ),
    Metric(
        "cpu_share", "CPU cores busy", "ratio", None, "CPU time of all processes over time.", "derived",
        ("cpu_s", "seconds"),
    ),
    Metric(
        "cpu_per_sample_s", "CPU time a sample", "s", "lower", "CPU time of all processes over samples.", "derived",
        ("cpu_s", "samples"), gate=GateRule(margins=3.0, is_summed=True), figure="Costs",
    ),
    Metric(
        "bytes_per_s", "bandwidth", "bytes/s", "higher", aggregate="derived", quotient=("bytes", "seconds"),
        in_table=True, result_rank=1, trend_rank=1, gate=GateRule(),
    ),
    Metric(
        "added_pss_bytes", "memory added", "bytes", "lower",
        "PSS of the process tree, less that before the loader.", "derived", in_table=True, result_rank=3, trend_rank=3,
    ),
    Metric(
        "error", "error", "share", None, "Measured over known, less one; the median of the rounds.", "derived",
        in_table=True, result_rank=2,
    ),
):  # fmt: skip
    register(_metric)
