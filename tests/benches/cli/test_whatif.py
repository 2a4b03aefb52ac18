"""``loaderbench whatif`` as its user calls it: what is written, said, refused, and the exit code."""

from pathlib import Path
from typing import Any

import pytest
from made_up_answers import DATASET, stand_in
from made_up_predictions import made_up_whatif

from loaderbench.benches.cli.main import main
from loaderbench.reports.whatif.whatif_record import WhatIf


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is asked of whatif, whose answer is made up."""
    return stand_in(monkeypatch, "loaderbench.benches.whatif.pass_measuring.whatif", made_up_whatif)


def test_predictions_are_shown_and_written_as_json_markdown_a_page_and_a_figure(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["whatif", *DATASET, "--out", str(out)]) == 0
    assert "Fewest workers that keep up with a step" in capsys.readouterr().out
    assert WhatIf.read(out) == made_up_whatif()
    for name in ("whatif.md", "whatif.html", "figures/whatif.svg"):
        assert (out / name).read_text()


def test_an_interrupted_prediction_is_written_all_the_same(asked: dict[str, Any], tmp_path: Path) -> None:
    asked["facts"] = {"interrupted": True, "rounds": 1}
    assert main(["whatif", *DATASET, "--out", str(tmp_path)]) == 130
    assert "Interrupted" in (tmp_path / "whatif.md").read_text()


def test_every_combination_is_asked_with_its_times_and_sizes(asked: dict[str, Any], tmp_path: Path) -> None:
    given = (
        *("--num-workers", "1,4", "--cpus", "2,64", "--ranks", "1,8", "--batch-size", "8,16"),
        *("--step", "20ms", "--storage", "2GB", "--sample-bytes", "150kB"),
    )
    assert main(["whatif", *DATASET, *given, "--out", str(tmp_path)]) == 0
    question = asked["arguments"][2]
    assert len(question.scenarios) == 8
    assert {scenario.cpus for scenario in question.scenarios} == {2, 64}
    assert (question.batch_sizes, question.sample_bytes) == ((8, 16), 150_000)
    assert {(entry.step_s, entry.storage_bytes_per_s) for entry in question.scenarios} == {(0.02, 2e9)}


def test_every_argument_of_a_loader_is_taken(asked: dict[str, Any], tmp_path: Path) -> None:
    given = (
        *("--sampling", "sequential", "--drop-last", "on", "--persistent-workers", "on", "--in-order", "off"),
        *("--start-method", "spawn", "--prefetch-factor", "4", "--loader-timeout", "30s"),
    )
    assert main(["whatif", *DATASET, *given, "--out", str(tmp_path)]) == 0
    config = asked["arguments"][1]
    assert (config.shuffle, config.multiprocessing_context, config.timeout) == (False, "spawn", 30.0)
    assert {(entry.in_order, entry.prefetch_factor) for entry in asked["arguments"][2].scenarios} == {(False, 4)}


@pytest.mark.parametrize(
    "given",
    [("--sampler", "itertools:count"), ("--batch-sampler", "itertools:count"), ("--sampling", "blocks")],
    ids=["sampler", "batch sampler", "blocks"],
)
def test_an_order_that_cannot_be_predicted_is_refused_in_one_line(
    given: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["whatif", *DATASET, *given]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"{' '.join(given)} cannot be predicted" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--num-workers", "-1"), "--num-workers"), (("--step", "soon"), "--step"), (("--storage", "fast"), "--storage")],
    ids=["workers", "step", "storage"],
)
def test_what_cannot_be_read_is_refused(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["whatif", "--dataset", "text", *arguments])
    assert words in capsys.readouterr().err
