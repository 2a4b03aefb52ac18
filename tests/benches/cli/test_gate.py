"""``loaderbench gate`` as its user calls it: real processes, in a real repository."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

DATA = """
import time
from torch.utils.data import Dataset

COST_S = 1e-4

class Train(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        end = time.perf_counter() + COST_S
        while time.perf_counter() < end:
            pass
        return index
"""
ASKED = (
    "--dataset", "data:Train", "--num-workers", "0", "--batch-size", "16", "-k", "bench_epoch", "--rounds", "4",
    "--round-time", "0.02",
)  # fmt: skip

# A dataset that both sides find in the same place, as they would an installed package.
INSTALLED = (
    "--dataset",
    "loaderbench.datasets.synthetic.known_cost:Busy",
    "--dataset-args",
    '{"samples": 8, "busy_s": 0.001}',
)

Gate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A repository with one commit of `DATA`."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "data.py").write_text(DATA)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *author, *arguments], cwd=folder, check=True)
    return folder


def command(out: Path) -> list[str]:
    return [sys.executable, "-m", "loaderbench.benches.cli.main", "gate", *ASKED, "--out", str(out)]


@pytest.fixture
def gate(theirs: Path, tmp_path: Path) -> Gate:
    """The command, in their repository, once the file has been changed."""

    def run(*arguments: str, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
        (theirs / "data.py").write_text(DATA.replace(*change) if change[0] else DATA)
        words = [*command(tmp_path / "out"), *arguments]
        return subprocess.run(words, cwd=theirs, capture_output=True, text=True, check=False)

    return run


def verdict(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out" / "verdict.json").read_text()))


def test_a_doubled_cost_is_a_regression_named_by_its_metric(gate: Gate, tmp_path: Path) -> None:
    done = gate("--base", "HEAD", "--budget", "3m", change=("1e-4", "2e-4"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert ("epoch[data.Train]", "samples_per_s", "regressed") in {
        (row["case"], row["metric"], row["verdict"]) for row in verdict(tmp_path)["verdicts"]
    }


def test_the_sides_take_turns_in_both_orders_and_a_budget_that_holds_no_verdict_is_never_green(
    gate: Gate, tmp_path: Path
) -> None:
    assert gate("--base", "HEAD", "--budget", "1s", "--seed", "1").returncode == 2
    (block,) = verdict(tmp_path)["blocks"]
    places: dict[tuple[str, int], dict[str, int]] = {}
    for sample in block["samples"]:
        places.setdefault((sample["case"], sample["round"]), {})[sample["side"]] = sample["place"]
    assert all(abs(place["base"] - place["head"]) == 1 for place in places.values())
    assert {place["base"] < place["head"] for place in places.values()} == {True, False}


@pytest.mark.parametrize(
    ("arguments", "change", "words"),
    [
        ((), ("", ""), "name what to compare"),
        (("--base", "HEAD"), ("class Train", "class Gone"), "head .* does not start: .*has no attribute 'Train'"),
        (("--base", "HEAD", "--dataset", "text"), ("", ""), "text is loaderbench's own dataset"),
        (("--base", "HEAD", *INSTALLED), ("", ""), "not from its own worktree .* an installed copy came first"),
        (("--base", "HEAD", "-k", "nothing"), ("", ""), "nothing to compare"),
    ],
    ids=["no sides", "head does not start", "not the user's code", "an installed copy", "no case"],
)
def test_what_cannot_be_judged_is_refused_with_its_reason(
    gate: Gate, arguments: tuple[str, ...], change: tuple[str, str], words: str
) -> None:
    done = gate(*arguments, change=change)
    assert done.returncode == 2
    assert re.search(words, done.stderr), done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "killed"])
def test_interrupted_it_leaves_neither_worktrees_nor_processes(
    theirs: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        [*command(tmp_path / "out"), "--base", "HEAD"], cwd=theirs, stderr=subprocess.PIPE
    ) as running:
        until(lambda: len(processes_in(tmp_path)) > 2)
        running.send_signal(number)
        assert running.wait(timeout=60) == code
    assert not processes_in(tmp_path)
    listed = subprocess.run(["git", "worktree", "list"], cwd=theirs, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def processes_in(folder: Path) -> list[str]:
    """The processes whose command names `folder`."""
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if str(folder) in command]


def test_cases_that_are_all_skipped_are_never_green(gate: Gate, tmp_path: Path) -> None:
    done = gate("--base", "HEAD", "-k", "bench_transfer")
    assert done.returncode == 2, done.stderr
    assert verdict(tmp_path)["faults"] == ["no case was compared"]


def test_an_earlier_verdict_is_never_taken_for_this_one(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "verdict.json").write_text("{}")
    done = gate("--base", "nowhere")
    assert done.returncode == 2
    assert "a verdict.json of an earlier comparison is there" in done.stderr


def test_a_case_that_fails_on_head_is_never_green(gate: Gate, tmp_path: Path) -> None:
    done = gate("--base", "HEAD", "--budget", "1s", change=("        return index", "        return {}[index]"))
    assert done.returncode == 2, done.stderr
