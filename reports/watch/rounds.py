"""A watched loader as rounds of a case, as every other run has them: stretches of successive steps."""

import numpy as np

from loaderbench.reports.watch.loops import LoopTimes, loop_times
from loaderbench.reports.watch.watch_record import WatchedLoader

MOST_ROUNDS = 20
FEWEST_STEPS = 10  # of a round
QUANTILES = {
    "wait_p05_s": 0.05,
    "wait_p25_s": 0.25,
    "wait_p50_s": 0.5,
    "wait_p75_s": 0.75,
    "wait_p95_s": 0.95,
    "wait_max_s": 1.0,
}


def rounds_of(loader: WatchedLoader) -> list[dict[str, float]]:
    """Return the metrics of each round, by their names in the vocabulary; nothing of a loader that was not read.

    A round is seconds of loop: what is between two loops is in none. Samples are counted where every batch that was
    made says how many it has; else they are the loader's batch size for each batch, where it has one.
    """
    times = loop_times(loader)
    steps = np.flatnonzero(times.is_whole)
    if not len(steps) or not (times.waits + times.others)[steps].sum():
        return []
    number = max(1, min(MOST_ROUNDS, len(steps) // FEWEST_STEPS))
    samples = _samples(loader)
    return [_round(times, part, samples) for part in np.array_split(steps, number)]


def _round(times: LoopTimes, steps: "np.ndarray[tuple[int], np.dtype[np.intp]]", samples: float) -> dict[str, float]:
    waits, others = times.waits[steps], times.others[steps]
    first = waits[times.is_first[steps]]
    metrics = {
        "seconds": max(float(waits.sum() + others.sum()), 1e-9),
        "batches": float(len(steps)),
        "wait_s": float(waits.sum()),
        "step_s": float(others.sum()),
        **{name: float(np.quantile(waits, share)) for name, share in QUANTILES.items()},
    }
    if samples:
        metrics["samples"] = samples * len(steps)
    if len(first):
        metrics["first_batch_s"] = float(np.median(first))
    return metrics


def _samples(loader: WatchedLoader) -> float:
    """Return the mean number of samples in a batch; 0 where it is not known, as of an iterable of the user's own."""
    known = [batch.samples for batch in loader.made]
    if known and min(known) >= 0:
        return float(np.mean(known))
    if loader.facts.get("batch_size"):
        return float(loader.facts["batch_size"])
    return 1.0 if known else 0.0  # without automatic batching each member of the dataset is a batch
