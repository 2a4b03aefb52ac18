"""Costs corrected by made-up passes: those that are simulated with a known factor and a known speed."""

from dataclasses import replace
from statistics import geometric_mean

import pytest

from loaderbench.reports.whatif.batch_costs import CostRound, PassCosts
from loaderbench.reports.whatif.cost_correction import CostCorrection, MeasuredPass, cost_corrections
from loaderbench.reports.whatif.simulation import Costs, Scenario, pass_seconds
from loaderbench.reports.whatif.typical_pass import typical_s

MS = 1e-3
COSTS = Costs(work_s=8 * MS, send_s=MS, take_s=2 * MS, alone_s=9 * MS)
SIZES = (4, 16)


def rounds(*scales: float) -> list[CostRound]:
    return [{size: PassCosts(begin_s=0.0, batches=(_scaled(scale * size / 4),)) for size in SIZES} for scale in scales]


def _scaled(scale: float) -> Costs:
    return replace(COSTS, work_s=scale * 8 * MS, send_s=scale * MS, take_s=scale * 2 * MS)


def measured(
    costs: list[CostRound], workers: int, size: int, *, factor: float = 1.0, speed: float = 1.0, cpus: int = 2
) -> MeasuredPass:
    """A pass of 40 batches that takes what the simulation says where costs are `factor` times as high."""
    true = CostCorrection(factors={size: factor}, contended_speeds={size: speed})
    seconds = [
        pass_seconds(true.apply(of_round)[size].batches, Scenario(num_workers=workers, cpus=cpus), 40)
        for of_round in costs
    ]
    return MeasuredPass(num_workers=workers, batch_size=size, batches=40, rounds_s=tuple(seconds))


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("speed", [0.55, 0.8, 1.0])
def test_a_known_factor_and_a_known_speed_are_found(factor: float, speed: float) -> None:
    costs = rounds(1.0, 1.2, 0.9)
    passes = [measured(costs, workers, 4, factor=factor, speed=speed) for workers in (1, 2)]
    corrections = cost_corrections(costs, passes, cpus=2)
    assert [correction.contended_speeds[4] for correction in corrections] == pytest.approx([speed] * 3, rel=0.02)
    factors = [correction.factors[4] for correction in corrections]
    assert geometric_mean(factors) == pytest.approx(factor, rel=0.02)


def test_every_round_of_costs_is_corrected_to_what_the_pass_took_as_a_rule() -> None:
    costs = rounds(1.0, 1.2, 0.9)
    one = measured(costs, 1, 4, factor=1.5)
    as_a_rule_s = typical_s(one.rounds_s)
    for correction, of_round in zip(cost_corrections(costs, [one], cpus=2), costs, strict=True):
        (again,) = measured([correction.apply(of_round)], 1, 4).rounds_s
        assert again == pytest.approx(as_a_rule_s, rel=1e-6)


def test_a_round_in_which_everything_took_longer_changes_nothing() -> None:
    costs = rounds(1.0, 1.0, 3.0)
    passes = [measured(costs, workers, 4, speed=0.6) for workers in (1, 2)]
    assert cost_corrections(costs, passes, cpus=2)[0].contended_speeds[4] == pytest.approx(0.6, rel=0.02)


def test_workers_that_do_not_slow_each_other_go_at_full_speed() -> None:
    costs = rounds(1.0)
    one, two = (measured(costs, workers, 4) for workers in (1, 2))
    faster = replace(two, rounds_s=tuple(0.8 * seconds for seconds in two.rounds_s))
    assert cost_corrections(costs, [one, faster], cpus=2)[0].contended_speeds[4] == 1.0


def test_with_one_cpu_only_the_factor_is_found() -> None:
    costs = rounds(1.0)
    (correction,) = cost_corrections(costs, [measured(costs, 1, 4, factor=1.2, cpus=1)], cpus=1)
    assert correction.contended_speeds == {}
    assert correction.factors[4] == pytest.approx(1.2, rel=0.01)


def test_a_size_without_a_speed_of_its_own_has_one_between_those_of_its_neighbours() -> None:
    correction = CostCorrection(factors={4: 1.0, 64: 2.0}, contended_speeds={4: 0.5, 64: 0.9})
    costs = {size: rounds(1.0)[0][4] for size in (2, 16, 128)}
    corrected = correction.apply(costs)
    assert [corrected[size].batches[0].contended_speed for size in costs] == pytest.approx([0.5, 0.7, 0.9])
    assert [corrected[size].batches[0].work_s for size in costs] == pytest.approx([8 * MS, 12 * MS, 16 * MS])


def test_what_is_read_without_workers_is_as_it_was_measured() -> None:
    corrected = CostCorrection(factors={4: 2.0}, contended_speeds={4: 0.5}).apply(rounds(1.0)[0])
    assert corrected[4].batches[0].alone_s == COSTS.alone_s
