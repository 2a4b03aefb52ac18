"""A comparison in words: noise floor, what else the machine did, where a test stands."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_gates import add_block, block_of

from loaderbench.reports.gate.comparison import Comparison, Reliability
from loaderbench.reports.gate.outputs import sentences
from loaderbench.reports.gate.plan import Plan
from loaderbench.reports.gate.sequential import SequentialTest
from loaderbench.reports.gate.verdicts import CaseVerdict

Compared = Callable[..., Comparison]
Made = Callable[..., CaseVerdict]
RELIABILITY = Reliability(
    measured="2026-11-25", blocks=44, false_cases=3, of_cases=1000, needed_s={"0.05": 240.0, "0.1": 120.0}
)


def spaced(text: str) -> str:
    return text.replace("\u202f", " ")


def test_the_noise_floor_is_the_median_of_what_could_be_found(compared: Compared, verdict: Made) -> None:
    widths = (0.01, 0.02, 0.3)
    made = compared(*(verdict("unchanged", f"epoch[{n}]", effect=0.0, width=width) for n, width in enumerate(widths)))
    sentence = "Noise floor: a change of 4.2 % would be found in 95 of 100 comparisons (median of 3 figures)."
    assert spaced(sentences.noise_floor(made)) == sentence


def test_one_block_has_no_noise_floor(compared: Compared, verdict: Made) -> None:
    assert "Noise floor: not known" in sentences.noise_floor(compared(verdict("inconclusive", width=float("inf"))))


def test_what_a_calibration_found_is_stated(compared: Compared, verdict: Made) -> None:
    sentence = (
        "Calibrated on such a machine (2026-11-25, 44 blocks of identical code): 3 of 1 000 cases called changed; "
        "a change of 5.0 % is found in 4 min, a change of 10 % is found in 2 min."
    )
    assert spaced(sentences.calibrated(compared(verdict("unchanged"), reliability=RELIABILITY))) == sentence


def test_a_machine_that_was_not_calibrated_is_said(compared: Compared, verdict: Made) -> None:
    assert "is not known: loaderbench calibrate measures it" in sentences.calibrated(compared(verdict("unchanged")))


def test_recorded_runs_state_nothing_of_the_gate(compared: Compared, verdict: Made) -> None:
    assert not sentences.calibrated(compared(verdict("unchanged"), blocks=(), reliability=RELIABILITY))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"steal_share": 0.07}, "stolen by other guests in 1 of 1 block, 7.0 % at most"),
        ({"throttled_periods": 12.0}, "throttled 1 of 1 block, 12 periods at most"),
        ({"load": 31.0}, "load average was well above 8 CPUs in 1 of 1 block, up to 31.0"),
    ],
)
def test_what_else_the_machine_did_is_said(
    compared: Compared, verdict: Made, seen: dict[str, float], words: str
) -> None:
    block = {**compared(verdict("unchanged")).blocks[0], "telemetry": {"base": {}, "head": seen}}
    (notice,) = sentences.notices(compared(verdict("unchanged"), blocks=(block,)))
    assert words in spaced(notice)


def test_a_quiet_machine_is_given_no_notice(measured: Comparison) -> None:
    assert list(sentences.notices(measured)) == []


def test_an_environment_that_was_not_fixed_is_said(compared: Compared, verdict: Made) -> None:
    assert "not fixed" in next(sentences.notices(compared(verdict("unchanged"), fixed_environment=False)))


def test_a_process_that_broke_is_said_once(compared: Compared, verdict: Made) -> None:
    block = {**compared(verdict("unchanged")).blocks[0], "faults": {"head": "head ended in the middle"}}
    notices = list(sentences.notices(compared(verdict("unchanged"), blocks=(block, block))))
    assert notices == ["In 2 of 2 blocks, head: head ended in the middle"]


def lines_of(cases: dict[str, float], **plan: Any) -> list[str]:
    """Where a test stood after each of its blocks."""
    rng, test, lines = np.random.default_rng(0), SequentialTest(plan=Plan(**plan)), []
    while not test.is_over:
        add_block(test, block_of(test.blocks, cases, rng))
        lines.append(spaced(sentences.standing(test)))
    return lines


def test_before_the_first_analysis_it_is_said_when_that_is() -> None:
    assert lines_of({"epoch[a]": 1.0}, budget_s=60)[0] == "1 block · first analysis after 3"


def test_what_is_settled_is_counted_and_candidates_are_named() -> None:
    lines = lines_of({"epoch[slow]": 1.5, "epoch[same]": 1.0}, budget_s=300)
    assert any("epoch[slow] regressed?" in line and "unchanged" in line for line in lines)
    assert all("\n" not in line for line in lines)
