"""Whole gates on this machine: their order, their answers as CSV, and the table; nothing is measured here."""

import math
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from made_up_gates import block_of

from loaderbench.reports.gate.calibration.replayed_gates import Rate
from prove.live_gates.results import Answer, append, covered, document, of_failure, of_slower, of_verdicts, read
from prove.live_gates.schedule import BURSTS, QUESTIONS, QUIET, Run, runs, still_to_do
from prove.live_gates.servers import servers_share
from prove.live_gates.tools import Workplace, asv_changes

TOOLS = ("old gate", "gate", "asv")
RUN = Run(repetition=3, noise=QUIET, question=QUESTIONS[0], tool="gate")


def verdict(case: str, metric: str, name: str, **numbers: Any) -> dict[str, Any]:
    return {"case": case, "metric": metric, "verdict": name, **numbers}


VERDICTS = {
    "verdicts": [
        verdict("a", "cpu_s_per_sample", "improved", low=0.1, high=0.2, effect=0.15),
        verdict("a", "samples_per_s", "unchanged", low=-0.01, high=0.03, effect=0.01),
        verdict("b", "samples_per_s", "inconclusive", low=None, high=None, effect=None),
    ],
    "blocks": [{"telemetry": {"base": {"load": 1.0}, "head": {"load": 2.5}}}, {"telemetry": {}}],
}


def test_all_tools_answer_a_question_before_the_next_is_asked() -> None:
    order = list(islice(runs((QUIET, BURSTS), TOOLS), 60))
    for first in range(0, 60, 3):
        together = order[first : first + 3]
        assert {run.tool for run in together} == set(TOOLS)
        assert len({(run.noise, run.question.name) for run in together}) == 1
    assert len({run.name for run in order}) == 60
    counts = Counter(run.question.name for run in order)
    assert counts["same-2m"] >= counts["same-5m"] > 0


def test_what_was_measured_is_not_measured_again() -> None:
    first = list(islice(runs((QUIET,), TOOLS), 8))
    rest = still_to_do(runs((QUIET,), TOOLS), [run.name for run in first[:5]])
    assert list(islice(rest, 3)) == first[5:]


def test_a_verdict_file_is_an_answer_for_each_case() -> None:
    first, second = of_verdicts(RUN, VERDICTS, 60.04)
    assert (first.verdict, first.effect, first.half_width) == ("unchanged", 0.01, 0.02)
    assert (first.figures, first.changed, first.unchanged) == (2, 1, 1)
    assert (first.seconds, first.blocks, first.load) == (60.0, 2, 2.5)
    assert (second.verdict, second.figures) == ("inconclusive", 1)


def test_intervals_of_identical_code_are_counted_that_hold_0() -> None:
    assert covered([VERDICTS, VERDICTS]) == Rate(count=2, of=4)


def test_answers_are_kept_as_csv_and_added_to(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    assert read(file) == []
    known = of_slower(RUN, {"a": -0.1, "b": 0.0}, ["a"], [], 3.0)
    append(file, known)
    failed = of_failure(RUN, "RunError: no such program", 1.0)
    append(file, failed)
    assert repr(read(file)) == repr([*known, *failed])  # NaN is not equal to itself


def test_the_table_counts_figures_of_identical_code_and_detected_cases_of_slower_code() -> None:
    slower = Run(repetition=0, noise=BURSTS, question=QUESTIONS[1], tool="asv")
    answers = [*of_verdicts(RUN, VERDICTS, 60.0), *of_slower(slower, {"a": -0.1, "b": 0.0}, ["a"], [], 3.0)]
    table = document([*answers, *of_failure(slower, "gone", 1.0)], ()).parts[0]
    texts = [[cell.text for cell in row] for row in table.rows]  # type: ignore[union-attr]
    assert texts[0][2:6] == ["asv", "1", "1 of 2", "1 of 2"]
    assert texts[1][2:6] == ["gate", "1", "1 of 3", "1 of 2"]


def test_a_case_that_became_slower_by_less_than_the_margin_is_none_to_be_found() -> None:
    def answer(tool: str, case: str, effect: float, verdict: str) -> Answer:
        return Answer(
            run=f"0-{tool}", noise=QUIET, question="p10-1m", tool=tool, case=case, verdict=verdict, effect=effect,
            half_width=0.01 if tool == "gate" else math.nan,
        )  # fmt: skip

    answers = [
        answer("gate", "epoch[loadercases.Images-workers=0-batch=64]", -0.09, "regressed"),
        answer("gate", "epoch[loadercases.Text-workers=2-batch=32]", -0.02, "inconclusive"),
        answer("asv", "'Images', 0, 64", math.nan, "unchanged"),
        answer("asv", "'Text', 2, 32", math.nan, "regressed"),
    ]
    made = document(answers, ())
    found = {row[2].text: row[4].text for row in made.parts[0].rows}  # type: ignore[union-attr]
    assert found == {"asv": "0 of 1", "gate": "1 of 1"}
    assert "Images 0 64 −8.6\u202f%, Text 2 32 −2.0\u202f%" in made.about[0]


def test_another_clone_may_go_on_in_a_folder_of_a_clone_that_is_gone(tmp_path: Path) -> None:
    place = Workplace(folder=tmp_path, asv="")
    packages = tmp_path / "packages" / "here"
    packages.mkdir(parents=True)
    (packages / "loaderbench").symlink_to(tmp_path / "gone")
    assert (place.tree("") / "loaderbench" / "pyproject.toml").exists()
    assert place.tree("") == packages


def test_what_asv_lists_as_changed() -> None:
    output = """
       | Change   | Before | After | Ratio | Benchmark (Parameter) |
    """
    plus = "| +        | 12.0±0.1ms | 14.0±0.1ms | 1.17 | epochs.Epoch.time_epoch('Text', 0, 32) |"
    minus = "| -        | 12.0±0.1ms | 10.0±0.1ms | 0.83 | epochs.Epoch.time_epoch('Images', 2, 64) |"
    assert asv_changes(f"{output}\n{plus}\n{minus}") == {"'Text', 0, 32": "+", "'Images', 2, 64": "-"}


def test_what_servers_differ_by_shows_in_blocks_in_which_they_were_exchanged() -> None:
    rng = np.random.default_rng(0)

    def gate(differ: float) -> dict[str, Any]:
        of_servers = rng.normal(0, differ, 3)
        effects = [(-1) ** number * of_servers[number // 4] + rng.normal(0, 0.01) for number in range(12)]
        blocks = [
            {**block_of(1 + number, {"epoch[a]": float(np.exp(effect))}, rng), "servers": number // 4}
            for number, effect in enumerate(effects)
        ]
        return {"blocks": blocks}

    different, alike = (servers_share([gate(differ) for _ in range(8)]) for differ in (0.1, 0.0))
    assert different.share > 0.5 > abs(alike.share)
    assert (alike.in_order, alike.exchanged) == (8 * 3 * 2, 8 * 3 * 4)
