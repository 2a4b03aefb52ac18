"""``loaderbench tune`` as its user calls it: what is asked for, written, said, refused, and the exit code."""

import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_up_answers import DATASET, stand_in
from made_up_tunings import made_up_tuning

from loaderbench.benches.cli.main import main
from loaderbench.reports.tune.tune_record import Tuned


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is asked of tune, whose answer is made up."""
    return stand_in(monkeypatch, "loaderbench.benches.tune.tune.tune", made_up_tuning)


def test_the_answer_is_shown_and_written_as_json_markdown_and_a_page(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["tune", *DATASET, "--out", str(out)]) == 0
    assert "DataLoader(dataset, num_workers=2)" in capsys.readouterr().out
    assert Tuned.read(out).recommended == "workers=2"
    for name in ("tune.md", "tune.html", "figures/throughput-against-costs.svg"):
        assert (out / name).exists()


def test_json_is_the_record_and_nothing_else(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", *DATASET, "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / Tuned.file_name()).read_text())


def test_without_options_the_users_own_setting_is_torch_s(asked: dict[str, Any], tmp_path: Path) -> None:
    assert main(["tune", *DATASET, "--out", str(tmp_path)]) == 0
    given = asked["arguments"][0]
    assert (given.num_workers, given.config.num_workers, given.config.batch_size) == (0, 1, 32)
    assert (given.objective, given.budget_s, given.fixed, given.batch_sizes) == ("epoch", 120, {}, ())


def test_what_is_given_is_tuned(asked: dict[str, Any], tmp_path: Path) -> None:
    options = (
        "--num-workers", "3", "--prefetch-factor", "4", "--batch-size", "16,64", "--fix", "in_order=on",
        "--fix", "num_workers=2", "--max-memory", "8GB", "--max-shm", "64MB", "--max-workers", "6",
        "--objective", "cpu", "--budget", "5m", "--seed", "7",
    )  # fmt: skip
    assert main(["tune", *DATASET, *options, "--out", str(tmp_path)]) == 0
    given = asked["arguments"][0]
    assert (given.num_workers, given.config.prefetch_factor, given.batch_sizes) == (3, 4, (16, 64))
    assert given.fixed == {"in_order": True, "num_workers": 2}
    assert (given.limit.memory_bytes, given.limit.shm_bytes, given.limit.workers) == (8e9, 64e6, 6)
    assert (given.objective, given.budget_s, given.seed) == ("cpu", 300, 7)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that places processes on CPUs")
def test_all_of_it_runs_on_as_many_cpus_as_are_allowed(asked: dict[str, Any], tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    try:
        assert main(["tune", *DATASET, "--max-cpus", "1", "--out", str(tmp_path)]) == 0
        assert len(os.sched_getaffinity(0)) == 1
    finally:
        os.sched_setaffinity(0, before)
    assert asked["arguments"][0].limit.cpus == 1


def test_earlier_records_beside_it_are_offered_unless_it_is_to_be_fresh(asked: dict[str, Any], tmp_path: Path) -> None:
    for name in ("old-tune", "broken-tune"):
        (tmp_path / name).mkdir()
    (tmp_path / "old-tune" / Tuned.file_name()).write_bytes(msgspec.json.encode(made_up_tuning()))
    (tmp_path / "broken-tune" / Tuned.file_name()).write_text("{")
    assert main(["tune", *DATASET, "--out", str(tmp_path / "new")]) == 0
    assert [Path(name).name for name in asked["earlier"]] == ["old-tune"]
    assert main(["tune", *DATASET, "--fresh", "--out", str(tmp_path / "newer")]) == 0
    assert asked["earlier"] == {}


@pytest.mark.parametrize(
    ("facts", "code"),
    [({"interrupted": True}, 130), ({"recommended": "", "is_shown": False}, 1), ({"is_shown": False}, 0)],
)
def test_the_exit_code_tells_an_interrupted_tuning_and_one_without_an_answer(
    asked: dict[str, Any], tmp_path: Path, facts: dict[str, Any], code: int
) -> None:
    asked["facts"] = facts
    assert main(["tune", *DATASET, "--out", str(tmp_path)]) == code
    assert (tmp_path / "tune.md").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "nothing:here"), "no module 'nothing'"),
        ((), "name what is loaded"),
        ((*DATASET, "--max-cpus", "4096"), "--max-cpus 4096: this process may use"),
        ((*DATASET, "--batch-size", "none,4"), "--batch-size takes one value here"),
        ((*DATASET, "--budget", "1ms"), "give a larger --budget"),
    ],
    ids=["dataset", "none", "cpus", "batch_size", "budget"],
)
def test_what_cannot_be_tuned_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", *arguments, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert words in printed.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_dataset_is_tuned_and_a_second_call_starts_from_its_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], no_leaks: None
) -> None:
    """All of it is measured, in little time: one number of workers, and nothing else to vary."""
    fixed = [
        word
        for pair in ("num_workers=1", "prefetch_factor=2", "persistent_workers=on", "collate_fn=own", "one_thread=off",
                     "keep_memory=off", "fetch=samples")
        for word in ("--fix", pair)
    ]  # fmt: skip
    command = ["tune", *DATASET, *fixed, "--batch-size", "8", "--budget", "90s", "--seed", "1"]
    assert main([*command, "--out", str(tmp_path / "first")]) == 0
    first = Tuned.read(tmp_path / "first")
    assert (first.recommended, first.samples, first.ending) == ("workers=1 · persistent", 64, "decided")
    assert {trial.setting for trial in first.trials} == {"workers=0", "workers=1 · persistent"}
    assert main([*command, "--out", str(tmp_path / "second")]) == 0
    second = Tuned.read(tmp_path / "second")
    assert second.earlier_trials == len(first.trials)
    assert re.search(r"Started from \d+ trials of", capsys.readouterr().out)
