"""First passes that took longer than all that followed: later ones found again what these had read."""

import pandas as pd

SLOWER = 3.0  # times as long for each sample, which no warm-up of allocators and caches of the CPU explains
LEAST_S = 0.1  # longer in all


def slow_first_passes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cases of a frame of `Records` whose first pass was a warm-up much slower than the rounds.

    One row for each, the most different first: run, case, first_s and later_s (seconds of a pass), and ratio. Of the
    first pass, its first batch does not count: workers start in it, and modules are imported.
    """
    needed = ["run", "case", "warmup", "round", "seconds", "samples", "batches", "first_batch_s"]
    passes = frame.reindex(columns=needed).dropna()
    passes = passes.assign(per_sample_s=passes["seconds"] / passes["samples"])
    warmup = passes["warmup"].astype(bool)
    first = passes[warmup & (passes["round"] == 0) & (passes["batches"] > 1)].set_index(["run", "case"])
    later = passes[~warmup].groupby(["run", "case"])["per_sample_s"].median().rename("later")
    both = first.join(later, how="inner")
    others = both["samples"] * (1 - 1 / both["batches"])
    both["ratio"] = (both["seconds"] - both["first_batch_s"]) / (both["later"] * others)
    both["first_s"], both["later_s"] = both["seconds"], both["later"] * both["samples"]
    is_slow = (both["ratio"] > SLOWER) & (both["first_s"] - both["first_batch_s"] - both["later_s"] > LEAST_S)
    slow = both[is_slow].sort_values("ratio", ascending=False)
    return slow.reset_index()[["run", "case", "first_s", "later_s", "ratio"]]
