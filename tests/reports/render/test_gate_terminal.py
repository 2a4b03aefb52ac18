"""A judgement on a terminal: everything that calls for a reader, at any width, and one line while it is under way."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from loaderbench.reports.gate.comparison import Judgement, Row
from loaderbench.reports.gate.sequential import Trial
from loaderbench.reports.render.gate_terminal import progress, verdicts


def printed(held: Judgement, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False)
    console.print(verdicts(held))
    return console.file.getvalue().replace("\u202f", " ")  # type: ignore[attr-defined]


def test_it_shows_verdict_change_sides_and_case(measured: Judgement) -> None:
    text = printed(measured)
    assert "1 regressed: throughput" in text
    assert "epoch[text-workers=2] · throughput" in text
    assert "origin/main (1234abcd)" in text
    assert "samples/s →" in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_width_loses_an_interval(held: Callable[..., Judgement], row: Callable[..., Row], width: int) -> None:
    assert "−18 % (−20 % to −16 %)" in printed(held(row("regressed")), width)


def test_a_dozen_unchanged_figures_are_listed(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert printed(held(*(row("unchanged", f"epoch[{n}]", effect=0.0) for n in range(12)))).count("epoch[") == 12


def test_more_unchanged_figures_are_a_number(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    text = printed(held(*(row("unchanged", f"epoch[{n}]", effect=0.0) for n in range(13)), row("regressed")))
    assert "13 more figures" in text
    assert text.count("epoch[") == 1


def test_all_others_are_listed_however_many_they_are(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert printed(held(*(row("inconclusive", f"epoch[{n}]") for n in range(40)))).count("epoch[") == 40


def test_a_fault_is_a_red_line(held: Callable[..., Judgement]) -> None:
    assert "\x1b[31merror: no case was compared" in printed(held())


def test_the_noise_floor_is_the_median_of_what_could_be_found(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    rows = [row("unchanged", f"epoch[{n}]", effect=0.0, width=width) for n, width in enumerate((0.01, 0.02, 0.3))]
    assert "a change of 4.2 % would be found in 95 of 100 comparisons (median of 3 figures)" in printed(held(*rows))


def test_one_block_has_no_noise_floor(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    assert "Noise floor: not known" in printed(held(row("inconclusive", width=float("inf"))))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"steal_share": 0.07}, "stolen by other guests in 1 of 1 block, 7.0 % at most"),
        ({"throttled_periods": 12.0}, "throttled 1 of 1 block, 12 periods at most"),
        ({"load": 31.0}, "load average was well above 8 CPUs in 1 of 1 block, up to 31.0"),
    ],
)
def test_what_else_the_machine_did_is_said(
    held: Callable[..., Judgement], row: Callable[..., Row], seen: dict[str, float], said: str
) -> None:
    made = held(row("unchanged"))
    block = {**made.blocks[0], "telemetry": {"base": {}, "head": seen}}
    assert said in printed(held(row("unchanged"), blocks=(block,)), width=200)


def test_a_quiet_machine_is_given_no_notice(measured: Judgement) -> None:
    assert "? " not in printed(measured)


def test_an_environment_that_was_not_controlled_is_said(
    held: Callable[..., Judgement], row: Callable[..., Row]
) -> None:
    assert "not controlled" in printed(held(row("unchanged"), controlled=False))


def test_a_side_that_broke_is_said_once(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    block = {**held(row("unchanged")).blocks[0], "faults": {"head": "head ended in the middle"}}
    text = printed(held(row("unchanged"), blocks=(block, block)))
    assert text.count("head ended in the middle") == 1
    assert "In 2 of 2 blocks" in text


def test_recorded_runs_are_not_called_blocks(held: Callable[..., Judgement], row: Callable[..., Row]) -> None:
    text = printed(held(row("unchanged"), kind="compare", blocks=()))
    assert "Recorded runs" in text
    assert "block" not in text


def test_hostile_names_do_nothing_on_a_terminal(hostile: Judgement) -> None:
    text = printed(hostile)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


def test_progress_before_the_first_look_says_when_that_is(trial: Callable[..., Trial]) -> None:
    told: list[str] = []
    made = trial({"epoch[a]": 1.0}, budget_s=60)
    made.tell = lambda each: told.append(progress(each).replace("\u202f", " "))
    made.run()
    assert told[0] == f"1 block · first look after {made.plan.first} · 50 s of 60 s left"


def test_progress_counts_what_is_settled_and_names_what_is_suspected(trial: Callable[..., Trial]) -> None:
    told: list[str] = []
    made = trial({"epoch[slow]": 1.5, "epoch[same]": 1.0})
    made.tell = lambda each: told.append(progress(each).replace("\u202f", " "))
    made.run()
    assert any("epoch[slow] regressed?" in line and "unchanged" in line for line in told)
    assert all("\n" not in line for line in told)
