"""The settings there are to try: their names, their order, the loaders and the code that they stand for."""

import ast
import math
from collections.abc import Callable
from typing import Any

import pytest

from loaderbench.benches.explain.baseline.loader_call import loader_call
from loaderbench.benches.tune.space import FACTORS, LIKELY, Space

Made = Callable[..., Space]
USUAL = "batch_size=8, shuffle=True"


def own(space: Space) -> dict[str, Any]:
    return {**space.usual}


def named(space: Space, **values: Any) -> Any:
    return space.candidate({**space.usual, **values})


def test_a_name_says_what_is_not_usual(space: Made) -> None:
    made = space()
    assert named(made).name == "workers=0"
    assert named(made, num_workers=4, prefetch_factor=8, collate_fn="packed").name == "workers=4 · prefetch=8 · packed"


def test_without_workers_what_is_of_workers_is_left_out(space: Made) -> None:
    of_workers = {"prefetch_factor": 8, "persistent_workers": True, "in_order": False, "collate_fn": "packed"}
    made = space()
    assert named(made, **of_workers, keep_memory=True).name == "workers=0"


def test_first_come_the_baselines_and_every_number_of_workers(space: Made) -> None:
    made = space()
    names = [one.name for one in made.first(own(made), [own(made)])]
    assert names == ["workers=0", "workers=1 · persistent", "workers=2 · persistent", "workers=4 · persistent"]


def test_then_one_value_at_a_time_is_changed_around_the_best_ones(space: Made) -> None:
    made = space()
    made.first(own(made), [own(made)])
    effects = {"workers=0": 0.0, "workers=4 · persistent": 0.1}
    names = {one.name for one in made.further(effects, "workers=0", "workers=4 · persistent")}
    assert {
        "workers=0 · batches fetched",
        "workers=4",
        "workers=3 · persistent",
        "workers=4 · persistent · packed",
    } <= names
    assert "workers=0" not in names
    assert not [name for name in names if "spawn" in name]  # persistent workers start once


def test_whole_batches_are_asked_for_without_workers_too_where_workers_are_best(space: Made) -> None:
    made = space()
    made.first(own(made), [own(made)])
    best = "workers=2 · persistent"
    names = [one.name for one in made.further({"workers=0": 0.0, best: -0.1}, best, best, "workers=0")]
    assert names[0] == "workers=0 · batches fetched"  # it costs little, and may make workers superfluous
    assert "workers=4" not in names  # what has workers is tried around the best alone


def test_where_the_most_workers_are_best_twice_as_many_are_tried(space: Made) -> None:
    made = space()
    made.most_workers = 8
    made.first(own(made), [own(made)])
    effects = {"workers=0": 0.0, "workers=4 · persistent": -1.0}
    assert "workers=8 · persistent" in {one.name for one in made.further(effects, "workers=4 · persistent", None)}
    again = made.further({**effects, "workers=8 · persistent": -2.0}, "workers=8 · persistent", None)
    assert "workers=16 · persistent" not in {one.name for one in again}
    assert "workers=6 · persistent" in {one.name for one in again}


def test_what_helped_is_tried_together_and_with_fewer_workers(space: Made) -> None:
    made = space()
    base = named(made, num_workers=4, persistent_workers=True)
    packed, kept, deeper = (
        named(made, num_workers=4, persistent_workers=True, **{name: value})
        for name, value in (("collate_fn", "packed"), ("keep_memory", True), ("prefetch_factor", 8))
    )
    for one in (base, packed, kept, deeper):
        made.known[one.name] = one
    effects = {base.name: 0.0, packed.name: math.log(0.5), kept.name: math.log(0.9), deeper.name: 0.01}
    names = {one.name for one in made.further(effects, base.name, None)}
    assert {
        "workers=4 · persistent · packed · malloc keeps",
        "workers=2 · persistent · packed · malloc keeps",
        "workers=1 · persistent · packed · malloc keeps",
    } <= names


