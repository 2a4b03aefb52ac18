"""``loaderbench explain`` as its user calls it: what is written, said, refused, and the exit code."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_up_answers import DATASET, stand_in
from made_up_explanations import made_up_explanation

from loaderbench.benches.cli.main import main
from loaderbench.reports.explain.ranking import read_ranking

ANSWER = partial(made_up_explanation, {"many tensors": 0.4})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is asked of explain, whose answer is made up."""
    return stand_in(
        monkeypatch,
        "loaderbench.benches.explain.ab_experiment.explain",
        ANSWER,
    )


def test_the_ranking_is_shown_and_written_as_json_markdown_and_a_page(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["explain", *DATASET, "--out", str(out)]) == 0
    assert "Remove 'many tensors': an epoch then takes" in capsys.readouterr().out
    assert read_ranking(out).interventions[0].cause == "many tensors"
    for name in ("explain.md", "explain.html"):
        assert "many tensors" in (out / name).read_text()


def test_an_interrupted_explanation_is_written_all_the_same(asked: dict[str, Any], tmp_path: Path) -> None:
    asked["facts"] = {"interrupted": True, "memory": None}
    assert main(["explain", *DATASET, "--out", str(tmp_path)]) == 130
    assert "Interrupted" in (tmp_path / "explain.md").read_text()


def test_arguments_that_are_not_given_are_torch_s_own(asked: dict[str, Any], tmp_path: Path) -> None:
    assert main(["explain", *DATASET, "--out", str(tmp_path)]) == 0
    _, config, _ = asked["arguments"]
    assert (config.prefetch_factor, config.persistent_workers, config.pin_memory) == (2, False, False)
    assert asked["budget_s"] == 120


def test_what_is_given_is_measured(asked: dict[str, Any], tmp_path: Path) -> None:
    given = ("--persistent-workers", "on", "--num-workers", "3", "--budget", "1h", "--seed", "7", "--device", "cpu")
    assert main(["explain", *DATASET, *given, "--out", str(tmp_path)]) == 0
    _, config, consumer = asked["arguments"]
    assert (config.num_workers, config.persistent_workers, consumer.device.type) == (3, True, "cpu")
    assert (asked["budget_s"], asked["seed"]) == (3600, 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "nothing:here"), "no module 'nothing'"),
        (("--dataset", "text", "--collate-fn", "default"), "give a --collate-fn that pads them"),
        (("--dataset", "text", "--device", "abacus"), "--device abacus: this machine has cpu"),
        (("--dataset", "table", "--step", "20ms", "--model", "my:Net"), "--step stands in for a model's step"),
        (("--dataset", "table", "--optimizer", "Adam"), "--optimizer is of a model: name one with --model"),
    ],
    ids=["dataset", "collate_fn", "device", "step and model", "optimizer of nothing"],
)
def test_what_cannot_be_explained_is_refused_in_one_line(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1


def test_an_earlier_explanation_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "explain.json").write_text("{}")
    assert main(["explain", "--dataset", "text", "--out", str(tmp_path)]) == 2
    assert "name a new folder" in capsys.readouterr().err
