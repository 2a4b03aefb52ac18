"""What the blocks to come will settle: by the errors of made-up estimates."""

import math

import numpy as np
import pytest
from made_up_gates import estimate_of

from loaderbench.reports.gate.forecast import SETTLED, Forecast, forecast
from loaderbench.reports.gate.outputs.sentences import outlook


def of(width: float = 0.05, *, margin: float = 0.03, budget_s: float = 300.0, effect: float = 0.0) -> Forecast:
    """The forecast after 8 blocks, in 80 s, whose intervals go `width` to each side."""
    estimates = [estimate_of(f"epoch[{name}]", effect=effect, width=width) for name in "abc"]
    result = forecast(estimates, margin=margin, budget_s=budget_s, spent_s=80.0, block_s=10.0)
    assert result is not None
    return result


def test_narrower_intervals_are_settled_sooner() -> None:
    assert of(0.01).needed_s == 80.0
    assert of(0.01).needed_s < of(0.05).needed_s < of(0.1).needed_s


def test_four_times_the_time_settles_half_the_margin() -> None:
    short, long = of(budget_s=400.0), of(budget_s=1600.0)
    assert long.settled == pytest.approx(short.settled / 2, rel=0.1)


def test_the_budget_that_a_margin_needs_settles_that_margin() -> None:
    needed = of()
    assert not needed.is_enough
    enough = of(budget_s=needed.needed_s)
    assert enough.is_enough
    assert enough.settled == pytest.approx(needed.margin, rel=0.1)


def test_effects_are_not_looked_at() -> None:
    assert of(effect=0.5) == of()


def test_where_no_error_is_known_there_is_no_forecast() -> None:
    assert forecast([estimate_of(width=math.inf)], margin=0.03, budget_s=300.0, spent_s=9.0, block_s=3.0) is None


def test_as_many_as_it_says_are_found_unchanged() -> None:
    rng, spread, blocks = np.random.default_rng(0), 0.04, 8
    width = 2.3646 * spread / math.sqrt(blocks)  # the t interval of 8 blocks
    total = blocks + (of(width).needed_s - 80.0) / 10.0
    drawn = rng.normal(0, spread, (2000, round(total)))
    half = 2.0 * drawn.std(axis=1, ddof=1) / math.sqrt(total)
    within = np.abs(drawn.mean(axis=1)) + half < math.log1p(0.03)
    assert within.mean() == pytest.approx(SETTLED, abs=0.05)


def test_it_is_said_what_would_do() -> None:
    assert outlook(of(0.01)).endswith("here")
    assert "--budget" in outlook(of())
    beyond = Forecast(margin=0.001, needed_s=math.inf, budget_s=60.0, settled=0.2)
    assert "beyond reach" in outlook(beyond)
    assert outlook(beyond).endswith("give --margin 20%")
