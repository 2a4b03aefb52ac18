"""First passes that were slower than all that followed."""

from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.stats.first_passes import slow_first_passes


def frame(first_s: float, first_batch_s: float, later_s: float, **columns: Any) -> pd.DataFrame:
    """A case of 16 batches whose first pass is a warm-up."""
    rows = [(True, 0, first_s, first_batch_s), (False, 0, later_s, 0.0), (False, 1, later_s, 0.0)]
    passes = pd.DataFrame(rows, columns=["warmup", "round", "seconds", "first_batch_s"])
    return passes.assign(**{"run": "r", "case": "c", "samples": 256.0, "batches": 16.0, **columns})


def test_a_cache_that_a_first_pass_fills_is_seen() -> None:
    (case,) = slow_first_passes(frame(5.5, 0.5, 0.01)).to_dict("records")
    assert (case["case"], case["first_s"], case["later_s"]) == ("c", 5.5, pytest.approx(0.01))
    assert case["ratio"] == pytest.approx(5.0 / (0.01 * 15 / 16))


@pytest.mark.parametrize(
    "passes",
    [
        frame(1.4, 0.9, 0.4),
        frame(0.05, 0.0, 0.001),
        frame(5.5, 0.5, 0.01, batches=1.0),
        frame(5.5, 0.5, 0.01).drop(columns="samples"),
    ],
    ids=["workers start in the first batch", "a few milliseconds", "one batch", "samples are not counted"],
)
def test_nothing_is_said_of_other_first_passes(passes: pd.DataFrame) -> None:
    assert slow_first_passes(passes).empty
