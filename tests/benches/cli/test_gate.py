"""``loaderbench gate`` as its user calls it: real processes in a real repository, and no verdict on a clock."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_gates import block_of
from preloaded import LOADERBENCH, Running, environment
from waiting import until

from loaderbench.benches.cli.main import main
from loaderbench.benches.gate.blocks import BlockRequest, BlockRunner

DATA = """
from torch.utils.data import Dataset

class Train(Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, index):
        return index
"""
OPTIONS = (
    "--dataset", "data:Train", "--num-workers", "0", "--batch-size", "16", "-k", "bench_epoch", "--rounds", "4",
    "--round-time", "0.01", "--seed", "1",
)  # fmt: skip

# A dataset that both revisions find in the same place, as they would an installed package.
INSTALLED = (
    "--dataset", "loaderbench.datasets.synthetic.known_cost:Busy", "--dataset-args", '{"samples": 8, "busy_s": 0.001}',
)  # fmt: skip

Gate = Callable[..., tuple[int, str]]


def repository(folder: Path) -> Path:
    """A repository with one commit of `DATA`."""
    theirs = folder / "theirs"
    theirs.mkdir()
    (theirs / "data.py").write_text(DATA)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *author, *arguments], cwd=theirs, check=True)
    return theirs


def command(out: Path, *more: str) -> list[str]:
    return [*LOADERBENCH, "gate", *OPTIONS, "--out", str(out), *more]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return repository(tmp_path)


@pytest.fixture
def gate(theirs: Path, tmp_path: Path) -> Gate:
    """The command, in their repository, once the file has been changed: its exit code, and its errors."""

    def run(*arguments: str, change: tuple[str, str] = ("", "")) -> tuple[int, str]:
        (theirs / "data.py").write_text(DATA.replace(*change) if change[0] else DATA)
        with Running(command(tmp_path / "out", *arguments), cwd=theirs, env=environment()) as running:
            return running.wait(), running.err

    return run


def verdict(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "verdict.json").read_text()))


def worktrees(theirs: Path) -> list[str]:
    listed = subprocess.run(["git", "worktree", "list"], cwd=theirs, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


@dataclass(frozen=True, kw_only=True)
class Signalled:
    """A gate that was sent signals, and what it left."""

    folder: Path
    code: int
    printed: str
    had_processes: bool  # when the signals were sent
    left: list[Any]

    @property
    def out(self) -> Path:
        return self.folder / "out"


def signalled(place: Any, block: str, *send: Callable[[Running], None]) -> Signalled:
    """Send signals to a gate once the processes of `block` have been started."""
    theirs, out = repository(place.folder), place.folder / "out"
    with replace(place, folder=theirs).begin(command(out, "--base", "HEAD")) as running:
        assert until(lambda: (out / "blocks" / block / "head.log").exists() or running.poll() is not None)
        processes = place.processes()
        for press in send:
            press(running)
            time.sleep(0.1)
        code, printed = running.wait(), running.out
    return Signalled(
        folder=place.folder, code=code, printed=printed, had_processes=len(processes) > 2,
        left=[] if place.emptied() else place.processes(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def interrupted(places: Callable[[str], Any]) -> Signalled:
    """A gate in whose second block Ctrl-C was pressed twice."""
    return signalled(places("interrupted"), "002", Running.press_ctrl_c, Running.press_ctrl_c)


def test_terminated_in_its_first_block_it_leaves_nothing_and_judges_nothing(places: Callable[[str], Any]) -> None:
    ended = signalled(places("terminated"), "001", lambda running: running.send_signal(signal.SIGTERM))
    assert ended.code == 130
    assert ended.had_processes
    assert not ended.left
    assert len(worktrees(ended.folder / "theirs")) == 1
    assert not (ended.out / "verdict.json").exists()


def test_interrupted_it_leaves_neither_worktrees_nor_processes(interrupted: Signalled) -> None:
    assert interrupted.code == 130
    assert interrupted.had_processes
    assert not interrupted.left
    assert len(worktrees(interrupted.folder / "theirs")) == 1


def test_interrupted_it_keeps_and_writes_what_was_measured(interrupted: Signalled) -> None:
    result = verdict(interrupted.out)
    assert (result["is_interrupted"], len(result["blocks"])) == (True, 1)
    assert {row["verdict"] for row in result["verdicts"]} == {"inconclusive"}
    assert result["faults"] == ["interrupted: undecided cases are inconclusive"]
    assert {row["why"] for row in result["verdicts"]} == {"interrupted before the blocks decided it"}
    assert "error: interrupted: undecided" in interrupted.printed


def test_every_output_is_written(interrupted: Signalled) -> None:
    written = {"verdict.json", "gate.md", "gate.html", "junit.xml", "figures/changes.svg", "figures/changes.png"}
    assert {name for name in written if (interrupted.out / name).exists()} == written


def test_base_and_head_take_turns_in_both_orders(interrupted: Signalled) -> None:
    (block,) = verdict(interrupted.out)["blocks"]
    places: dict[tuple[str, int], dict[str, int]] = {}
    for sample in block["samples"]:
        places.setdefault((sample["case"], sample["round"]), {})[sample["revision"]] = sample["place"]
    assert all(abs(place["base"] - place["head"]) == 1 for place in places.values())
    assert {place["base"] < place["head"] for place in places.values()} == {True, False}


def test_what_was_the_same_in_both_processes_is_recorded(interrupted: Signalled) -> None:
    (block,) = verdict(interrupted.out)["blocks"]
    assert block["environment"].keys() >= {"MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "PYTHONHASHSEED"}
    assert block["telemetry"].keys() == {"base", "head"}
    assert all(seen["voluntary_switches"] > 0 for seen in block["telemetry"].values())


@pytest.mark.parametrize(
    ("arguments", "change", "words"),
    [
        (
            ("--base", "HEAD"),
            ("return index", "return {}[index]"),
            r"head .* does not start: .*Train\[0\] raised KeyError",
        ),
        (("--base", "HEAD", *INSTALLED), ("", ""), "not from its own worktree .* an installed copy came first"),
    ],
    ids=["head does not start", "an installed copy"],
)
def test_what_cannot_be_judged_is_refused_with_its_reason(
    gate: Gate, arguments: tuple[str, ...], change: tuple[str, str], words: str
) -> None:
    code, errors = gate(*arguments, change=change)
    assert code == 2
    assert re.search(words, errors), errors


# On made-up blocks, or refused before anything is measured: in this process.


@pytest.mark.parametrize(
    ("slower", "code", "verdict_there"), [(1.4, 1, "regressed"), (1.0, 0, "unchanged")], ids=["slower", "the same"]
)
def test_a_gate_that_has_decided_ends_by_itself_with_its_verdict(
    slower: float, code: int, verdict_there: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    rng, numbers = np.random.default_rng(0), count(1)

    def measure(_runner: BlockRunner, request: BlockRequest, *, within_s: float) -> dict[str, Any]:
        assert within_s > 0
        block = block_of(next(numbers), {"epoch[a]": slower}, rng)
        kept = [s for s in block["samples"] if not request.cases or s["case"] in {*request.cases, "control[sleep]"}]
        return {**block, "samples": kept}

    monkeypatch.setattr(BlockRunner, "measure", measure)
    compared = ("--base-settings", "num_workers=0", "--head-settings", "num_workers=1")
    assert main(["gate", *compared, *OPTIONS, "--out", "out"]) == code
    result = verdict(tmp_path / "out")
    assert (result["exit_code"], result["faults"]) == (code, [])
    (throughput,) = (row for row in result["verdicts"] if row["metric"] == "samples_per_s")
    assert throughput["verdict"] == verdict_there
    assert throughput["base"] / throughput["head"] == pytest.approx(slower, rel=0.03)


def test_nothing_to_compare_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["gate", *OPTIONS]) == 2
    assert "name what to compare" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [("--head", "HEAD"), ("--setup", "make")], ids=["head", "setup"])
def test_what_needs_a_worktree_is_refused_without_base(
    asked: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["gate", "--base-settings", "num_workers=0", *asked, *OPTIONS]) == 2
    assert f"{asked[0]} needs --base REV" in capsys.readouterr().err


def test_an_earlier_verdict_is_never_taken_for_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "verdict.json").write_text("{}")
    assert main(["gate", *OPTIONS, "--base", "nowhere", "--out", "out"]) == 2
    assert "verdict.json of an earlier gate is there" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--budget", "soon"), ("--budget", "0s"), ("--margin", "120%")])
def test_an_option_of_no_sense_is_refused_in_a_line(option: tuple[str, str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["gate", "--base", "HEAD", *option])
    assert refused.value.code == 2
    assert option[0] in capsys.readouterr().err
