"""The estimate of the time left, on made-up costs."""

import random

import pytest

from loaderbench.benches.harness.session.time_left import CaseCost, TimeLeft


def planned(*cases: tuple[str, str, float]) -> dict[str, CaseCost]:
    return {str(n): CaseCost(bench=b, dataset=d, expected_s=s) for n, (b, d, s) in enumerate(cases)}


def test_before_anything_has_ended_it_is_what_was_expected() -> None:
    assert TimeLeft(planned(("epoch", "text", 2.0), ("startup", "text", 8.0))).seconds() == 10.0


def test_what_has_ended_is_not_left() -> None:
    left = TimeLeft(planned(("epoch", "text", 2.0), ("startup", "text", 8.0)))
    left.ended("0", 2.0)
    left.ended("1", 8.0)
    assert left.seconds() == 0.0


def test_the_case_under_way_has_taken_a_part_of_it_already() -> None:
    left = TimeLeft(planned(("epoch", "text", 2.0), ("epoch", "text", 2.0)))
    assert left.seconds(under_way_s=1.5) == 2.5
    assert left.seconds(under_way_s=100.0) == 0.0


def test_a_slower_machine_makes_all_that_is_left_longer() -> None:
    left = TimeLeft(planned(*[("epoch", "text", 1.0)] * 20, ("memory", "images", 5.0)))
    for name in range(20):
        left.ended(str(name), 3.0)
    assert left.seconds() == pytest.approx(15.0, rel=0.1)


def test_an_expensive_bench_does_not_make_the_others_expensive() -> None:
    left = TimeLeft(planned(*[("epoch", "text", 1.0)] * 20, *[("startup", "text", 1.0)] * 20))
    for name in (*range(10), *range(20, 30)):
        left.ended(str(name), 1.0 if name < 20 else 9.0)
    assert left.seconds() == pytest.approx(10 * 1.0 + 10 * 9.0, rel=0.15)


def test_a_case_that_was_not_planned_changes_nothing() -> None:
    left = TimeLeft(planned(("epoch", "text", 2.0)))
    left.ended("another", 99.0)
    assert left.seconds() == 2.0


def estimate_over_truth(seed: int) -> float:
    """A made-up run in drawn order, a quarter of which has ended: what is estimated of the rest, over what it takes."""
    rng = random.Random(seed)
    bench_s = {"epoch": 1.2, "training": 4.0, "startup": 9.0, "memory": 1.5, "fidelity": 2.5}
    expected = {bench: seconds * rng.uniform(0.3, 1.0) for bench, seconds in bench_s.items()}  # on a faster machine
    factor = {"text": 0.8, "images": 2.0, "table": 0.6}
    kinds = [(bench, dataset) for bench in bench_s for dataset in factor for _ in range(4)]
    rng.shuffle(kinds)
    costs = [bench_s[bench] * factor[dataset] * rng.lognormvariate(0, 0.25) for bench, dataset in kinds]
    left = TimeLeft(planned(*((bench, dataset, expected[bench]) for bench, dataset in kinds)))
    quarter = len(kinds) // 4
    for name, cost in enumerate(costs[:quarter]):
        left.ended(str(name), cost)
    return left.seconds() / sum(costs[quarter:])


def test_after_a_quarter_of_a_run_it_is_right_within_30_percent() -> None:
    ratios = [estimate_over_truth(seed) for seed in range(100)]
    assert sum(abs(ratio - 1) <= 0.3 for ratio in ratios) >= 95
