"""What is read back from a ``whatif.json``."""

import math
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_up_predictions import made_up_whatif

from loaderbench.reports.records.json_files import MalformedError
from loaderbench.reports.whatif.whatif_record import COVERAGE, HeldOutPass, WhatIf, inside, widening


def test_it_is_read_back_from_its_folder_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "whatif.json").write_bytes(msgspec.json.encode(made_up_whatif()))
    assert WhatIf.read(tmp_path) == made_up_whatif()


def test_its_errors_are_those_of_the_held_out_passes() -> None:
    assert made_up_whatif().median_error == pytest.approx(0.1)


def test_a_scenario_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    content = msgspec.json.encode(made_up_whatif()).replace(b'"cpus":2', b'"cpus":0')
    (tmp_path / "whatif.json").write_bytes(content)
    with pytest.raises(MalformedError, match="cpus must be > 0"):
        WhatIf.read(tmp_path)


def held_out(log_errors: Iterable[float]) -> tuple[HeldOutPass, ...]:
    return tuple(
        HeldOutPass(num_workers=1, batch_size=8, batches=10, rounds_s=(1.0,), predicted_s=math.exp(log_error))
        for log_error in log_errors
    )


def test_9_of_10_measurements_lie_in_the_interval_that_a_few_held_out_passes_give() -> None:
    errors = np.random.default_rng(1).normal(0.0, 0.1, size=(2000, 8))
    covered = [abs(further) <= widening(held_out(seen)) for *seen, further in errors]
    assert sum(covered) / len(covered) == pytest.approx(COVERAGE, abs=0.02)


def test_a_pass_that_is_further_off_than_the_others_allow_for_is_outside() -> None:
    assert inside(held_out([0.02, -0.01, 0.015, 0.3])) == [True, True, True, False]


def test_without_held_out_passes_nothing_is_known_of_the_error() -> None:
    assert widening(()) == 0.0


def test_a_pass_is_known_the_better_the_more_rounds_there_are() -> None:
    few, many = (
        HeldOutPass(num_workers=1, batch_size=8, batches=10, rounds_s=(1.0, 1.2) * pairs, predicted_s=1.0)
        for pairs in (2, 8)
    )
    assert few.uncertainty > 1.9 * many.uncertainty


def test_one_round_says_nothing_of_how_well_a_pass_is_known() -> None:
    once = HeldOutPass(num_workers=1, batch_size=8, batches=10, rounds_s=(1.0,), predicted_s=1.0)
    assert math.isnan(once.uncertainty)
