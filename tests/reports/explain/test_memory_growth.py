"""Growth of memory over epochs, on readings whose course is known."""

import numpy as np
import pytest

from loaderbench.reports.explain.memory_growth import growth

MB = 1_000_000
NOISE = np.random.default_rng(0).normal(0, 0.1 * MB, 13)


@pytest.mark.parametrize(
    ("course", "word"),
    [
        (100 * MB + 5 * MB * np.arange(13), "grows"),
        (100 * MB + 60 * MB * (1 - np.exp(-np.arange(13.0))), "settles"),
        (np.full(13, 100 * MB), "flat"),
        (100 * MB + 30 * MB * np.array([0, 1] * 6 + [0]), "unclear"),
        (np.full(3, 100 * MB), "unclear"),
    ],
    ids=["a leak", "copies that come to an end", "nothing", "too wild to tell", "too few to tell"],
)
def test_it_says_what_memory_did(course: np.ndarray, word: str) -> None:
    assert growth((course + NOISE[: len(course)]).tolist()).word == word


def test_a_slope_is_in_bytes_an_epoch_and_within_its_interval() -> None:
    found = growth((5 * MB * np.arange(13) + NOISE).tolist())
    assert found.slope_bytes == pytest.approx(5 * MB, rel=0.02)
    assert found.low_bytes < 5 * MB < found.high_bytes


def test_one_odd_reading_is_no_growth() -> None:
    course = np.full(13, 100.0 * MB) + NOISE
    course[9] += 80 * MB
    assert growth(course.tolist()).word == "flat"
