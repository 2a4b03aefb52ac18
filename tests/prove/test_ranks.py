"""What `make prove` knows of two ranks, one three times as slow."""

import pytest

from loaderbench.benches.harness.ranks.combined import combined
from prove.topics.ranks import BATCH, SLEEPS_S, measured, truths

STEPS = 6
STEP_S = 0.02


def test_two_ranks_as_they_are_built_show_what_is_known() -> None:
    loads_s = [BATCH * sleep_s for sleep_s in SLEEPS_S]
    common = {"samples": float(STEPS * BATCH), "batches": float(STEPS)}
    loading = combined([{**common, "seconds": STEPS * load_s, "first_batch_s": load_s} for load_s in loads_s])
    slowest_s = max(loads_s)
    training = combined(
        [
            {
                **common,
                "seconds": STEPS * (slowest_s + STEP_S),
                "first_batch_s": load_s,
                "wait_s": STEPS * load_s,
                "sync_wait_s": STEPS * (slowest_s - load_s),
                "compute_s": STEPS * STEP_S,
            }
            for load_s in loads_s
        ]
    )
    columns = [{name: [value] for name, value in rounds.items()} for rounds in (loading, training)]
    assert measured(*columns) == pytest.approx(truths())