def test_nothing_is_tried_twice(space: Made) -> None:
    made = space(choices={"prefetch_factor": [2], "collate_fn": ["own"]})
    made.first(own(made), [own(made)])
    effects = {"workers=0": 0.0}
    first = made.further(effects, "workers=0", None)
    assert first
    assert made.further(effects, "workers=0", None) == []


def test_fewer_workers_are_smaller_and_then_less_to_change_in_the_code(space: Made) -> None:
    made = space()
    ordered = [
        named(made),
        named(made, num_workers=1, prefetch_factor=8, persistent_workers=True),
        named(made, num_workers=1, collate_fn="packed"),
        named(made, num_workers=2),
    ]
    assert sorted(ordered, key=lambda one: one.size) == ordered


@pytest.mark.parametrize(
    ("values", "arguments", "imported"),
    [
        ({}, "batch_size=8, shuffle=True", "import DataLoader"),
        (
            {"num_workers": 2, "persistent_workers": True, "collate_fn": "packed"},
            f"{USUAL}, num_workers=2, collate_fn=Packed(default_collate), persistent_workers=True",
            "data import DataLoader, default_collate",
        ),
        (
            {"num_workers": 2, "collate_fn": "reused"},
            f"{USUAL}, num_workers=2, collate_fn=Reused(default_collate, slots=4)",
            "import Reused",
        ),
        (
            {"num_workers": 2, "one_thread": True, "keep_memory": True},
            f"{USUAL}, num_workers=2, worker_init_fn=InTurn(one_thread, keep_memory)",
            "import InTurn, keep_memory, one_thread",
        ),
        (
            {"fetch": "batches"},
            "batch_size=None, sampler=BatchSampler(RandomSampler(dataset), 8, drop_last=False)",
            "import BatchSampler, DataLoader, RandomSampler",
        ),
    ],
    ids=["torch's", "packed", "reused", "worker_init_fn", "fetch"],
)
def test_a_setting_is_a_call_with_its_imports(
    space: Made, values: dict[str, Any], arguments: str, imported: str
) -> None:
    made = space()
    one = named(made, **values)
    call = ast.unparse(ast.parse(loader_call(made.config_of(one))))
    assert call == f"DataLoader(dataset, {arguments})"
    assert imported in "\n".join(made.imports_of(one))


def test_the_users_worker_init_fn_is_kept(space: Made) -> None:
    made = space(worker_init_fn=print)
    assert made.config_of(named(made, num_workers=1)).worker_init_fn is print
    assert made.config_of(named(made, num_workers=1, one_thread=True)).worker_init_fn.functions[0] is print
    assert made.config_of(named(made)).worker_init_fn is None


def collate(samples: list[Any]) -> Any:
    return samples


def test_the_users_own_functions_are_imported_where_the_call_names_them(space: Made) -> None:
    made = space(collate_fn=collate)
    line = f"from {__name__} import collate"
    assert line in made.imports_of(named(made))
    assert line in made.imports_of(named(made, num_workers=1, collate_fn="packed"))
    assert line not in made.imports_of(named(made, fetch="batches"))


def test_what_is_fixed_rules_out_other_values(space: Made) -> None:
    made = space(choices={"num_workers": [4]}, fixed={"num_workers": 4, "in_order": True})
    assert made.allows(named(made, num_workers=4))
    assert not made.allows(named(made, num_workers=2))
    assert not made.allows(named(made, num_workers=4, in_order=False))


def test_what_else_a_setting_changes_is_said(space: Made) -> None:
    made = space()
    one = named(made, num_workers=2, in_order=False, collate_fn="reused", persistent_workers=True)
    assert len(list(made.caveats_of(one, sets_epoch=True))) == 3
    assert list(made.caveats_of(named(made), sets_epoch=True)) == []


def test_every_factor_is_tried_and_what_usually_gains_most_comes_first(space: Made) -> None:
    assert sorted(LIKELY) == sorted(FACTORS)
    made = space()
    made.first({**made.usual, "num_workers": 2}, [])
    base = made.known["workers=2 · persistent"]
    names = [candidate.name for candidate in made.further({}, base.name, None)]
    assert names.index(f"{base.name} · packed") < names.index(f"{base.name} · malloc keeps")
