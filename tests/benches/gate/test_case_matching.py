"""Which case of base is which of head."""

import random
from typing import Any

from loaderbench.benches.gate.case_matching import match


def case(bench: str = "epoch", name: str = "", **settings: Any) -> dict[str, Any]:
    return {"name": name or f"bench_{bench}[{settings}]", "bench": bench, "settings": settings}


def test_cases_match_by_bench_and_settings_whatever_they_are_called() -> None:
    (case_of_both,) = match(
        [case(name="bench_epoch[a]", num_workers=2)], [case(name="bench_epoch[b]", num_workers=2)]
    ).matched
    assert dict(case_of_both.names) == {"base": "bench_epoch[a]", "head": "bench_epoch[b]"}


def test_what_one_of_them_lacks_is_new_or_gone() -> None:
    result = match([case(name="old", batch_size=1)], [case(name="young", batch_size=2)])
    assert (result.matched, result.new, result.gone) == ((), ("young",), ("old",))


def test_settings_in_which_they_differ_on_purpose_do_not_keep_them_apart() -> None:
    result = match([case(num_workers=2)], [case(num_workers=4)], frozenset({"num_workers"}))
    assert len(result.matched) == 1


def test_no_worker_and_two_are_compared_though_settings_of_workers_differ_too() -> None:
    without, with_two = case(num_workers=0, prefetch_factor=None), case(num_workers=2, prefetch_factor=2)
    assert len(match([without], [with_two], frozenset({"num_workers"})).matched) == 1
    assert not match([without], [with_two], frozenset({"batch_size"})).matched


def test_a_dataset_that_lost_its_getitems_is_still_the_same_case() -> None:
    assert len(match([case(fetch="getitems")], [case(fetch="getitem")]).matched) == 1


def test_the_suites_own_fidelity_is_not_judged() -> None:
    result = match([case("fidelity", quantity="x")], [case("fidelity", quantity="y")])
    assert (result.matched, result.new, result.gone) == ((), (), ())


def test_every_block_holds_the_controls() -> None:
    both = [case(batch_size=1), case(batch_size=2), case("control", name="bench_control[sleep]", control="sleep")]
    result = match(both, both)
    asked = result.matched[0].key
    assert {drawn.key for drawn in result.in_random_order({asked}, random.Random(0))} == {asked, "control[sleep]"}


def test_of_the_controls_all_are_measured_or_one_that_is_drawn() -> None:
    controls = [case("control", control=name) for name in ("busy loop", "memory copy", "sleep")]
    result = match(controls, controls)
    assert len(result.in_random_order(None, random.Random(0))) == len(controls)
    drawn = {result.in_random_order(None, random.Random(seed), has_all_controls=False)[0].key for seed in range(50)}
    assert len(drawn) == len(controls)
