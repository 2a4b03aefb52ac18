"""What a pass takes as a rule, on made-up rounds."""

import math

import numpy as np
import pytest

from loaderbench.reports.whatif.typical_pass import middle_mean, standard_error, typical_s


def test_a_quarter_of_the_rounds_may_be_bursts() -> None:
    assert typical_s([1.0, 1.0, 1.0, 50.0]) == pytest.approx(1.0)
    assert typical_s([0.9, 1.0, 1.0, 1.0, 1.0, 1.1, 70.0, 0.01]) == pytest.approx(1.0)


def test_few_rounds_are_all_taken() -> None:
    assert typical_s([2.0]) == pytest.approx(2.0)
    assert typical_s([1.0, 2.0, 4.0]) == pytest.approx(2.0)


def test_it_varies_as_little_as_its_standard_error_says() -> None:
    rounds = np.exp(np.random.default_rng(3).normal(0, 0.1, (4000, 9)))
    varies_by = np.std([middle_mean(list(np.log(row))) for row in rounds])
    said = np.sqrt(np.mean([standard_error(list(row)) ** 2 for row in rounds]))
    assert said == pytest.approx(varies_by, rel=0.15)
    assert varies_by < 0.93 * np.std(np.median(np.log(rounds), axis=1))


def test_one_value_says_nothing_of_its_error() -> None:
    assert math.isnan(standard_error([1.0]))
    assert math.isnan(standard_error([1.0, 1.0, 1.0]))
