"""What the rounds of all ranks show together. A duration is between two events of one host; no other ever enters."""

from collections.abc import Mapping, Sequence

from loaderbench.benches.harness.measuring.work import Metrics

_WAIT_QUANTILES = "wait_p"
_LARGEST = ("first_batch_s", "wait_max_s", "device_peak_bytes")
_SUMMED = ("batches", "cpu_s", "pss_bytes")
_MEAN = ("wait_s", "sync_wait_s", "compute_s", "host_wait_s", "device_busy")


def combined(ranks: Sequence[Metrics], unique_share: float = 1.0) -> Metrics:
    """Return the metrics of a round of all `ranks`, of which `unique_share` of the samples count.

    ``seconds`` is the slowest rank's time and ``samples`` those of all that count, so that their quotient is the
    throughput of the training that waits for the slowest; ``rates_sum_per_s`` is DLIO's figure, the sum of the ranks'
    own rates. The slowest rank is the one that takes longest without what it waits for others. Waits are the mean
    rank's, CPU time and memory the sum, the first batch is the last to arrive.

    >>> both = combined([{"seconds": 1.0, "samples": 8.0}, {"seconds": 2.0, "samples": 8.0}])
    >>> both["samples"] / both["seconds"], both["rates_sum_per_s"], both["straggler_cost"], both["slowest_rank"]
    (8.0, 12.0, 0.25, 1.0)
    """
    seconds = max(rank["seconds"] for rank in ranks)
    own_s = [rank["seconds"] - rank.get("sync_wait_s", 0.0) for rank in ranks]
    delivered = sum(rank["samples"] for rank in ranks)
    repeated = round(delivered * (1 - unique_share))
    slowest = max(range(len(ranks)), key=lambda rank: own_s[rank])
    return {
        "seconds": seconds,
        "samples": delivered - repeated,
        "repeated_samples": float(repeated),
        "rates_sum_per_s": sum(rank["samples"] / rank["seconds"] for rank in ranks),
        "slowest_rank": float(slowest),
        "straggler_cost": straggler_cost(own_s, seconds),
        **_of_all(ranks),
        **_quantiles(ranks[slowest]),
        **_utilization(ranks, seconds),
    }


def straggler_cost(own_s: Sequence[float], seconds: float) -> float:
    """Return the share of the ranks' time that is lost by waiting for the slowest: 1 - mean / max.

    `own_s` is what each takes without waiting for others, of the `seconds` that all take together: where they wait for
    each other before each step all end at once, and what each has waited within the pass is lost.

    >>> straggler_cost([1.0, 1.0], 1.0), straggler_cost([1.0, 3.0], 3.0), straggler_cost([1.0, 3.0], 4.0)
    (0.0, 0.33333333333333337, 0.5)
    """
    return 1 - sum(own_s) / len(own_s) / seconds


def accelerator_utilization(compute_s: float, seconds: float, first_batch_s: float) -> float:
    """Return AU as MLPerf Storage defines it (Rules, 3.3.2): compute time over running time, without the first batch.

    Time spent waiting for other ranks is no compute time, and counts against the loader.
    """
    return compute_s / max(seconds - first_batch_s, compute_s)


def _of_all(ranks: Sequence[Mapping[str, float]]) -> Metrics:
    return {
        **{name: max(rank[name] for rank in ranks) for name in _LARGEST if name in ranks[0]},
        **{name: sum(rank[name] for rank in ranks) for name in _SUMMED if name in ranks[0]},
        **{name: sum(rank[name] for rank in ranks) / len(ranks) for name in _MEAN if name in ranks[0]},
    }


def _quantiles(slowest: Mapping[str, float]) -> Metrics:
    return {name: value for name, value in slowest.items() if name.startswith(_WAIT_QUANTILES)}


def _utilization(ranks: Sequence[Mapping[str, float]], seconds: float) -> Metrics:
    if "compute_s" not in ranks[0]:
        return {}
    compute_s = sum(rank["compute_s"] for rank in ranks) / len(ranks)
    first_s = max(rank["first_batch_s"] for rank in ranks)
    return {"accelerator_utilization": accelerator_utilization(compute_s, seconds, first_s)}
