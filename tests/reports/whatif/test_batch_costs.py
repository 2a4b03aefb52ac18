"""Costs of batches at sizes that were not measured, from made-up ones."""

import pytest

from loaderbench.reports.whatif.batch_costs import CostRound, PassCosts, costs_at
from loaderbench.reports.whatif.simulation import Costs

MS = 1e-3


def costs(**sizes_ms: float) -> CostRound:
    """Batches of so many samples whose work takes so many ms, such as ``b4=1.0``."""
    return {
        int(size[1:]): PassCosts(begin_s=0.0, batches=(Costs(work_s=work * MS),) * 3) for size, work in sizes_ms.items()
    }


@pytest.mark.parametrize(("size", "work_ms"), [(2, 2.0), (4, 4.0), (8, 8.0), (16, 16.0), (40, 40.0)])
def test_costs_are_linear_in_the_batch_size(size: int, work_ms: float) -> None:
    assert costs_at(costs(b4=4.0, b16=16.0), size)[0].work_s == pytest.approx(work_ms * MS)


@pytest.mark.parametrize(("size", "work_ms"), [(8, 2.0), (16, 4.0), (40, 22.0), (64, 40.0)])
def test_costs_that_jump_are_linear_between_the_two_nearest_sizes(size: int, work_ms: float) -> None:
    """From some size on the memory of a batch is given back and taken anew each time: at 64 more than at 16."""
    assert costs_at(costs(b4=1.0, b16=4.0, b64=40.0), size)[0].work_s == pytest.approx(work_ms * MS)


def test_no_part_of_the_costs_falls_below_zero() -> None:
    assert costs_at(costs(b4=10.0, b16=1.0), 64)[0].work_s == 0.0


def test_batches_differ_as_those_of_the_nearest_measured_size_do() -> None:
    measured = {
        4: PassCosts(begin_s=0.0, batches=(Costs(work_s=MS), Costs(work_s=3 * MS))),
        16: PassCosts(begin_s=0.0, batches=(Costs(work_s=8 * MS),)),
    }
    assert [batch.work_s for batch in costs_at(measured, 6)] == pytest.approx([1.5 * MS, 4.5 * MS])
    assert len(costs_at(measured, 12)) == 1


def test_the_speed_beside_others_lies_between_those_of_the_two_sizes() -> None:
    measured = {
        size: PassCosts(begin_s=0.0, batches=(Costs(work_s=MS, contended_speed=speed),))
        for size, speed in ((4, 0.5), (16, 0.9))
    }
    speeds = [costs_at(measured, size)[0].contended_speed for size in (1, 4, 8, 16, 64)]
    assert speeds == pytest.approx([0.5, 0.5, 0.7, 0.9, 0.9])
