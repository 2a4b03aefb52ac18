"""The sequential test on made-up effects: what it asks for, what it says, and what it takes to say so."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from loaderbench.reports.gate.budget import RENEWED_AFTER
from loaderbench.reports.gate.comparison import Comparison, Setup, of_test
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.gate.verdicts import CaseVerdict
from loaderbench.reports.stats.interim import spent_share
from loaderbench.reports.units import THIN

CASES = [f"epoch[case{number}]" for number in range(6)]
CONTROL = "control[busy loop]"
SETUP = Setup(kind="gate", base="a", head="b")
BLOCK_S = 10.0

Effects = Callable[[frozenset[str] | None], pd.DataFrame]


def made_up(slower: Mapping[str, float], noise: float = 0.01, seed: int = 0) -> Effects:
    """Make the effects of blocks in which head's throughput is so much lower, with noise between blocks."""
    rng = random.Random(seed)

    def block(cases: frozenset[str] | None) -> pd.DataFrame:
        rows: list[dict[str, Any]] = [
            {
                "case": case,
                "metric": "samples_per_s",
                "effect": -slower.get(case, 0.0) + rng.gauss(0, noise),
                "base": 100.0,
                "head": 100.0,
            }
            for case in CASES
            if cases is None or case in cases
        ]
        moved = slower.get(CONTROL, 0.0) + rng.gauss(0, noise / 5)
        rows.append({"case": CONTROL, "metric": "seconds", "effect": moved, "base": 1.0, "head": 1.0})
        return pd.DataFrame(rows)

    return block


def conducted(block: Effects, *, started_s: float = 0.0, **plan: float) -> SequentialTest:
    """Conduct a test to its end."""
    test = SequentialTest(plan=Plan(**plan), started_s=started_s)  # type: ignore[arg-type]
    while not test.is_over:
        test.add(block(test.open_cases), BLOCK_S)
    return test


def blocks_of(first: Sequence[Effects], later: Effects, **plan: float) -> SequentialTest:
    """Conduct a test of these first blocks, and of as many later ones as it asks for."""
    blocks = iter(first)

    def block(cases: frozenset[str] | None) -> pd.DataFrame:
        return next(blocks, later)(cases)

    return conducted(block, **plan)


def by_case(test: SequentialTest, **how: bool) -> dict[str, CaseVerdict]:
    return {verdict.case: verdict for verdict in test.verdicts(**how)}


def names(test: SequentialTest, **how: bool) -> dict[str, str]:
    return {case: verdict.verdict for case, verdict in by_case(test, **how).items()}


def compared(test: SequentialTest, setup: Setup = SETUP, **more: Any) -> Comparison:
    return of_test(test, more.pop("blocks", []), setup, **more)


def test_identical_code_is_unchanged() -> None:
    assert set(names(conducted(made_up({}))).values()) == {"unchanged"}


@pytest.mark.parametrize(("slower", "expected"), [(0.1, "regressed"), (-0.1, "improved")])
def test_a_change_is_found_in_its_case_and_in_no_other(slower: float, expected: str) -> None:
    result = names(conducted(made_up({CASES[0]: slower})))
    assert result.pop(CASES[0]) == expected
    assert set(result.values()) == {"unchanged"}


def test_a_change_below_the_margin_is_unchanged_however_sure() -> None:
    assert names(conducted(made_up({CASES[0]: 0.01}, noise=0.001), margin=0.03))[CASES[0]] == "unchanged"


def test_the_first_blocks_are_of_all_cases_and_what_is_settled_is_not_asked_for_again() -> None:
    test, block, asked = SequentialTest(plan=Plan()), made_up({CASES[0]: 0.1}, noise=0.002), []
    while not test.is_over:
        asked.append(test.open_cases)
        test.add(block(test.open_cases), BLOCK_S)
    assert asked[: test.plan.first_analysis] == [None] * test.plan.first_analysis
    assert asked[-1] == {CASES[0]}


def test_a_candidate_change_is_confirmed_by_fresh_blocks_alone() -> None:
    test = conducted(made_up({CASES[0]: 0.5}, noise=0.001), budget_s=39)
    verdict = by_case(test)[CASES[0]]
    assert test.blocks == 3
    assert (verdict.verdict, verdict.why) == (
        "inconclusive",
        "looks regressed, and the budget was too short to confirm it",
    )


def test_a_candidate_change_that_fresh_blocks_deny_is_inconclusive_and_says_so() -> None:
    slow, same = made_up({CASES[0]: 0.1}, noise=0.001), made_up({}, noise=0.001)
    verdict = by_case(blocks_of([slow] * 3, same, budget_s=80))[CASES[0]]
    assert (verdict.verdict, verdict.why) == ("inconclusive", "looked regressed, and fresh blocks did not confirm it")


