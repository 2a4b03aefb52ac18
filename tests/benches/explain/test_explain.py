"""``loaderbench explain`` as its user calls it: each planted cause comes first, and none is imagined."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaderbench.benches.cli.main import main
from loaderbench.reports.explain.ranking import RankedIntervention, Ranking, read

PITFALLS = "loaderbench.datasets.synthetic.pitfalls"
SLEEPING = "loaderbench.datasets.synthetic.known_cost:Sleeping"
FEW = '{"samples": 64, "sleep_s": 0.001}'
ALIVE = ("--persistent-workers", "on")

Explain = Callable[..., Ranking]


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    """Explain one of the pitfalls' datasets in a few seconds."""
    monkeypatch.chdir(tmp_path)

    def run(dataset: str, *arguments: str, budget: str = "8s") -> Ranking:
        asked = (
            "--dataset",
            dataset if ":" in dataset else f"{PITFALLS}:{dataset}",
            "--start-method",
            "fork",
            "--seed",
            "1",
            "--budget",
            budget,
            "--samples",
            "64",
            *ALIVE,
        )
        assert main(["explain", *asked, "--out", str(tmp_path / "out"), *arguments]) == 0
        return read(tmp_path / "out")

    return run


@pytest.mark.parametrize(
    ("dataset", "made", "arguments", "cause"),
    [
        ("ManyTensors", {"small": 12, "large_bytes": 1000}, ("--batch-size", "4", "--samples", "32"), "many tensors"),
        ("ManyObjects", {}, ("--collate-fn", f"{PITFALLS}:concatenate", "--samples", "256"), "objects"),
        ("Indexable", {}, ("--batch-size", "1024", "--samples", "8192"), "one by one"),
        ("SlowStart", {"start_s": 0.03}, ("--persistent-workers", "off"), "started each epoch"),
        ("SlowSamples", {"usual_s": 1e-4, "slow_s": 0.015}, ("--batch-size", "4", "--samples", "128"), "a slower one"),
        ("LargeAllocation", {}, ("--batch-size", "1", "--samples", "8"), "malloc"),
        ("LargeSamples", {}, ("--batch-size", "16"), "new shared memory"),
        ("StorageStalls", {}, ("--batch-size", "1", "--samples", "24", "--step", "1.5ms"), "little prefetched"),
        (SLEEPING, {"samples": 64, "sleep_s": 5e-4}, ("--num-workers", "1", "--batch-size", "4"), "few workers"),
        ("ManyThreads", {"side": 200}, ("--batch-size", "1", "--samples", "8"), "threads"),
    ],
    ids=[
        *("many tensors", "objects", "one by one", "start", "order"),
        *("malloc", "shared memory", "prefetch", "workers", "threads"),
    ],
)
def test_a_planted_cause_comes_first(
    explain: Explain, dataset: str, made: dict[str, Any], arguments: tuple[str, ...], cause: str
) -> None:
    first = explain(dataset, "--dataset-args", json.dumps(made), *arguments).interventions[0]
    assert cause in first.cause
    assert first.outcome == "helps"
    assert first.evidence
    assert first.change


def test_on_a_dataset_without_any_nothing_is_said_to_help(explain: Explain) -> None:
    found = explain(SLEEPING, "--dataset-args", FEW, "--batch-size", "8")
    assert [cause for cause in found.interventions if cause.outcome in ("helps", "harms")] == []


def test_what_cannot_be_tried_says_why(explain: Explain) -> None:
    found = explain("Indexable", "--num-workers", "0", "--batch-size", "256", budget="1s")
    why = {cause.cause: cause.reason for cause in found.interventions if cause.outcome == "not run"}
    assert "num_workers is 0" in why["many tensors a batch"]
    assert "no accelerator" in why["pageable batches"]


def test_memory_that_leaks_is_told_from_memory_that_is_copied(explain: Explain, capsys: Any) -> None:
    explain("Leaking", "--samples", "256", budget="1s")
    assert "memory: grows by" in capsys.readouterr().out


def test_copies_of_python_objects_are_proved_by_arrays(explain: Explain, capsys: Any) -> None:
    explain(
        "PythonList", "--dataset-args", '{"samples": 100000}', "--samples", "all", "--batch-size", "4096", budget="1s"
    )
    told = capsys.readouterr().out
    assert "copy-on-write: with names in arrays" in told


def test_a_step_is_taken_between_batches(explain: Explain) -> None:
    asked = ("--dataset-args", FEW, "--num-workers", "0", "--batch-size", "16", "--step", "20ms")
    found = explain(SLEEPING, *asked, budget="1s")
    assert found.explanation.time_shares["step_s"] > 0.3


def test_a_change_that_a_dataset_does_not_bear_was_not_run(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    found = explain("odd:Odd", "--collate-fn", "odd:collate", budget="1s")
    (cause,) = [each for each in found.interventions if each.cause == "many tensors a batch"]
    assert isinstance(cause, RankedIntervention)
    assert cause.outcome == "not run"
    assert "cannot be put together again" in cause.reason


ODD = """
import torch
from collections.abc import Mapping

class Odd:
    def __len__(self):
        return 64

    def __getitem__(self, index):
        return float(range(64)[index])

class Strict(Mapping):
    def __init__(self, values=None, *, key="no"):
        if key != "yes":
            raise TypeError("made by collate alone")
        self.values = values

    def __getitem__(self, name):
        return self.values[name]

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)

    def __reduce__(self):
        return again, (self.values,)

def again(values):
    return Strict(values, key="yes")

def collate(samples):
    return Strict({"a": torch.tensor(samples), "b": torch.tensor(samples)}, key="yes")
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "nothing:here"), "no module 'nothing'"),
        (("--dataset", "text", "--collate-fn", "default"), "Name a collate function that fits with --collate-fn"),
    ],
    ids=["dataset", "collate_fn"],
)
def test_what_cannot_be_explained_is_refused_in_one_line(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_an_earlier_explanation_is_not_replaced(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "explain.json").write_text(json.dumps({}))
    assert main(["explain", "--dataset", "text", "--out", str(tmp_path)]) == 2
    assert "name a new folder" in capsys.readouterr().err
