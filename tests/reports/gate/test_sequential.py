"""Trials of made-up blocks: what is said of them, and what it takes to say so."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from loaderbench.reports.gate.comparison import About, judgement
from loaderbench.reports.gate.estimate import Word
from loaderbench.reports.gate.sequential import Block, Plan, Trial

CASES = [f"epoch[case{number}]" for number in range(6)]
ABOUT = About(kind="gate", base="a", head="b")


def blocks(slower: Mapping[str, float], noise: float = 0.01, seed: int = 0) -> Callable[[set[str] | None], Block]:
    """Makes blocks of 10 s in which head takes so much longer, with noise between blocks."""
    rng = random.Random(seed)
    count = iter(range(1000))

    def measure(keys: set[str] | None) -> Block:
        rows: list[dict[str, Any]] = []
        for case in [case for case in CASES if keys is None or case in keys] + ["control[busy loop]"]:
            factor = (1 + slower.get(case, 0.0)) * (1 + rng.gauss(0, noise))
            for side, seconds in (("base", 1.0), ("head", factor)):
                work = {"passes": 10.0} if case.startswith("control") else {"samples": 10.0, "cpu_s": seconds}
                rows.append({"case": case, "side": side, "round": 0, "seconds": seconds, **work})
        return {"block": next(count), "seconds": 10.0, "samples": rows, "missed": []}

    return measure


def ran(measure: Callable[[set[str] | None], Block], **plan: float) -> Trial:
    trial = Trial(plan=Plan(**plan), measure=measure)  # type: ignore[arg-type]
    trial.run()
    return trial


def words(trial: Trial, metric: str = "samples_per_s") -> dict[str, Word]:
    return {each.estimate.case: each.word for each in trial.verdicts() if each.estimate.metric == metric}


def test_identical_code_is_unchanged() -> None:
    assert set(words(ran(blocks({}))).values()) == {"unchanged"}


def test_a_slowdown_is_regressed_and_the_others_are_not() -> None:
    found = words(ran(blocks({CASES[0]: 0.1})))
    assert found.pop(CASES[0]) == "regressed"
    assert set(found.values()) == {"unchanged"}


def test_a_speedup_is_improved() -> None:
    assert words(ran(blocks({CASES[0]: -0.1})))[CASES[0]] == "improved"


def test_a_change_below_the_margin_is_unchanged_however_sure() -> None:
    assert words(ran(blocks({CASES[0]: 0.01}, noise=0.001), margin=0.03))[CASES[0]] == "unchanged"


def test_a_suspicion_is_believed_only_after_fresh_blocks() -> None:
    trial = ran(blocks({CASES[0]: 0.5}, noise=0.001), budget_s=39)
    assert words(trial)[CASES[0]] == "inconclusive"
    assert len(trial.blocks) == 3


def test_a_suspicion_that_fresh_blocks_deny_is_inconclusive_and_says_so() -> None:
    slow, same = blocks({CASES[0]: 0.1}, noise=0.001), blocks({}, noise=0.001)
    made = iter([slow] * 3 + [same] * 5)

    def measure(keys: set[str] | None) -> Block:
        return next(made)(keys)

    trial = ran(measure, budget_s=80)
    (verdict,) = [
        each for each in trial.verdicts() if each.estimate.case == CASES[0] and each.estimate.metric == "samples_per_s"
    ]
    assert verdict.word == "inconclusive"
    assert verdict.why == "looked regressed, and fresh blocks did not confirm it"


def test_a_case_that_is_settled_is_not_measured_any_more() -> None:
    trial = ran(blocks({CASES[0]: 0.1}, noise=0.002))
    assert {row["case"] for row in trial.blocks[-1]["samples"]} == {CASES[0], "control[busy loop]"}


def test_what_moved_while_a_control_moved_is_unproven() -> None:
    trial = ran(blocks({CASES[0]: 0.2, "control[busy loop]": 0.2}, noise=0.002))
    assert words(trial)[CASES[0]] == "unproven"
    assert judgement(trial, ABOUT).exit_code == 2


def test_too_much_noise_is_inconclusive_and_an_error_only_when_strict() -> None:
    trial = ran(blocks({}, noise=0.3), budget_s=100)
    assert set(words(trial).values()) == {"inconclusive"}
    assert judgement(trial, ABOUT).exit_code == 0
    assert judgement(trial, About(kind="gate", base="a", head="b", strict=True)).exit_code == 3


def test_a_budget_is_kept() -> None:
    assert ran(blocks({}, noise=0.3), budget_s=95).spent_s <= 95


def test_looks_are_planned_before_any_effect_is_seen() -> None:
    assert Plan(budget_s=200).looks(10) == Plan(budget_s=200).looks(10)
    assert Plan(budget_s=20).looks(10) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"gone": ["old"]}, "1 case vanished"),
        ({"missed": {"case": "x", "side": "head", "status": "failed", "reason": "broken"}}, "1 case failed"),
    ],
    ids=["vanished", "failed"],
)
def test_what_is_missing_on_head_is_never_green(change: dict[str, Any], fault: str) -> None:
    trial = ran(blocks({}))
    if "missed" in change:
        trial.blocks[0]["missed"].append(change.pop("missed"))
    held = judgement(trial, ABOUT, **change)
    assert held.exit_code == 2
    assert held.faults[0].startswith(fault)


def test_nothing_compared_is_never_green() -> None:
    nothing = Trial(plan=Plan(), measure=lambda _: {})
    assert judgement(nothing, ABOUT).faults == ["no case was compared"]


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_identical_cases_raise_no_alarm(seed: int) -> None:
    assert "regressed" not in words(ran(blocks({}, noise=0.05, seed=seed), budget_s=300)).values()
