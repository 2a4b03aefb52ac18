"""Rounds of a case that is measured more than once are put together."""

from typing import Any

from loaderbench.benches.harness.session.more_rounds import with_more_rounds


def entry(*seconds: float, **more: list[float | None]) -> dict[str, Any]:
    columns = {"seconds": list(seconds), **more}
    return {
        "name": "bench_epoch[0]",
        "extra_info": {"bench": "epoch", "facts": {"passes": len(seconds)}, "rounds": columns, "warmup": columns},
        "stats": {"data": list(seconds), "rounds": len(seconds), "mean": 0.0, "iterations": 1},
    }


def test_rounds_stand_one_after_the_other_and_facts_are_the_latest() -> None:
    joined = with_more_rounds(entry(1.0, 2.0), entry(3.0))
    assert joined["extra_info"]["rounds"] == {"seconds": [1.0, 2.0, 3.0]}
    assert joined["extra_info"]["warmup"] == {"seconds": [1.0, 2.0, 3.0]}
    assert joined["extra_info"]["facts"] == {"passes": 1}


def test_a_metric_that_one_of_them_lacks_is_missing_in_its_rounds() -> None:
    joined = with_more_rounds(entry(1.0, wait_s=[0.5]), entry(3.0, cpu_s=[2.0]))
    assert joined["extra_info"]["rounds"] == {"seconds": [1.0, 3.0], "wait_s": [0.5, None], "cpu_s": [None, 2.0]}


def test_the_statistics_are_of_all_rounds() -> None:
    stats = with_more_rounds(entry(1.0), entry(2.0, 3.0))["stats"]
    assert (stats["rounds"], stats["mean"], stats["data"], stats["iterations"]) == (3, 2.0, [1.0, 2.0, 3.0], 1)
