"""Every metric, in the order in which a reader meets them."""

from loaderbench.reports.vocabulary.entries import GateRule, Metric, by_name

_COLD = GateRule(margins=4.0, floor=0.02)

METRICS: dict[str, Metric] = by_name((
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
))  # fmt: skip
