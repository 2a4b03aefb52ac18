"""Growth of memory over epochs, on readings whose course is known."""

import numpy as np
import pytest
from made_up_explanations import readings_of

from loaderbench.reports.explain.explain_record import LoaderMemory
from loaderbench.reports.explain.memory_growth import copied_bytes, memory_growth

MB = 1_000_000
NOISE = np.random.default_rng(0).normal(0, 0.1 * MB, 13)


@pytest.mark.parametrize(
    ("readings", "course"),
    [
        (100 * MB + 5 * MB * np.arange(13), "grows"),
        (100 * MB + 60 * MB * (1 - np.exp(-np.arange(13.0))), "settles"),
        (np.full(13, 100 * MB), "flat"),
        (100 * MB + 30 * MB * np.array([0, 1] * 6 + [0]), "unclear"),
        (np.full(3, 100 * MB), "unclear"),
    ],
    ids=["a leak", "copies that come to an end", "nothing", "too much noise", "too few readings"],
)
def test_the_course_of_memory_is_named(readings: np.ndarray, course: str) -> None:
    assert memory_growth((readings + NOISE[: len(readings)]).tolist()).course == course


def test_a_slope_is_in_bytes_an_epoch_and_within_its_interval() -> None:
    growth = memory_growth((5 * MB * np.arange(13) + NOISE).tolist())
    assert growth.slope_bytes == pytest.approx(5 * MB, rel=0.02)
    assert growth.low_bytes < 5 * MB < growth.high_bytes


def test_one_outlier_is_no_growth() -> None:
    readings = np.full(13, 100.0 * MB) + NOISE
    readings[9] += 80 * MB
    assert memory_growth(readings.tolist()).course == "flat"


def test_what_workers_copy_is_what_a_loader_adds_less_with_arrays() -> None:
    memory = LoaderMemory(
        readings=readings_of(1e8),
        expected_shm_bytes=0,
        in_objects=tuple(readings_of(1e8, 1.6e8 + number) for number in range(3)),
        in_arrays=tuple(readings_of(1e8, 1e8 + 2 * number) for number in range(3)),
    )
    copied = copied_bytes(memory)
    assert copied.mean == pytest.approx(60 * MB, rel=1e-3)
    assert copied.low < 60 * MB - 1 < copied.high