def test_where_every_case_is_skipped_one_block_is_enough_and_nothing_is_judged() -> None:
    controls_alone = made_up({})
    test = conducted(lambda _: controls_alone(frozenset()))
    assert test.blocks == 1
    assert test.verdicts() == []


def test_what_changed_while_a_control_moved_is_unproven() -> None:
    test = conducted(made_up({CASES[0]: 0.2, CONTROL: 0.2}, noise=0.002))
    assert names(test)[CASES[0]] == "unproven"
    assert test.moved == (CONTROL,)
    assert compared(test).exit_code == 2


def test_what_changed_while_a_control_moved_by_chance_is_measured_until_it_has_not() -> None:
    chance = made_up({CASES[0]: 0.2, CONTROL: 0.04}, noise=0.002)
    test = blocks_of([chance] * 6, made_up({CASES[0]: 0.2}, noise=0.002))
    assert test.blocks == 9
    assert not test.moved
    assert names(test)[CASES[0]] == "regressed"


def test_what_looked_changed_only_while_a_control_moved_is_not_called_changed() -> None:
    together = made_up({CASES[0]: 0.04, CONTROL: 0.04}, noise=0.002)
    test = blocks_of([together] * 6, made_up({}, noise=0.002))
    assert names(test)[CASES[0]] == "unchanged"


def test_a_candidate_that_no_fresh_block_can_measure_is_inconclusive() -> None:
    slow = made_up({CASES[0]: 0.5}, noise=0.001)

    def without_it(cases: frozenset[str] | None) -> pd.DataFrame:
        effects = slow(cases)
        return effects[effects["case"] != CASES[0]]

    verdict = by_case(blocks_of([slow] * 3, without_it, budget_s=110))[CASES[0]]
    assert (verdict.verdict, verdict.why) == ("inconclusive", "looked regressed, and fresh blocks did not confirm it")


def test_where_no_further_block_could_be_measured_that_is_a_fault() -> None:
    test = conducted(made_up({}))
    test.stopped = "head (b) does not start: Killed"
    comparison = compared(test, blocks=[{"missed": []}] * test.blocks)
    assert comparison.faults == [f"after {test.blocks} blocks no further one could be measured: {test.stopped}"]
    assert comparison.exit_code == 2


def test_too_much_noise_is_inconclusive_and_an_error_only_when_strict() -> None:
    test = conducted(made_up({}, noise=0.3), budget_s=100)
    assert set(names(test).values()) == {"inconclusive"}
    assert compared(test).exit_code == 0
    assert compared(test, Setup(kind="gate", base="a", head="b", strict=True)).exit_code == 3


def test_a_budget_is_kept() -> None:
    assert conducted(made_up({}, noise=0.3), budget_s=95).spent_s <= 95


def test_the_start_of_fork_servers_is_expected_of_the_blocks_that_have_it_alone() -> None:
    test, block = SequentialTest(plan=Plan(budget_s=59.0)), made_up({}, noise=0.3)
    while not test.is_over:
        renewed_s = 5.0 if test.blocks % RENEWED_AFTER == 0 else 0.0
        test.add(block(test.open_cases), BLOCK_S + renewed_s, renewed_s=renewed_s)
    assert (test.blocks, test.spent_s, test.expected_s) == (4, 45.0, 15.0)


def test_what_is_spent_before_the_first_block_is_part_of_the_budget() -> None:
    test = conducted(made_up({}, noise=0.3), started_s=40, budget_s=135)
    assert test.blocks == conducted(made_up({}, noise=0.3), budget_s=95).blocks
    assert test.spent_s <= 135
    assert max(test.analyses) <= 9


@pytest.mark.parametrize("slower", [0.0, 0.3], ids=["identical", "slower"])
def test_analyses_come_more_rarely_and_the_last_leaves_room_to_confirm_it(slower: float) -> None:
    block = made_up({CASES[0]: slower}, noise=0.3)
    assert conducted(block, budget_s=300).analyses == [3, 4, 6, 8, 12, 16, 23, 27]


def test_where_blocks_become_shorter_there_are_more_analyses() -> None:
    test, block = SequentialTest(plan=Plan(budget_s=100)), made_up({}, noise=0.3)
    while not test.is_over:
        test.add(block(test.open_cases), BLOCK_S if test.blocks < 4 else BLOCK_S / 4)
    assert test.analyses == [3, 4, 6, 8, 12, 16, 23, 25]


def test_all_analyses_together_spend_no_more_than_the_error() -> None:
    test = conducted(made_up({}, noise=0.3), budget_s=1200)
    assert len(test.analyses) > 10
    assert spent_share(test.analyses[-1], test.plan.first_analysis) < 1


def test_what_is_slower_at_the_end_alone_looks_regressed() -> None:
    test = conducted(made_up({CASES[0]: 0.1}), budget_s=100, candidate_rate=1e-30)
    assert by_case(test)[CASES[0]].why == "looks regressed, and the budget was too short to confirm it"


def test_what_changed_by_about_as_much_as_the_margin_is_inconclusive_and_says_so() -> None:
    test = conducted(made_up({CASES[0]: 0.0285}, noise=0.006, seed=2), budget_s=200, margin=0.03)
    verdict = by_case(test)[CASES[0]]
    assert (verdict.verdict, verdict.why) == ("inconclusive", "it changed by about as much as the margin")
    assert verdict.candidate is None


def test_an_interval_too_wide_to_decide_is_said_to_reach_beyond_the_margin() -> None:
    verdict = by_case(conducted(made_up({}, noise=0.3), budget_s=100))[CASES[0]]
    assert (verdict.verdict, verdict.why) == ("inconclusive", "the interval reaches beyond the margin")


def test_a_budget_that_holds_no_look_is_one_block_and_never_green() -> None:
    test = conducted(made_up({}), budget_s=5)
    assert test.blocks == 1
    (fault,) = compared(test).faults
    short = f"the budget of 5{THIN}s is too short for 3 blocks of 10{THIN}s"
    assert fault == f"{short}: give --budget 1m, or measure fewer cases"
    assert compared(test).headline == "not all could be judged"


def test_blocks_that_compare_nothing_end_it() -> None:
    test = conducted(lambda _: made_up({})(frozenset()))
    assert test.blocks == 1
    assert compared(test).faults == ["no case was compared"]


def test_asking_for_the_verdicts_changes_nothing() -> None:
    block, test = made_up({CASES[0]: 0.1}), SequentialTest(plan=Plan())
    while not test.is_over:
        test.verdicts()
        test.add(block(test.open_cases), BLOCK_S)
    assert test.verdicts() == conducted(made_up({CASES[0]: 0.1})).verdicts()


def test_interrupted_it_keeps_what_is_settled_and_decides_nothing_else() -> None:
    test, block = SequentialTest(plan=Plan()), made_up({CASES[0]: 0.1}, noise=0.002)
    for _ in range(4):
        test.add(block(test.open_cases), BLOCK_S)
    result = by_case(test, is_interrupted=True)
    assert result[CASES[0]].verdict == "inconclusive"
    assert result[CASES[0]].why == "interrupted before the blocks decided it"
    assert {result[case].verdict for case in CASES[1:]} == {"unchanged"}


def test_interrupted_before_the_first_look_nothing_is_decided() -> None:
    test, block = SequentialTest(plan=Plan()), made_up({}, noise=0.0001)
    test.add(block(None), BLOCK_S)
    assert set(names(test, is_interrupted=True).values()) == {"inconclusive"}
    interrupted = compared(test, is_interrupted=True)
    assert interrupted.exit_code == 130
    assert interrupted.faults == ["interrupted: undecided cases are inconclusive"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"gone": ["old"]}, "head lacks 1 case of base"),
        ({"status": "failed"}, "1 case failed"),
    ],
    ids=["vanished", "failed"],
)
def test_what_is_missing_in_head_is_never_green(change: dict[str, Any], fault: str) -> None:
    missed = {"case": "x", "revision": "head", "status": change.pop("status", "skipped"), "reason": "broken"}
    both = [{**missed, "revision": "base"}, missed] if missed["status"] == "skipped" else [missed]
    comparison = compared(conducted(made_up({})), blocks=[{"missed": both}], **change)
    assert comparison.exit_code == 2
    assert comparison.faults[0].startswith(fault)
    assert len(comparison.faults) == 1


def test_nothing_compared_is_never_green() -> None:
    assert compared(SequentialTest(plan=Plan())).faults == ["no case was compared"]


@pytest.mark.parametrize("seed", range(5))
def test_identical_cases_raise_no_alarm(seed: int) -> None:
    assert "regressed" not in names(conducted(made_up({}, noise=0.05, seed=seed), budget_s=300)).values()


@pytest.mark.parametrize("name", ["margin", "budget_s"])
def test_a_plan_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be > 0, got 0"):
        Plan(**{name: 0})
